// Owner of one ZeroMQ socket: options, addresses, sending and receiving with our errors instead of errno.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/message.hpp>
#include <legion/transport/poller.hpp>

namespace legion::transport {

enum class SocketType : std::uint8_t { Xpub, Xsub, Router, Dealer, Pair, Rep };
enum class More : std::uint8_t { No, Yes };

enum class SendResult : std::uint8_t {
  Sent,
  Full,         ///< EAGAIN: a queue is at its high-water mark
  Unreachable,  ///< EHOSTUNREACH: a ROUTER knows no such peer
  Closed        ///< the context was shut down, or the socket cannot send at all
};

/// Thread: one owner; every call but a receive with the flag down carries out commands that wait for the socket. None
/// blocks.
/// Ownership: closes the socket with the LINGER set last; 0 unless set.
/// In a Poller it keeps the rule of InputFlag: who reads until nothing comes, before every wait, misses nothing.
class Socket {
 public:
  static Result<Socket> open(Context& context, SocketType type);
  Socket(Socket&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), fd_(other.fd_), input_(std::move(other.input_)) {}
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  void* handle() const { return handle_; }
  Pollable pollable() const { return {fd_, input_.get()}; }
  /// receive() would look: something may be there.
  bool may_have_input() const { return input_->raised(); }

  /// ZMQ_* options of type int, int64 (MAXMSGSIZE), uint64 (AFFINITY) and string.
  Result<void> set(int option, int value);
  Result<void> set_int64(int option, std::int64_t value);
  Result<void> set_uint64(int option, std::uint64_t value);
  Result<void> set_text(int option, const std::string& value);

  /// The endpoint as bound, with the port that was chosen. Errors: AddressInUse, InvalidArgument, Io.
  Result<std::string> bind(const std::string& uri);
  /// `uri` is numeric: a name would be resolved inside an I/O thread. Errors: InvalidArgument, Io.
  Result<void> connect(const std::string& uri);
  /// An endpoint that is not connected is no error.
  Result<void> disconnect(const std::string& uri);

  SendResult send(BytesView bytes, More more = More::No);
  /// Sends a reference to the same bytes; the message stays usable.
  SendResult send(const Message& message);
  /// Sends `bytes` without copying. ZeroMQ holds them until they are on their way, and one of its threads lets them go.
  SendResult send_shared(std::shared_ptr<const Bytes> bytes, More more = More::No);
  /// nullopt: nothing to receive, or closed. Costs nothing while may_have_input() says no.
  std::optional<Message> receive(More& more);
  /// Carries out whatever other threads asked of this socket.
  void process_commands();

 private:
  explicit Socket(void* handle) : handle_(handle), input_(std::make_unique<InputFlag>()) {}
  int touched(int rc);

  void* handle_ = nullptr;
  int fd_ = -1;  // readable while commands wait; closed with the socket
  std::unique_ptr<InputFlag> input_;  // stays where it is when the Socket is moved
};

/// Our error for an errno of ZeroMQ; the message is "`what`: text".
Error error_from_errno(int number, const std::string& what);

}  // namespace legion::transport
