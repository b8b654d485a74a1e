#include <legion/runtime/intake.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/core/journal.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

namespace {

constexpr std::size_t scratch_bytes_kept_max = 64 * 1024;

/// What a publishing thread encodes into; kept, so that nothing is allocated per event.
struct Scratch {
  Bytes bytes;
  std::string source;
  PublishedType type;
};

Scratch& scratch_of_this_thread() {
  thread_local Scratch scratch;
  if (scratch.bytes.capacity() > scratch_bytes_kept_max) scratch.bytes = {};
  scratch.bytes.clear();
  return scratch;
}

/// Taking a lock that is held for some tens of nanoseconds: sleeping would cost a hundred times as much.
std::unique_lock<std::mutex> lock_soon(std::mutex& mutex) {
  constexpr int attempts = 64;
  for (int i = 0; i < attempts; ++i) {
    std::unique_lock lock(mutex, std::try_to_lock);
    if (lock.owns_lock()) return lock;
  }
  return std::unique_lock(mutex);
}

Journalling journalling_of(const TopicPolicy& policy) {
  switch (policy.durability) {
    case Durability::None: return {};
    case Durability::Captured: return {.journal = JournalKind::Captured, .spools = 1};
    case Durability::Confirmed:
      return {.journal = JournalKind::Confirmed, .spools = policy.spools, .deliver = policy.deliver};
  }
  LEGION_UNREACHABLE();
}

bool wants_confirm(const Askers& askers) {
  return std::ranges::any_of(askers, [](const Asker& asker) {
    return asker.call && asker.when == Asker::When::Confirmed;
  });
}

// An event may be the only one of its frame: topic, head of the array and what the journal keeps of a frame besides its
// bytes.
constexpr std::uint64_t frame_overhead_max = limits::topic_bytes_max + limits::node_name_bytes_max + 64;

std::uint64_t reservation(std::size_t event_bytes) { return Journal::cost(event_bytes + frame_overhead_max); }

}  // namespace

Askers askers_of(PublishOptions& options) {
  Askers askers;
  if (options.on_numbered) {
    askers[0].call = [call = std::move(options.on_numbered)](Confirm confirm) { call(std::move(confirm.id)); };
  }
  if (options.on_confirmed) {
    askers[1] = {.call = std::move(options.on_confirmed), .when = Asker::When::Confirmed};
  } else if (options.on_settled) {
    askers[1] = {.call = [call = std::move(options.on_settled)](Confirm confirm) {
                   const bool settled = confirm.status == Confirm::Status::Confirmed ||
                                        confirm.status == Confirm::Status::Numbered;
                   call(settled ? std::move(confirm.id) : std::string());
                 },
                 .when = Asker::When::Settled};
  }
  return askers;
}

// A sixteenth of the journal is kept for the node's own events and records.
Intake::Intake(std::string node, PolicyTable policy, const Capacity& capacity, std::uint64_t confirmed_bytes,
               std::function<void()> wake)
    : node_(std::move(node)),
      policy_(std::move(policy)),
      wake_(std::move(wake)),
      confirmed_room_(static_cast<std::int64_t>(confirmed_bytes - confirmed_bytes / 16)),
      own_share_(static_cast<std::int64_t>(confirmed_bytes / 16)) {
  for (const Priority lane : all_priorities) {
    lanes_[lane_index(lane)] = std::make_unique<Lane>(node_, lane, std::max<std::size_t>(capacity[lane_index(lane)], 1));
  }
}

PublishResult Intake::publish(const Event& event, std::string_view agent, PublishedBy publisher,
                              PublishOptions::PriorityFrom priority, Askers askers, WallTime now) {
  const bool may_have_steps =
      chain_ != nullptr && goes_through_chain(publisher) && !closed_.load(std::memory_order_acquire);
  auto result = may_have_steps ? through_chain(event, agent, publisher, priority, std::move(askers), now)
                               : check_and_queue(event, agent, publisher, priority, std::move(askers), now);
  answered_[static_cast<std::size_t>(result.status)].fetch_add(1, std::memory_order_relaxed);
  return result;
}

/// The node's own events are what operators see of it, and a replay has been through the steps in its first life.
bool Intake::goes_through_chain(PublishedBy publisher) {
  return publisher == PublishedBy::Agent || publisher == PublishedBy::Control || publisher == PublishedBy::Local;
}

