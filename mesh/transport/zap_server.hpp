// Decides who may connect: the ZAP handler of RFC 27.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <legion/base/error.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/lane_settings.hpp>
#include <legion/transport/socket.hpp>
#include <legion/transport/wake_fd.hpp>

namespace legion::transport {

struct ZapPolicy {
  /// Domains in which a peer without keys (mechanism NULL) is let in.
  std::set<std::string> null_domains = {zap_domain};
};

/// Started before the first bind and stopped after the last socket is closed. What the policy does not name is refused
/// with 300: the peer keeps trying, whereas 400 would end its session for ever.
/// Thread: one of its own, which never waits for anybody; the counters from any.
class ZapServer {
 public:
  static Result<std::unique_ptr<ZapServer>> start(Context& context, ZapPolicy policy = {});
  ~ZapServer();
  ZapServer(const ZapServer&) = delete;
  ZapServer& operator=(const ZapServer&) = delete;

  std::uint64_t admitted() const { return admitted_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  ZapServer(Socket socket, WakeFd stop, std::unique_ptr<Poller> poller, ZapPolicy policy);
  void run();
  void answer();

  Socket socket_;
  WakeFd stop_;
  std::unique_ptr<Poller> poller_;
  const ZapPolicy policy_;
  std::atomic<std::uint64_t> admitted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace legion::transport
