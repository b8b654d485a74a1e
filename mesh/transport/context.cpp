#include <legion/transport/context.hpp>

#include <zmq.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <legion/transport/socket.hpp>
#include <legion/transport/thread_without_signals.hpp>

namespace legion::transport {

std::string zmq_version() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  ::zmq_version(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

Result<std::unique_ptr<Context>> Context::create(ContextOptions options) {
  void* handle = zmq_ctx_new();
  if (handle == nullptr) return std::unexpected(error_from_errno(errno, "cannot create a ZeroMQ context"));
  auto context = std::unique_ptr<Context>(new Context(handle, options));
  if (zmq_ctx_set(handle, ZMQ_IO_THREADS, options.io_threads) != 0 ||
      zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, options.max_sockets) != 0 || zmq_ctx_set(handle, ZMQ_BLOCKY, 0) != 0) {
    return std::unexpected(error_from_errno(errno, "cannot configure the ZeroMQ context"));
  }
  return context;
}

Context::~Context() {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::thread terminator = start_thread_without_signals([&, handle = handle_] {
    while (zmq_ctx_term(handle) != 0 && zmq_errno() == EINTR) {
    }
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  });
  bool terminated = false;
  {
    std::unique_lock lock(mutex);
    terminated = changed.wait_for(lock, options_.terminate_limit, [&] { return done; });
  }
  if (!terminated) {
    std::fputs("legion: the ZeroMQ context does not terminate (a socket is still open?); leaving anyway\n", stderr);
    std::quick_exit(options_.stuck_exit_code);
  }
  terminator.join();
}

void Context::shutdown() { zmq_ctx_shutdown(handle_); }

std::string Context::unique_inproc(const char* purpose) {
  return std::string("inproc://") + purpose + "-" + std::to_string(next_inproc_.fetch_add(1));
}

}  // namespace legion::transport