PublishResult Intake::through_chain(const Event& event, std::string_view agent, PublishedBy publisher,
                                    PublishOptions::PriorityFrom priority, Askers askers, WallTime now) {
  const bool is_catalog_name = !event.type.empty() && event.type.front() >= 'A' && event.type.front() <= 'Z';
  const std::string catalog_type = is_catalog_name ? canonical_type(event.type) : std::string();
  const std::string_view type = is_catalog_name ? catalog_type : event.type;
  const std::string_view publishing_agent = publisher == PublishedBy::Agent ? agent : std::string_view();
  if (!chain_->concerns(type, publishing_agent)) {
    return check_and_queue(event, agent, publisher, priority, std::move(askers), now);
  }
  const std::string source = event.source.empty() ? node_ + '/' + std::string(agent) : std::string();
  const TopicPolicy policy = policy_.resolve(type);
  const Priority lane = priority == PublishOptions::PriorityFrom::Policy ? policy.priority : event.priority;
  PublishedEvent published(event, {.type = type,
                                   .source = source,
                                   .agent = publishing_agent,
                                   .priority = lane,
                                   .now = clock_(),
                                   .ttl = policy.ttl});
  const PublishChain::Passage passage = chain_->run(published);
  PublishResult result;
  switch (passage.verdict.kind) {
    case PublishVerdict::Kind::Pass:
      result = check_and_queue(published.event(), agent, publisher, priority, std::move(askers), now);
      break;
    case PublishVerdict::Kind::Filtered: result = {PublishStatus::Filtered, passage.verdict.detail}; break;
    case PublishVerdict::Kind::WouldBlock: result = {PublishStatus::WouldBlock, passage.verdict.detail}; break;
    case PublishVerdict::Kind::Invalid: result = {PublishStatus::Invalid, passage.verdict.detail}; break;
  }
  chain_->answer(published, passage.passed, result ? Middleware::Taken::Yes : Middleware::Taken::No);
  return result;
}

PublishResult Intake::check_and_queue(const Event& event, std::string_view agent, PublishedBy publisher,
                                      PublishOptions::PriorityFrom priority, Askers askers, WallTime now) {
  if (publisher != PublishedBy::Node) {
    const bool outside = publisher != PublishedBy::Agent;
    const bool shut = closed_.load(std::memory_order_acquire) ||
                      (outside && outside_closed_.load(std::memory_order_acquire));
    if (shut) return {PublishStatus::Closed, "the node is shutting down"};
    const bool is_replay = event.type.starts_with(replay_prefix);
    const bool allowed = publisher == PublishedBy::Replay ? is_replay : !is_reserved(event.type);
    if (!allowed) return {PublishStatus::Refused, "type: names beginning with ! or ~ are reserved"};
  }
  Scratch& scratch = scratch_of_this_thread();
  const PublishedType* type = types_.find_or_add(event.type, scratch.type);
  if (type == nullptr) {
    return {PublishStatus::Invalid,
            "type '" + event.type.substr(0, limits::wire_type_bytes_max) + "' is not an event type"};
  }
  if (publisher != PublishedBy::Node && type->is_heartbeat) {
    return {PublishStatus::Refused, "type: agent.heartbeat is published by nodes only"};
  }
  const TopicPolicy& policy = type->policy;
  if (publisher == PublishedBy::Local && policy.durability == Durability::Confirmed && policy.spools > 0) {
    return {PublishStatus::Refused, "type: confirmed types cannot be published over the local pair"};
  }

  if (policy.durability != Durability::Confirmed && wants_confirm(askers)) {
    return {PublishStatus::Invalid, "type " + type->type + " is " + std::string(to_string(policy.durability)) +
                                        ", not confirmed by spools: there is no confirm to wait for"};
  }

  EventDefaults defaults;
  defaults.time = now;
  defaults.ttl = policy.ttl;
  if (event.source.empty()) {
    scratch.source.assign(node_).append(1, '/').append(agent);
    defaults.source = scratch.source;
  }
  if (type->schema != nullptr) {
    const std::string_view source = event.source.empty() ? defaults.source : event.source;
    if (auto looked = guard_->look_at_published(*type->schema, event, source); !looked) {
      return {PublishStatus::Invalid, std::move(looked.error().message)};
    }
  }
  if (auto encoded = append_event(event, defaults, policy.max_bytes, scratch.bytes); !encoded) {
    const bool too_big = encoded.error().code == ErrorCode::TooBig;
    return {too_big ? PublishStatus::TooBig : PublishStatus::Invalid, std::move(encoded.error().message)};
  }
  const std::uint8_t shard =
      shard_of(event.key, event.source.empty() ? std::string_view(scratch.source) : event.source, policy.shards);
  const Priority lane = priority == PublishOptions::PriorityFrom::Policy ? policy.priority : event.priority;
  return queue(*type, shard, lane, publisher, scratch.bytes, std::move(askers));
}

