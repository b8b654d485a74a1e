#include "context.hpp"

#include <algorithm>
#include <utility>

#include "network.hpp"

namespace legion::sim {
namespace {

constexpr Duration resume_look_interval = 5ms;

}  // namespace

Context::Context(Host& where, Process* process)
    : host(&where), process_(process), name_(process == nullptr ? "nobody" : process->name) {
  if (process_ == nullptr) return;
  process_->on_death = [this, before = std::move(process_->on_death)] {
    if (before) before();
    die();
  };
}

Socket* Context::open(int type) {
  auto socket = Socket::make(*this, type);
  if (!socket) return nullptr;
  sockets_.push_back(std::move(socket));
  return sockets_.back().get();
}

void Context::close(Socket& socket) {
  socket.end(Socket::Ending::Closed);
  std::erase_if(sockets_, [&](const auto& owned) { return owned.get() == &socket; });
}

void Context::shut_down() {
  shut_down_ = true;
  for (const auto& socket : sockets_) socket->wake();
}

bool Context::is_empty() const { return sockets_.empty() && !Network::get().has_sessions(*this); }

void Context::die() {
  for (const auto& socket : sockets_) socket->end(Socket::Ending::ProcessDied);
  sockets_.clear();
  Network::get().end_sessions(*this);
  inproc.clear();
  deferred_.clear();
  busy_.clear();
  process_ = nullptr;
}

int Context::take_fd() {
  if (free_fds_.empty()) return next_fd_++;
  const int lowest = free_fds_.top();
  free_fds_.pop();
  return lowest;
}

void Context::wake(Session& session) {
  if (std::exchange(session.busy_, true)) return;
  busy_.push_back(session.id());
  if (std::exchange(io_due_, true)) return;
  Kernel::get().after(Network::get().settings().io_delay, [this] { io_turn(); });
}

void Context::io_turn() {
  if (!is_running()) return wait_for_resume();
  io_due_ = false;
  const auto busy = std::exchange(busy_, {});
  for (const std::uint64_t id : busy) {
    Session* session = Network::get().session(id);
    if (session == nullptr) continue;
    session->busy_ = false;
    session->turn();
  }
}

void Context::run_or_defer(std::function<void()> call) {
  if (is_running()) return call();
  deferred_.push_back(std::move(call));
  wait_for_resume();
}

void Context::wait_for_resume() {
  if (std::exchange(resume_watched_, true)) return;
  Kernel::get().after(resume_look_interval, [this] { on_resume(); });
}

void Context::on_resume() {
  resume_watched_ = false;
  if (!is_running()) return wait_for_resume();
  for (const auto& call : std::exchange(deferred_, {})) call();
  if (io_due_) io_turn();
}

}  // namespace legion::sim
