#include <legion/runtime/local_replay.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>

namespace legion {

LocalReplay::LocalReplay(Origin origin, Ledger& ledger, Inbound& inbound, DispatchPool& pool, const PolicyTable& policy,
                         const std::vector<DurableHandler>& handlers)
    : origin_(std::move(origin)),
      ledger_(ledger),
      inbound_(inbound),
      pool_(pool),
      policy_(policy),
      handlers_(handlers) {}

bool LocalReplay::has_subscriber(std::string_view agent) const {
  return std::ranges::find(handlers_, agent, &DurableHandler::agent) != handlers_.end();
}

std::vector<SubscriptionId> LocalReplay::takers(std::string_view agent, std::string_view type) const {
  std::vector<SubscriptionId> found;
  for (const DurableHandler& handler : handlers_) {
    if (handler.share && handler.share->index != 0) continue;  // one of a group is enough
    if (handler.agent == agent && handler.filter.matches(type)) found.push_back(handler.subscription);
  }
  return found;
}

/// What the gates hold may all go on to the agent, so it counts there as well.
bool LocalReplay::has_room(std::string_view type, Priority lane, const std::vector<SubscriptionId>& to) const {
  const std::vector<SubscriptionId> gates = inbound_.gates_before(type, to);
  bool has = true;
  pool_.inspect([&](const Dispatcher& dispatcher) {
    std::size_t before = 0;
    const auto look = [&](SubscriptionId subscription) {
      const AgentId agent = dispatcher.agent_of(subscription);
      const std::size_t capacity = dispatcher.capacity(agent, lane);
      const std::size_t room = dispatcher.room(agent, lane);
      has = has && room > before && room - before > capacity / 2;
    };
    for (const SubscriptionId gate : gates) {
      look(gate);
      before += dispatcher.held(dispatcher.agent_of(gate), lane);
    }
    for (const SubscriptionId subscription : to) look(subscription);
  });
  return has;
}

LocalReplay::Answer LocalReplay::offer(Now now, std::string_view agent, Event event, Priority lane) {
  const std::vector<SubscriptionId> to = takers(agent, event.type);
  if (to.empty()) {
    return {{PublishStatus::Refused, "no subscription of " + std::string(agent) + " takes " + event.type}, {}};
  }
  if (!has_room(event.type, lane, to)) {
    return {{PublishStatus::WouldBlock, "half of the mailbox is full: " + std::string(agent)}, {}};
  }
  const std::size_t bytes_max = policy_.resolve(event.type).max_bytes;
  event.type.insert(0, replay_to_prefix);
  event.priority = lane;
  const auto encoded = encode_event(event, 0, bytes_max);
  if (!encoded) {
    const bool too_big = encoded.error().code == ErrorCode::TooBig;
    return {{too_big ? PublishStatus::TooBig : PublishStatus::Invalid, encoded.error().message}, {}};
  }
  if (!std::exchange(is_known_to_ledger_, true)) ledger_.add_subscription(Filter::replays_to_agents());
  std::uint64_t& next = next_[lane_index(lane)].try_emplace(event.type, 1).first->second;
  FrameBuilder builder;
  builder.begin(origin_, lane, event.type, 0, next);
  builder.append(encoded->bytes);
  const auto frame = Frame::decode(builder.finish());
  LEGION_ASSERT(frame.has_value());
  const FrameVerdict verdict = ledger_.on_frame(now, (*frame)->header());
  if (verdict.skip > 0) {
    if (next == 1) next_[lane_index(lane)].erase(event.type);
    return {{PublishStatus::Refused, "too many streams"}, {}};
  }
  ++next;
  inbound_.offer_to(now, *frame, verdict.stream, to);
  return {{}, (*frame)->events().front().id_string()};
}

}  // namespace legion
