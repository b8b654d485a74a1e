// The one ZeroMQ context of a process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::transport {

/// "4.3.4": the library that is loaded, which need not be the one compiled against.
std::string zmq_version();

struct ContextOptions {
  int io_threads = 2;                   ///< sockets are pinned: bit 0 critical lane and control, bit 1 the rest
  int max_sockets = 16384;              ///< a control link costs three (DEALER and both ends of its monitor)
  Duration terminate_limit = 10s;       ///< how long the destructor waits for ZeroMQ
  int stuck_exit_code = 71;             ///< ends the process when that was not enough (EX_OSERR)
};

/// Thread: every function from any thread. Ownership: outlives every socket, which its owner closes before the context
/// goes. Errors: a context that does not come down within `terminate_limit` ends the process with quick_exit, because a
/// hanging stop is worse than an unclean one and ZeroMQ offers no third way.
class Context {
 public:
  static Result<std::unique_ptr<Context>> create(ContextOptions options = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Every blocked and every later call on a socket answers "closed". The sockets still have to be closed.
  void shutdown();

  /// The void* of the C API.
  void* handle() const { return handle_; }
  /// An inproc address nobody else of this context has.
  std::string unique_inproc(const char* purpose);

 private:
  Context(void* handle, ContextOptions options) : handle_(handle), options_(options) {}

  void* handle_;
  const ContextOptions options_;
  std::atomic<std::uint64_t> next_inproc_{1};
};

}  // namespace legion::transport
