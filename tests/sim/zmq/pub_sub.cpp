#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "network.hpp"
#include "patterns.hpp"

namespace legion::sim {

Xpub::Xpub(Context& context) : Socket(context, ZMQ_XPUB) {}

// The pipes that match are found with the first part of a message and get the others too. A pipe that was found full
// does not match until its reader has made room.
int Xpub::do_send(Msg& msg) {
  Network& network = Network::get();
  NetworkFigures& figures = network.count();
  std::uint64_t full = 0;
  std::vector<const Pipe*> passed_over;  // of a first part that somebody watches
  const bool is_watched = !more_sent_ && network.is_published_watched();
  const auto tell = [&](const Pipe& pipe, Published what) {
    if (is_watched) network.tell_published(pipe, msg.text(), what);
  };
  if (!more_sent_) {
    matching_.clear();
    ++sends_;
    topics_.match(msg.text(), [&](Pipe& pipe) {
      if (std::exchange(pipe.matched, sends_) == sends_) return;
      if (pipe.eligible) {
        matching_.push_back(&pipe);
      } else {
        ++full;
        if (is_watched) passed_over.push_back(&pipe);
      }
    });
  }
  if (options_.xpub_nodrop != 0 && !std::ranges::all_of(matching_, [](Pipe* pipe) { return pipe->below_mark(); })) {
    ++figures.refused_full;
    return EAGAIN;
  }
  more_sent_ = msg.more;
  for (const Pipe* pipe : passed_over) tell(*pipe, Published::DroppedFull);
  std::erase_if(matching_, [&](Pipe* pipe) {
    const bool fits = pipe->write(msg.share());
    tell(*pipe, fits ? Published::Queued : Published::DroppedFull);
    if (fits) return false;
    pipe->eligible = false;
    ++full;
    return true;
  });
  figures.dropped_full += full;
  return 0;
}

int Xpub::do_receive(Msg& into) {
  if (inbox_.empty()) return EAGAIN;
  into = inbox_.pop_front();
  return 0;
}

void Xpub::on_attach(Pipe& pipe) { on_read_activated(pipe); }

void Xpub::on_read_activated(Pipe& pipe) {
  Msg msg;
  while (pipe.read(msg)) take_upstream(std::move(msg), pipe);
}

void Xpub::take_upstream(Msg msg, Pipe& pipe) {
  const bool first = !std::exchange(more_taken_, msg.more);
  const std::string_view text = msg.text();
  const bool looks_like_one =
      (first || takes_subscriptions_) && !text.empty() && (text.front() == '\0' || text.front() == '\1');
  if (first) takes_subscriptions_ = options_.only_first_subscribe == 0 || looks_like_one;
  if (!takes_subscriptions_ || !looks_like_one) {
    inbox_.push_back(std::move(msg));
    return;
  }
  const std::string_view topic = text.substr(1);
  if (text.front() == '\1') {
    const bool first_one = topics_.add(topic, pipe);
    pipe.topics.emplace(topic);
    if (first_one) tell('\1', topic, msg.source);
  } else {
    pipe.topics.erase(std::string(topic));
    if (topics_.remove(topic, pipe) != Topics::Removed::OthersRemain) tell('\0', topic, msg.source);
  }
}

void Xpub::tell(char command, std::string_view topic, int source) {
  std::string text(1, command);
  text += topic;
  Msg news = Msg::copy_of(text);
  news.source = source;
  inbox_.push_back(std::move(news));
}

void Xpub::on_gone(Pipe& pipe) {
  for (const std::string& topic : pipe.topics) {
    if (topics_.remove(topic, pipe) == Topics::Removed::LastOne) tell('\0', topic, -1);
  }
  std::erase(matching_, &pipe);
}

Xsub::Xsub(Context& context) : Socket(context, ZMQ_XSUB) {}

int Xsub::do_send(Msg& msg) {
  const bool first = !std::exchange(more_sent_, msg.more);
  const std::string_view text = msg.text();
  if ((first || options_.only_first_subscribe == 0) && !text.empty()) {
    const std::string_view topic = text.substr(1);
    if (text.front() == '\1') ++subscriptions_[std::string(topic)];
    if (text.front() == '\0') {
      const auto found = subscriptions_.find(topic);
      if (found == subscriptions_.end() || --found->second > 0) return 0;
      subscriptions_.erase(found);
    }
  }
  send_to_all(msg);
  return 0;
}

void Xsub::send_to_all(const Msg& msg) {
  for (Pipe* pipe : peers_) {
    if (pipe->eligible && !pipe->write(msg.share())) pipe->eligible = false;
  }
}

int Xsub::do_receive(Msg& into) { return queue_.receive(into, nullptr) ? 0 : EAGAIN; }

void Xsub::on_attach(Pipe& pipe) {
  queue_.attach(pipe);
  peers_.push_back(&pipe);
  subscribe_at(pipe);
}

void Xsub::on_gone(Pipe& pipe) {
  queue_.remove(pipe);
  std::erase(peers_, &pipe);
}

void Xsub::subscribe_at(Pipe& pipe) {
  pipe.eligible = true;
  for (const auto& [topic, count] : subscriptions_) {
    if (!pipe.write(Msg::copy_of('\1' + topic))) return;  // as libzmq: what finds no room is forgotten
  }
}

}  // namespace legion::sim
