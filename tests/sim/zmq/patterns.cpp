#include "patterns.hpp"

#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "context.hpp"
#include "network.hpp"

namespace legion::sim {

void FairQueue::swap(std::size_t a, std::size_t b) {
  std::swap(pipes_[a], pipes_[b]);
  pipes_[a]->place = a;
  pipes_[b]->place = b;
}

void FairQueue::attach(Pipe& pipe) {
  pipe.place = pipes_.size();
  pipes_.push_back(&pipe);
  activated(pipe);
}

void FairQueue::activated(Pipe& pipe) {
  if (pipe.place < active_) return;
  swap(pipe.place, active_);
  ++active_;
}

void FairQueue::remove(Pipe& pipe) {
  if (pipe.place >= pipes_.size() || pipes_[pipe.place] != &pipe) return;
  if (pipe.place < active_) {
    swap(pipe.place, --active_);
    if (current_ == active_) current_ = 0;
  }
  swap(pipe.place, pipes_.size() - 1);
  pipes_.pop_back();
}

bool FairQueue::receive(Msg& into, Pipe** from) {
  while (active_ > 0) {
    Pipe& pipe = *pipes_[current_];
    if (pipe.read(into)) {
      if (from != nullptr) *from = &pipe;
      more_ = into.more;
      if (!more_) current_ = (current_ + 1) % active_;
      return true;
    }
    swap(current_, --active_);
    if (current_ == active_) current_ = 0;
  }
  return false;
}

bool FairQueue::has_input() const {
  return std::any_of(pipes_.begin(), pipes_.begin() + static_cast<std::ptrdiff_t>(active_),
                     [](const Pipe* pipe) { return !pipe->in.empty(); });
}

Router::Router(Context& context)
    : Socket(context, ZMQ_ROUTER), next_id_(static_cast<std::uint32_t>(Kernel::get().rng().next())) {}

void Router::on_attach(Pipe& pipe) {
  const std::uint32_t number = next_id_++;
  pipe.routing_id = {'\0', static_cast<char>(number >> 24), static_cast<char>(number >> 16),
                     static_cast<char>(number >> 8), static_cast<char>(number)};
  peers_[pipe.routing_id] = &pipe;
  queue_.attach(pipe);
}

void Router::on_gone(Pipe& pipe) {
  peers_.erase(pipe.routing_id);
  queue_.remove(pipe);
  if (sending_to_ == &pipe) sending_to_ = nullptr;
}

// The first part says to whom, and decides about the whole message.
int Router::do_send(Msg& msg) {
  if (more_sent_) {
    more_sent_ = msg.more;
    Pipe* to = msg.more ? sending_to_ : std::exchange(sending_to_, nullptr);
    if (to == nullptr) return 0;
    if (!to->write(std::move(msg))) sending_to_ = nullptr;
    return 0;
  }
  if (!msg.more) return 0;
  const auto found = peers_.find(msg.text());
  sending_to_ = found == peers_.end() ? nullptr : found->second;
  const bool mandatory = options_.router_mandatory != 0;
  if (sending_to_ == nullptr && mandatory) return EHOSTUNREACH;
  if (sending_to_ != nullptr && !sending_to_->can_write()) {
    const bool full = !std::exchange(sending_to_, nullptr)->below_mark();
    if (mandatory) {
      Network::get().count().refused_full += full ? 1 : 0;
      return full ? EAGAIN : EHOSTUNREACH;
    }
  }
  more_sent_ = true;
  return 0;
}

int Router::do_receive(Msg& into) {
  if (std::exchange(prefetched_, false)) {
    into = std::move(prefetch_);
    more_taken_ = into.more;
    return 0;
  }
  Pipe* from = nullptr;
  if (!queue_.receive(into, &from)) return EAGAIN;
  if (more_taken_) {
    more_taken_ = into.more;
    return 0;
  }
  prefetch_ = std::move(into);
  prefetched_ = true;
  into = Msg::copy_of(from->routing_id);
  into.more = true;
  return 0;
}

Dealer::Dealer(Context& context) : Socket(context, ZMQ_DEALER) {}

void Dealer::on_attach(Pipe& pipe) {
  queue_.attach(pipe);
  peers_.push_back(&pipe);
}

void Dealer::on_gone(Pipe& pipe) {
  queue_.remove(pipe);
  std::erase(peers_, &pipe);
  if (sending_to_ == &pipe) sending_to_ = nullptr;
}

int Dealer::do_send(Msg& msg) {
  for (std::size_t tried = 0; sending_to_ == nullptr && tried < peers_.size(); ++tried) {
    Pipe* pipe = peers_[next_++ % peers_.size()];
    if (pipe->can_write()) sending_to_ = pipe;
  }
  if (sending_to_ == nullptr) {
    ++Network::get().count().refused_full;
    return EAGAIN;
  }
  const bool more = msg.more;
  sending_to_->write(std::move(msg));
  if (!more) sending_to_ = nullptr;
  return 0;
}

int Dealer::do_receive(Msg& into) { return queue_.receive(into, nullptr) ? 0 : EAGAIN; }

Pair::Pair(Context& context) : Socket(context, ZMQ_PAIR) {}
int Pair::do_send(Msg&) { return EAGAIN; }
int Pair::do_receive(Msg& into) {
  if (inbox_.empty()) return EAGAIN;
  into = inbox_.pop_front();
  return 0;
}

Rep::Rep(Context& context) : Socket(context, ZMQ_REP) {}

int Rep::do_receive(Msg& into) {
  if (inbox_.empty()) return EAGAIN;
  into = inbox_.pop_front();
  return 0;
}

// Version, request id (the session's), status, text, user, metadata.
int Rep::do_send(Msg& msg) {
  answer_.emplace_back(msg.text());
  if (msg.more) return 0;
  const auto answer = std::exchange(answer_, {});
  std::uint64_t session = 0;
  int status = 0;
  if (answer.size() < 3) return 0;
  std::from_chars(answer[1].data(), answer[1].data() + answer[1].size(), session);
  std::from_chars(answer[2].data(), answer[2].data() + answer[2].size(), status);
  Kernel::get().after(Network::get().settings().io_delay, [session, status] {
    Session* asking = Network::get().session(session);
    if (asking == nullptr) return;
    asking->context().run_or_defer([session, status] {
      if (Session* still = Network::get().session(session)) still->on_zap_status(status);
    });
  });
  return 0;
}

std::unique_ptr<Socket> Socket::make(Context& context, int type) {
  switch (type) {
    case ZMQ_XPUB: return std::make_unique<Xpub>(context);
    case ZMQ_XSUB: return std::make_unique<Xsub>(context);
    case ZMQ_ROUTER: return std::make_unique<Router>(context);
    case ZMQ_DEALER: return std::make_unique<Dealer>(context);
    case ZMQ_PAIR: return std::make_unique<Pair>(context);
    case ZMQ_REP: return std::make_unique<Rep>(context);
    default: return nullptr;
  }
}

}  // namespace legion::sim
