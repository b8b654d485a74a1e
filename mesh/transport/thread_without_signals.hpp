// Threads that never receive a signal.
#pragma once

#include <csignal>
#include <thread>
#include <utility>

namespace legion::transport {

/// Signals are for one thread of the process; all others keep them blocked.
template <class Body>
std::thread start_thread_without_signals(Body body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace legion::transport
