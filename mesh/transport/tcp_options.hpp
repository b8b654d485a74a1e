// Options every TCP socket of the mesh gets before it is bound or connected.
#pragma once

#include <cstdint>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/transport/socket.hpp>

namespace legion::transport {

/// Collects the first error of a row of options.
class SocketOptions {
 public:
  explicit SocketOptions(Socket& socket) : socket_(socket) {}
  SocketOptions& set(int option, int value) {
    return keep([&] { return socket_.set(option, value); });
  }
  SocketOptions& set_int64(int option, std::int64_t value) {
    return keep([&] { return socket_.set_int64(option, value); });
  }
  SocketOptions& set_uint64(int option, std::uint64_t value) {
    return keep([&] { return socket_.set_uint64(option, value); });
  }
  SocketOptions& set_text(int option, const std::string& value) {
    return keep([&] { return socket_.set_text(option, value); });
  }
  const Result<void>& result() const { return result_; }

 private:
  template <class Set>
  SocketOptions& keep(const Set& apply) {
    if (result_) result_ = apply();
    return *this;
  }
  Socket& socket_;
  Result<void> result_;
};

/// Keep-alive, time-outs and, with ZAP and its enforcement, no peer without a yes from the ZapServer.
Result<void> set_listener_options(Socket& socket);

struct ConnecterOptions {
  Duration redial_max;
  Duration connect_timeout;
};
/// Keep-alive, time-outs and ZeroMQ's own reconnecting.
Result<void> set_connecter_options(Socket& socket, ConnecterOptions options);

}  // namespace legion::transport
