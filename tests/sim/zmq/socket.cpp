#include "socket.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "context.hpp"
#include "network.hpp"
#include "session.hpp"

namespace legion::sim {
namespace {

constexpr int ticks_between_looks = 100;
constexpr Duration send_look_interval = 1ms;  // as libzmq's count of processor cycles comes out

int failed(int number) {
  errno = number;
  return -1;
}

Msg monitor_head(std::uint16_t event, std::int32_t value) {
  char head[sizeof event + sizeof value];
  std::memcpy(head, &event, sizeof event);
  std::memcpy(head + sizeof event, &value, sizeof value);
  Msg msg = Msg::copy_of(head, sizeof head);
  msg.more = true;
  return msg;
}

}  // namespace

Socket::Socket(Context& context, int type) : context_(context), type_(type), fd_(Kernel::get().open_fd()) {}
Socket::~Socket() = default;

int Socket::set(int option, const void* value, std::size_t size) {
  if (context_.is_shut_down()) return failed(ETERM);
  const int error = options_.set(option, value, size);
  const int mark_max = Network::get().settings().mark_max;
  if (mark_max > 0 && (type_ == ZMQ_XPUB || type_ == ZMQ_XSUB)) {
    options_.sndhwm = std::min(options_.sndhwm, mark_max);
    options_.rcvhwm = std::min(options_.rcvhwm, mark_max);
  }
  return error == 0 ? 0 : failed(error);
}

int Socket::get(int option, void* value, std::size_t* size) {
  if (context_.is_shut_down()) return failed(ETERM);
  if (option == ZMQ_LAST_ENDPOINT) {
    if (*size <= last_endpoint_.size()) return failed(EINVAL);
    std::memcpy(value, last_endpoint_.c_str(), last_endpoint_.size() + 1);
    *size = last_endpoint_.size() + 1;
    return 0;
  }
  int answer = 0;
  if (*size < sizeof answer) return failed(EINVAL);
  switch (option) {
    case ZMQ_FD: answer = fd_; break;
    case ZMQ_TYPE: answer = type_; break;
    case ZMQ_EVENTS:
      if (!carry_out_commands(Throttle::No)) return -1;
      answer = ZMQ_POLLOUT | (has_input() ? ZMQ_POLLIN : 0);
      break;
    default: return failed(EINVAL);
  }
  std::memcpy(value, &answer, sizeof answer);
  *size = sizeof answer;
  return 0;
}

int Socket::bind(const std::string& uri) {
  if (!carry_out_commands(Throttle::No)) return -1;
  if (uri.starts_with("tcp://")) return bind_tcp(uri);
  if (!uri.starts_with("inproc://")) return failed(EPROTONOSUPPORT);
  if (!context_.inproc.emplace(uri, this).second) return failed(EADDRINUSE);
  last_endpoint_ = uri;
  return 0;
}

int Socket::bind_tcp(const std::string& uri) {
  TcpUri to;
  if (!parse_tcp(uri, to)) return failed(EINVAL);
  const auto port = Network::get().listen(*this, to);
  if (!port) return failed(port.error());
  last_endpoint_ = TcpUri{to.host == "*" ? "0.0.0.0" : to.host, *port}.text();
  bound_.push_back({last_endpoint_, *port});
  report(ZMQ_EVENT_LISTENING, context_.take_fd(), last_endpoint_);
  return 0;
}

int Socket::connect(const std::string& uri) {
  if (!carry_out_commands(Throttle::No)) return -1;
  if (uri.starts_with("inproc://")) return connect_inproc(uri);
  TcpUri to;
  if (!uri.starts_with("tcp://")) return failed(EPROTONOSUPPORT);
  if (!parse_tcp(uri, to) || to.port == 0) return failed(EINVAL);
  if (endpoints_.contains(uri)) return type_ == ZMQ_DEALER ? 0 : failed(ENOTSUP);
  Session& session = Network::get().make_session(*this, uri);
  Pipe& pipe = make_pipe(session);
  session.own_pipe(pipe);
  endpoints_.emplace(uri, Endpoint{session.id(), &pipe});
  last_endpoint_ = uri;
  on_attach(pipe);
  session.dial();
  return 0;
}

int Socket::connect_inproc(const std::string& uri) {
  const auto found = context_.inproc.find(uri);
  if (found == context_.inproc.end() || found->second->monitor_address_ != uri) return failed(ECONNREFUSED);
  watched_ = found->second;
  watched_->monitor_ = this;
  for (Msg& part : watched_->unreported_) put(std::move(part));
  watched_->unreported_.clear();
  return 0;
}

int Socket::disconnect(const std::string& uri) {
  if (!carry_out_commands(Throttle::No)) return -1;
  const auto found = endpoints_.find(uri);
  if (found == endpoints_.end()) return failed(ENOENT);
  const Endpoint endpoint = found->second;
  endpoints_.erase(found);
  // What was received and not read goes with the pipe.
  if (Session* session = Network::get().session(endpoint.session)) session->leave(options_.linger_ms);
  if (endpoint.pipe != nullptr) drop(*endpoint.pipe);
  return 0;
}

int Socket::send(Msg& msg, int flags) {
  if (!carry_out_commands(Throttle::Yes)) return -1;
  const int bytes = static_cast<int>(msg.size());
  msg.more = (flags & ZMQ_SNDMORE) != 0;
  const int error = do_send(msg);
  return error == 0 ? bytes : failed(error);
}

int Socket::receive(Msg& into, int) {
  if (context_.is_shut_down()) return carry_out_commands(Throttle::No) ? 0 : -1;
  if (++ticks_ == ticks_between_looks) {
    carry_out_commands(Throttle::No);
    ticks_ = 0;
  }
  if (do_receive(into) == 0) return static_cast<int>(into.size());
  ticks_ = 0;
  if (!carry_out_commands(Throttle::No)) return -1;
  const int error = do_receive(into);
  return error == 0 ? static_cast<int>(into.size()) : failed(error);
}

int Socket::watch(const char* address) {
  if (!monitor_address_.empty()) context_.inproc.erase(monitor_address_);
  if (monitor_ != nullptr) monitor_->watched_ = nullptr;
  monitor_ = nullptr;
  unreported_.clear();
  monitor_address_ = address == nullptr ? "" : address;
  if (address != nullptr) context_.inproc[monitor_address_] = this;
  return 0;
}

void Socket::report(std::uint16_t event, std::int32_t value, const std::string& endpoint) {
  auto& kernel = Kernel::get();
  if (kernel.traced()) {
    kernel.trace(context_.name(), "zmq " + std::to_string(event) + " " + std::to_string(value) + " " + endpoint);
  }
  if (monitor_address_.empty()) return;
  Msg head = monitor_head(event, value);
  Msg text = Msg::copy_of(endpoint);
  if (monitor_ == nullptr) {
    unreported_.push_back(std::move(head));
    unreported_.push_back(std::move(text));
    return;
  }
  monitor_->put(std::move(head));
  monitor_->put(std::move(text));
}

void Socket::put(Msg part) {
  const bool was_empty = inbox_.empty();
  inbox_.push_back(std::move(part));
  if (was_empty) wake();
}

void Socket::wake() {
  if (!std::exchange(signalled_, true)) Kernel::get().set_readable(fd_, true);
}

void Socket::post_command(Posted posted) {
  mailbox_.push_back(posted);
  wake();
}

bool Socket::carry_out_commands(Throttle throttle) {
  if (throttle == Throttle::Yes) {
    const SteadyTime now = Kernel::get().now();
    if (now - last_look_ <= send_look_interval && !context_.is_shut_down()) return true;
    last_look_ = now;
  }
  if (std::exchange(signalled_, false)) Kernel::get().set_readable(fd_, false);
  if (context_.is_shut_down()) {
    errno = ETERM;
    return false;
  }
  while (!mailbox_.empty()) {
    std::swap(in_hand_, mailbox_);
    for (std::size_t i = 0; i < in_hand_.size(); ++i) {
      if (in_hand_[i].command == Command::End) {
        if (Session* session = Network::get().session(in_hand_[i].session)) session->end();
      } else if (in_hand_[i].pipe != nullptr) {
        carry_out(in_hand_[i]);
      }
    }
    in_hand_.clear();
    if (std::exchange(signalled_, false)) Kernel::get().set_readable(fd_, false);
  }
  return true;
}

void Socket::carry_out(const Posted& posted) {
  Pipe& pipe = *posted.pipe;
  switch (posted.command) {
    case Command::Attach: on_attach(pipe); break;
    case Command::ActivateRead:
      pipe.on_read_activated();
      on_read_activated(pipe);
      break;
    case Command::ActivateWrite:
      if (pipe.on_write_activated()) on_write_activated(pipe);
      break;
    case Command::Hiccup:
      pipe.on_hiccup();
      if (!pipe.is_terminated()) on_hiccup(pipe);
      break;
    case Command::Terminated:
      if (pipe.on_terminated()) drop(pipe);
      break;
    case Command::Finished: drop(pipe); break;
    case Command::End: break;  // has no pipe
  }
}

Pipe& Socket::make_pipe(Session& session) {
  pipes_.push_back(std::make_unique<Pipe>(*this, session, Pipe::Marks{options_.sndhwm, options_.rcvhwm}));
  return *pipes_.back();
}

void Socket::drop(Pipe& pipe) {
  on_gone(pipe);
  for (auto* commands : {&mailbox_, &in_hand_}) {
    for (Posted& posted : *commands) {
      if (posted.pipe == &pipe) posted.pipe = nullptr;
    }
  }
  for (auto& [uri, endpoint] : endpoints_) {
    if (endpoint.pipe == &pipe) endpoint.pipe = nullptr;
  }
  Network::get().count_lost(pipe.out);
  std::erase_if(pipes_, [&](const auto& owned) { return owned.get() == &pipe; });
}

void Socket::end(Ending ending) {
  if (!monitor_address_.empty()) watch(nullptr);
  if (watched_ != nullptr) watched_->monitor_ = nullptr;
  std::erase_if(context_.inproc, [&](const auto& entry) { return entry.second == this; });
  for (const Bound& bound : bound_) Network::get().unlisten(*this, bound.port);
  for (const auto& pipe : pipes_) {
    if (pipe->session == nullptr) continue;
    if (ending == Ending::Closed) {
      pipe->session->close(options_.linger_ms);
    } else {
      pipe->session->die();
    }
  }
  Network::get().forget(*this, ending);
  Kernel::get().close_fd(fd_);
}

}  // namespace legion::sim
