// Names to numbers, outside every thread that must not wait.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/transport/poller.hpp>
#include <legion/transport/wake_fd.hpp>

namespace legion::transport {

struct Resolved {
  std::string requested;                     ///< as given to resolve()
  Result<std::vector<std::string>> addresses;  ///< numeric uris in order of preference, at least one; try each
};

/// Thread: resolve() and drain() from any thread; one worker of its own waits for name servers.
/// Order: results come in the order of the requests, except that numeric addresses never wait behind names.
/// Bounds: `requests_max` names waiting; results wait until drained. Errors: InvalidArgument (no tcp://host:port),
/// Unreachable (the name is not known). The destructor waits for the look-up that is running.
class Resolver {
 public:
  static Result<std::unique_ptr<Resolver>> create(std::size_t requests_max = 256);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Asks for "tcp://host:port" or "tcp://[v6]:port". Errors: WouldBlock when `requests_max` names wait.
  Result<void> resolve(const std::string& uri);
  /// Hands over every result there is and returns how many.
  std::size_t drain(const std::function<void(Resolved)>& on_resolved);
  /// Readable while results wait.
  Pollable pollable() const { return {results_wake_.fd(), nullptr}; }

 private:
  Resolver(WakeFd wake, std::size_t requests_max);
  void run();
  void deliver(Resolved resolved);

  const std::size_t requests_max_;
  WakeFd results_wake_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable has_work_;
  std::deque<std::string> requests_;
  std::deque<Resolved> results_;
  bool stopping_ = false;
  std::thread worker_;
};

/// "tcp://127.0.0.1:7400" and "tcp://[::1]:7400" in canonical form; nullopt when the host is a name.
/// Errors: InvalidArgument.
Result<std::optional<std::string>> numeric_uri(std::string_view uri);
/// Every address of the host, without repetition, in the system's order. Blocks. Errors: as Resolver.
Result<std::vector<std::string>> resolve_uri_blocking(std::string_view uri);

}  // namespace legion::transport
