#include <legion/runtime/intake.hpp>

#include <bit>

namespace legion {

std::string_view to_string(PublishStatus status) {
  switch (status) {
    case PublishStatus::Queued: return "queued";
    case PublishStatus::WouldBlock: return "would_block";
    case PublishStatus::TooBig: return "too_big";
    case PublishStatus::Invalid: return "invalid";
    case PublishStatus::Refused: return "refused";
    case PublishStatus::Closed: return "closed";
  }
  LEGION_UNREACHABLE();
}

Intake::Intake(std::string node, PolicyTable policy, const Capacity& capacity, std::function<void()> wake)
    : node_(std::move(node)), policy_(std::move(policy)), capacity_(capacity), wake_(std::move(wake)) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    capacity_[i] = std::bit_ceil(std::max<std::size_t>(capacity[i], 2));
    lanes_[i] = std::make_unique<BoundedRing<Pending>>(capacity_[i]);
  }
}

PublishResult Intake::publish(Event event, std::string_view source, Publisher publisher,
                              PublishOptions::PriorityFrom priority, OnNumbered on_numbered, WallTime now) {
  auto result = check_and_queue(std::move(event), source, publisher, priority, std::move(on_numbered), now);
  answered_[static_cast<std::size_t>(result.status)].fetch_add(1, std::memory_order_relaxed);
  return result;
}

PublishResult Intake::check_and_queue(Event event, std::string_view source, Publisher publisher,
                                      PublishOptions::PriorityFrom priority, OnNumbered on_numbered, WallTime now) {
  if (publisher != Publisher::Node) {
    const bool outside = publisher == Publisher::Control || publisher == Publisher::Local;
    const bool shut = closed_.load(std::memory_order_acquire) ||
                      (outside && outside_closed_.load(std::memory_order_acquire));
    if (shut) return {PublishStatus::Closed, "the node is shutting down"};
    if (is_reserved(event.type)) return {PublishStatus::Refused, "type: names beginning with ! or ~ are reserved"};
  }
  event.type = canonical_type(event.type);
  if (event.type == "agent.heartbeat" && publisher != Publisher::Node) {
    return {PublishStatus::Refused, "type: agent.heartbeat is published by nodes only"};
  }
  const TopicPolicy policy = policy_.resolve(event.type);
  if (publisher == Publisher::Local && policy.durability == Durability::Confirmed && policy.spools > 0) {
    return {PublishStatus::Refused, "type: confirmed types cannot be published over the local pair"};
  }
  if (event.source.empty()) event.source = node_ + "/" + std::string(source);
  if (event.time.ns == 0) event.time = now;
  if (priority == PublishOptions::PriorityFrom::Policy) event.priority = policy.priority;
  if (!event.expires_at && policy.ttl) event.expires_at = event.time + *policy.ttl;

  const std::uint8_t shard = shard_of(event.key, event.source, policy.shards);
  auto encoded = encode_event(event, shard, policy.max_bytes);
  if (!encoded) {
    const bool too_big = encoded.error().code == ErrorCode::TooBig;
    return {too_big ? PublishStatus::TooBig : PublishStatus::Invalid, encoded.error().message};
  }
  auto& lane = *lanes_[lane_index(encoded->lane)];
  const Priority lane_name = encoded->lane;
  const std::size_t capacity = capacity_[lane_index(lane_name)];
  const std::size_t room = publisher == Publisher::Node ? capacity : capacity - capacity / 16;
  if (lane.size() >= room || !lane.try_push(Pending{std::move(*encoded), std::move(on_numbered)})) {
    return {PublishStatus::WouldBlock, "the " + std::string(to_string(lane_name)) + " lane's queue is full"};
  }
  wake_();
  return {};
}

std::size_t Intake::take(Priority lane, std::size_t max, std::vector<EncodedEvent>& events,
                         std::vector<OnNumbered>& callbacks) {
  auto& ring = *lanes_[lane_index(lane)];
  std::size_t taken = 0;
  while (taken < max) {
    auto pending = ring.try_pop();
    if (!pending) break;
    events.push_back(std::move(pending->event));
    callbacks.push_back(std::move(pending->on_numbered));
    ++taken;
  }
  return taken;
}

bool Intake::empty() const {
  for (const auto& lane : lanes_) {
    if (lane->size() != 0) return false;
  }
  return true;
}

}  // namespace legion
