#include <legion/transport/context.hpp>

#include <zmq.h>

#include <cstdio>
#include <cstdlib>
#include <future>

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
  std::promise<void> done;
  std::future<void> terminated = done.get_future();
  std::thread terminator = start_thread_without_signals([handle = handle_, &done] {
    while (zmq_ctx_term(handle) != 0 && zmq_errno() == EINTR) {
    }
    done.set_value();
  });
  if (terminated.wait_for(options_.terminate_limit) != std::future_status::ready) {
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