PublishResult Intake::queue(const PublishedType& type, std::uint8_t shard, Priority priority, PublishedBy publisher,
                            BytesView encoded, Askers askers) {
  Journalling journalling = journalling_of(type.policy);
  if (chain_ != nullptr) journalling.compress_from = chain_->compress_from(type.type);
  const bool confirmed = journalling.journal == JournalKind::Confirmed;
  const std::uint64_t reserved = confirmed ? reservation(encoded.size()) : 0;
  if (confirmed && !reserve(reserved, publisher)) {
    return {PublishStatus::WouldBlock, "the confirmed journal is full: it waits for spools"};
  }
  Lane& lane = *lanes_[lane_index(priority)];
  const std::size_t room = publisher == PublishedBy::Node ? lane.capacity : lane.capacity - lane.capacity / 16;
  std::size_t waiting = 0;
  {
    const auto lock = lock_soon(lane.mutex);
    if (lane.queue == Lane::Queue::GivenUp) {
      give_back(reserved);
      return {PublishStatus::Closed, "the node is shutting down"};
    }
    if (lane.packer.events() >= room) {
      give_back(reserved);
      return {PublishStatus::WouldBlock, "the " + std::string(to_string(priority)) + " lane's queue is full"};
    }
    const FramePacker::Place place = lane.packer.append(type.type, shard, encoded, journalling);
    for (Asker& asker : askers) {
      if (asker.call) lane.asked.push_back({place, std::move(asker)});
    }
    waiting = lane.packer.events();
    lane.depth.store(waiting, std::memory_order_relaxed);
  }
  // The loop's counterpart is the fence between telling what is held, announcing its sleep, and looking at the depths.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (waiting >= frame_worth || lane.wakes.load(std::memory_order_relaxed) == Wakes::Always) wake_();
  return {};
}

bool Intake::reserve(std::uint64_t bytes, PublishedBy publisher) {
  const auto wanted = static_cast<std::int64_t>(bytes);
  const std::int64_t floor = publisher == PublishedBy::Node ? -own_share_ : 0;
  if (confirmed_room_.fetch_sub(wanted, std::memory_order_relaxed) - wanted >= floor) return true;
  give_back(bytes);
  return false;
}

// The sum of reservation() over its events: Journal::cost() is its argument and a constant.
std::uint64_t Intake::reserved(const UnnumberedFrame& frame) {
  if (frame.journalling.journal != JournalKind::Confirmed) return 0;
  return frame.events_bytes + frame.count * reservation(0);
}

std::size_t Intake::take(Priority priority, std::size_t events_max, std::vector<UnnumberedFrame>& frames,
                         std::vector<Asked>& asked) {
  Lane& lane = *lanes_[lane_index(priority)];
  if (lane.depth.load(std::memory_order_relaxed) == 0) return 0;
  const auto lock = lock_soon(lane.mutex);
  const std::size_t first = frames.size();
  const std::size_t taken = lane.packer.take(events_max, frames);
  lane.depth.store(lane.packer.events(), std::memory_order_relaxed);
  if (lane.asked.empty()) return taken;
  const auto fresh = std::span(frames).subspan(first);
  const auto stays = [&](const Asked& one) {
    return std::ranges::find(fresh, one.place.frame, &UnnumberedFrame::serial) == fresh.end();
  };
  const auto going = std::ranges::stable_partition(lane.asked, stays);
  std::ranges::move(going, std::back_inserter(asked));
  lane.asked.erase(going.begin(), going.end());
  return taken;
}

void Intake::recycle(Priority priority, Bytes buffer) {
  Lane& lane = *lanes_[lane_index(priority)];
  const auto lock = lock_soon(lane.mutex);
  lane.packer.recycle(std::move(buffer));
}

void Intake::give_up() {
  for (const auto& lane : lanes_) {
    std::vector<Asked> asked;
    {
      const std::lock_guard lock(lane->mutex);
      lane->queue = Lane::Queue::GivenUp;
      asked.swap(lane->asked);
    }
    for (Asked& one : asked) {
      if (one.asker.where == Asker::Where::Loop) continue;  // which is gone, and with it whoever waited there
      one.asker.call({.id = {}, .status = Confirm::Status::Unconfirmed});
    }
  }
}

bool Intake::empty() const {
  return std::ranges::all_of(lanes_, [](const auto& lane) { return lane->depth.load(std::memory_order_relaxed) == 0; });
}

}  // namespace legion
