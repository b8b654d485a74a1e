#include "streams_world.hpp"

#include <algorithm>

namespace legion::streams_kit {

namespace {

constexpr std::array<std::string_view, 6> filters{"*", "t.", "t.a", "u.", "u.b", "t.c"};
constexpr std::array<std::string_view, 6> types{"t.a", "t.b", "t.c", "u.a", "u.b", "~record"};

std::string_view text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

StreamsWorld::StreamsWorld(std::uint64_t seed) : rng_(seed), capacity_(2 + rng_.below(30)) {
  egress_.emplace(Origin{"far", incarnation_}, Egress::Config{});
  const std::size_t count = 1 + rng_.below(3);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = "r" + std::to_string(i);
    receivers_.push_back(std::make_unique<Receiver>(
        Receiver{name, Ledger(name, Origin{name, 1}, rng_.next()), {}, {}, {}}));
    add_subscription(*receivers_.back());
  }
}

void StreamsWorld::step() {
  time_ += 20ms;
  Receiver& receiver = *receivers_[rng_.below(receivers_.size())];
  const Priority lane = lanes[rng_.below(2)];
  const std::uint64_t what = rng_.below(1000);
  if (what < 600) publish();
  else if (what < 610) disconnect(receiver, lane);
  else if (what < 680) reconnect(receiver, lane);
  else if (what < 700) add_subscription(receiver);
  else if (what < 705) remove_subscription(receiver);
  else if (what < 707) restart();
  else if (what < 720) begin_sync(receiver, lane);

  std::vector<OutFrame> markers;
  egress_->on_tick(at(time_), markers);
  send(std::move(markers), nullptr);
  for (const auto& r : receivers_) {
    for (const Priority l : lanes) {
      if (rng_.chance(0.6)) move_up(*r, l);
      if (rng_.chance(0.8)) for (int n = 0; n < 4; ++n) move_down(*r, l);
    }
    for (const auto& due : r->ledger.overdue_syncs(at(time_), 2s)) begin_sync(*r, due.lane);
    unsubscribe_retired(*r);
  }
}

void StreamsWorld::settle() {
  capacity_ = SIZE_MAX;
  for (const auto& r : receivers_) {
    for (const Priority lane : lanes) {
      reconnect(*r, lane);
      begin_sync(*r, lane);
    }
  }
  const auto drain = [&] {
    for (const auto& r : receivers_) {
      for (const Priority lane : lanes) {
        while (!link(*r, lane).up.empty()) move_up(*r, lane);
        while (!link(*r, lane).down.empty()) move_down(*r, lane);
      }
      unsubscribe_retired(*r);
    }
  };
  drain();
  for (int i = 0; i < 20; ++i) publish();
  // The very last events of every stream are lost, and only markers can tell.
  capacity_ = 1 + rng_.below(3);
  for (int i = 0; i < 20; ++i) publish();
  capacity_ = SIZE_MAX;
  drain();
  for (const Duration end = time_ + 125s; time_ < end; time_ += 1s) {
    std::vector<OutFrame> markers;
    egress_->on_tick(at(time_), markers);
    send(std::move(markers), nullptr);
    drain();
  }
}

void StreamsWorld::publish() {
  const Priority lane = lanes[rng_.below(2)];
  std::vector<EncodedEvent> events;
  for (std::uint64_t n = 1 + rng_.below(6); n > 0; --n) {
    events.push_back(event(std::string(types[rng_.below(types.size())]), rng_.chance(0.005) ? 33'000 : 20,
                           static_cast<std::uint8_t>(rng_.below(2))));
  }
  std::vector<OutFrame> out;
  streams_kit::pack(*egress_, at(time_), lane, events, out, nullptr);
  send(std::move(out), nullptr);
}

void StreamsWorld::restart() {
  const Origin old = egress_->origin();
  for (const auto& r : receivers_) {
    for (const Priority lane : lanes) {
      disconnect(*r, lane);
      r->ledger.on_foreign_tails(old, lane, egress_->tails(lane));
    }
    if (rng_.chance(0.5)) r->ledger.on_origin_dead(at(time_), old);
    if (rng_.chance(0.5)) r->ledger.on_origin_incarnation(at(time_), {"far", incarnation_ + 1});
  }
  ended_.merge(Tails(*tails_now()));
  egress_.emplace(Origin{"far", ++incarnation_}, Egress::Config{});
}

void StreamsWorld::add_subscription(Receiver& receiver) {
  if (receiver.subscriptions.size() >= 6) return;
  const Filter wanted = filter(filters[rng_.below(filters.size())]);
  receiver.ledger.add_subscription(wanted);
  receiver.subscriptions.push_back({wanted, false, 0, {}, {}});
  for (const Priority lane : lanes) {
    Link& l = link(receiver, lane);
    l.wanted.insert(wanted.zmq_prefix());
    if (l.connected) l.up.push_back({true, wanted.zmq_prefix()});
    if (rng_.chance(0.5)) begin_sync(receiver, lane);  // else it waits for a sync that comes for another reason
  }
}

void StreamsWorld::remove_subscription(Receiver& receiver) {
  const std::size_t index = rng_.below(receiver.subscriptions.size());
  receiver.subscriptions[index].removed = true;
  receiver.ledger.remove_subscription(static_cast<LedgerSubscription>(index));
}

void StreamsWorld::disconnect(Receiver& receiver, Priority lane) {
  Link& l = link(receiver, lane);
  for (const Down& down : l.down) note_dropped(receiver, *down.frame);
  l.down.clear();
  l.up.clear();
  l.in_force.clear();
  l.connected = false;
}

void StreamsWorld::reconnect(Receiver& receiver, Priority lane) {
  Link& l = link(receiver, lane);
  if (l.connected) return;
  l.connected = true;
  for (const std::string& prefix : l.wanted) l.up.push_back({true, prefix});  // in byte order, as ZeroMQ does
  if (rng_.chance(0.8)) begin_sync(receiver, lane);
}

void StreamsWorld::begin_sync(Receiver& receiver, Priority lane) {
  Link& l = link(receiver, lane);
  const SyncTopic topic = receiver.ledger.begin_sync(at(time_), "far", lane);
  l.covers[topic.nonce] = receiver.subscriptions.size();
  l.wanted.insert(topic.to_string() + '\0');
  if (l.connected) l.up.push_back({true, topic.to_string() + '\0'});
  unsubscribe_retired(receiver);
}

void StreamsWorld::unsubscribe_retired(Receiver& receiver) {
  for (const auto& [lane, topic] : receiver.ledger.retired_topics()) {
    Link& l = link(receiver, lane);
    l.wanted.erase(topic.to_string() + '\0');
    if (l.connected) l.up.push_back({false, topic.to_string() + '\0'});
  }
}

void StreamsWorld::send(std::vector<OutFrame> frames, std::shared_ptr<const Tails> tails) {
  for (OutFrame& sent : frames) {
    const auto part = std::make_shared<const OutFrame>(std::move(sent));
    const OutFrame& frame = *part;
    for (const auto& r : receivers_) {
      Link& l = link(*r, frame.lane);
      const bool subscribed = std::ranges::any_of(
          l.in_force, [&](const std::string& prefix) { return text_of(frame.bytes).starts_with(prefix); });
      if (l.connected && subscribed && l.down.size() < capacity_) l.down.push_back({part, tails});
      else note_dropped(*r, frame);
    }
  }
}

void StreamsWorld::note_dropped(Receiver& receiver, const OutFrame& frame) {
  if (frame.kind != OutFrame::Kind::Data) return;
  const FrameHeader h = decode_frame_header(frame.bytes).value();
  receiver.dropped[{h.incarnation, h.lane, std::string(h.type), h.shard}].emplace_back(
      h.first_sequence, h.first_sequence + h.event_count);
}

void StreamsWorld::move_up(Receiver& receiver, Priority lane) {
  Link& l = link(receiver, lane);
  if (l.up.empty()) return;
  const Up up = l.up.front();
  l.up.pop_front();
  if (!up.subscribe) {
    l.in_force.erase(up.prefix);
    return;
  }
  if (!l.in_force.insert(up.prefix).second || !up.prefix.starts_with("~sync.")) return;
  std::vector<OutFrame> echo;
  egress_->answer_sync(SyncTopic::parse(up.prefix.substr(0, up.prefix.size() - 1)).value(), lane, echo);
  send(std::move(echo), tails_now());
}

void StreamsWorld::move_down(Receiver& receiver, Priority lane) {
  Link& l = link(receiver, lane);
  if (l.down.empty()) return;
  const Down down = std::move(l.down.front());
  l.down.pop_front();
  receive(receiver, lane, down);
  if (rng_.chance(0.03)) receive(receiver, lane, down);  // connected twice
}

void StreamsWorld::receive(Receiver& receiver, Priority lane, const Down& down) {
  if (down.frame->kind != OutFrame::Kind::Sync) {
    const FrameHeader header = decode_frame_header(down.frame->bytes).value();
    deliver(receiver, header, receiver.ledger.on_frame(at(time_), header));
    return;
  }
  const ReceivedSyncPart part = decode_sync_part(down.frame->bytes).value();
  if (!receiver.ledger.on_sync_part(at(time_), lane, part)) return;
  const std::size_t covers = link(receiver, lane).covers.at(part.topic.nonce);
  for (std::size_t s = 0; s < covers; ++s) {
    if (receiver.subscriptions[s].removed) continue;
    receiver.subscriptions[s].baseline.emplace(std::pair(part.part.origin.incarnation, lane), down.tails);
  }
}

void StreamsWorld::deliver(Receiver& receiver, const FrameHeader& header, const FrameVerdict& verdict) {
  const StreamName stream{header.incarnation, header.lane, std::string(header.type), header.shard};
  const std::uint64_t end = header.first_sequence + header.event_count;
  for (std::uint64_t seq = header.first_sequence + verdict.skip; seq < end; ++seq) {
    for (const LedgerRoute& route : *verdict.routes) {
      Subscription& s = receiver.subscriptions[route.subscription];
      if (!s.filter.matches(header.type) || s.removed) out_of_order_ = "delivered to the wrong subscription";
      if (seq <= s.last[stream]) out_of_order_ = "delivered twice or out of order: " + std::get<2>(stream);
      s.last[stream] = seq;
      if (seq >= route.booked_from) ++s.received;
    }
  }
}

std::shared_ptr<const StreamsWorld::Tails> StreamsWorld::tails_now() const {
  auto out = std::make_shared<Tails>();
  for (const Priority lane : lanes) {
    for (const Tail& tail : egress_->tails(lane)) {
      (*out)[{incarnation_, lane, tail.type, tail.shard}] = tail.next_sequence;
    }
  }
  return out;
}

std::string StreamsWorld::disagreement() const {
  if (!out_of_order_.empty()) return out_of_order_;
  for (const auto& r : receivers_) {
    for (std::size_t s = 0; s < r->subscriptions.size(); ++s) {
      if (std::string text = disagreement(*r, s); !text.empty()) return text;
    }
  }
  return {};
}

std::string StreamsWorld::disagreement(const Receiver& receiver, std::size_t index) const {
  const Subscription& s = receiver.subscriptions[index];
  const Books books = receiver.ledger.books(static_cast<LedgerSubscription>(index));
  const std::uint64_t lost = books.lost_total();
  const std::string who = receiver.name + " #" + std::to_string(index) + " " + s.filter.text() + ": ";
  const std::string said = " (published " + std::to_string(books.published) + ", received " +
                           std::to_string(s.received) + ", lost " + std::to_string(lost) + ")";
  std::vector<Books> all;
  receiver.ledger.all_books(all);
  if (all[index] != books) return who + "books() and all_books() differ" + said;
  if (books.published != s.received + lost) return who + "the books do not balance" + said;
  if (s.removed) return {};

  Tails ends = ended_;
  ends.merge(Tails(*tails_now()));
  std::uint64_t published = 0, dropped = 0;
  for (const auto& [stream, end] : ends) {
    const auto baseline = s.baseline.find({std::get<0>(stream), std::get<1>(stream)});
    if (baseline == s.baseline.end() || !s.filter.matches(std::get<2>(stream))) continue;
    const auto stated = baseline->second->find(stream);
    const std::uint64_t from = stated == baseline->second->end() ? 1 : stated->second;
    published += end - from;
    const auto runs = receiver.dropped.find(stream);
    if (runs == receiver.dropped.end()) continue;
    for (const auto& [first, run_end] : runs->second) dropped += run_end - std::min(run_end, std::max(first, from));
  }
  if (published != books.published) return who + std::to_string(published) + " were published" + said;
  if (dropped != lost) return who + std::to_string(dropped) + " were dropped" + said;
  return {};
}

std::uint64_t StreamsWorld::lost_in_total() const {
  std::uint64_t sum = 0;
  for (const auto& r : receivers_) {
    for (std::size_t s = 0; s < r->subscriptions.size(); ++s) {
      sum += r->ledger.books(static_cast<LedgerSubscription>(s)).lost_total();
    }
  }
  return sum;
}

std::uint64_t StreamsWorld::received_in_total() const {
  std::uint64_t sum = 0;
  for (const auto& r : receivers_) {
    for (const Subscription& s : r->subscriptions) sum += s.received;
  }
  return sum;
}

}  // namespace legion::streams_kit
