#include <legion/runtime/outbound.hpp>

#include <algorithm>
#include <utility>

namespace legion {

namespace {

// Events taken per lane and turn. The lower lanes take less, so that a turn stays short and critical events are looked
// at again soon.
constexpr std::array<std::size_t, limits::lane_count> take_max{4096, 2048, 1024, 512};

constexpr Duration hold_max = 100us;
constexpr Duration held_below = 10us;  // between two events: above 100,000 a second

bool may_be_held(Priority lane) { return lane == Priority::Normal || lane == Priority::Low; }

}  // namespace

Outbound::Outbound(Origin origin, Duration heartbeat_interval, Lanes& lanes, Intake& intake, Executor& executor,
                   std::function<void(Now, UnnumberedFrame&)> own)
    : egress_(std::move(origin), {.heartbeat_interval = heartbeat_interval}),
      lanes_(lanes),
      intake_(intake),
      executor_(executor),
      own_(std::move(own)) {}

void Outbound::flush(Now now) {
  for (const Priority lane : all_priorities) {
    if (!is_held(now, lane)) take(now, lane, take_max[lane_index(lane)]);
  }
}

bool Outbound::is_held(Now now, Priority lane) const {
  return now.steady < paces_[lane_index(lane)].held_until && intake_.depth(lane) < Intake::frame_worth;
}

void Outbound::tell_what_is_held(Now now) {
  for (const Priority lane : {Priority::Normal, Priority::Low}) {
    const bool held = now.steady < paces_[lane_index(lane)].held_until;
    intake_.set_wakes(lane, held ? Intake::Wakes::ForAFrame : Intake::Wakes::Always);
  }
}

std::optional<SteadyTime> Outbound::next_flush(Now now) const {
  std::optional<SteadyTime> next;
  for (const Priority lane : all_priorities) {
    if (!may_be_held(lane)) {
      if (intake_.depth(lane) > 0) return now.steady;
      continue;
    }
    const SteadyTime held_until = paces_[lane_index(lane)].held_until;
    const bool held = now.steady < held_until;
    const std::size_t depth = intake_.depth(lane);
    if (depth == 0 && !held) continue;
    if (depth >= Intake::frame_worth || !held) return now.steady;
    next = std::min(next.value_or(held_until), held_until);
  }
  return next;
}

void Outbound::take(Now now, Priority lane, std::size_t events_max) {
  const std::size_t events = intake_.take(lane, events_max, taken_, asked_);
  if (events == 0) return;
  if (may_be_held(lane)) {
    Pace& pace = paces_[lane_index(lane)];
    const Duration since = now.steady - std::exchange(pace.taken_at, now.steady);
    const bool fast = since < static_cast<std::int64_t>(events) * held_below;
    pace.held_until = fast ? now.steady + hold_max : now.steady;
  }
  for (UnnumberedFrame& frame : taken_) {
    send(now, frame);
    intake_.recycle(lane, std::move(frame.bytes));
  }
  taken_.clear();
  asked_.clear();
}

void Outbound::send(Now now, UnnumberedFrame& frame) {
  const std::uint64_t first = egress_.number(now, frame);
  if (first != 0) lanes_[lane_index(frame.lane)]->send(frame.bytes);
  report_numbers(frame, first);
  if (first != 0) own_(now, frame);
}

// `first_sequence` 0: refused, because this node has too many streams; the id is then empty.
void Outbound::report_numbers(const UnnumberedFrame& frame, std::uint64_t first_sequence) {
  for (NumberAsked& asked : asked_) {
    if (asked.place.frame != frame.serial) continue;
    OnNumbered& callback = asked.on_numbered;
    std::string id;
    if (first_sequence != 0) {
      const Origin& origin = egress_.origin();
      id = EventId{origin.node,  origin.incarnation, frame.lane, std::string(frame.type), frame.shard,
                   first_sequence + asked.place.index}
               .to_string();
    }
    if (callback.where == OnNumbered::Where::Loop) {
      callback.call(std::move(id));
    } else {
      executor_.post([call = std::move(callback.call), id = std::move(id)]() mutable { call(std::move(id)); });
    }
  }
}

void Outbound::send_now(Now now, const EncodedEvent& event) {
  FrameBuilder builder;
  builder.begin(egress_.origin(), event.lane, event.type, event.shard, unnumbered);
  builder.append(event.bytes);
  UnnumberedFrame frame{.lane = event.lane, .type = event.type, .shard = event.shard, .count = 1,
                        .bytes = builder.finish()};
  send(now, frame);
}

void Outbound::send(const std::vector<OutFrame>& frames) {
  for (const OutFrame& frame : frames) lanes_[lane_index(frame.lane)]->send(frame.bytes);
}

void Outbound::on_tick(Now now) {
  frames_.clear();
  egress_.on_tick(now, frames_);
  send(frames_);
}

void Outbound::flush_markers(Now now) {
  frames_.clear();
  egress_.flush_markers(now, frames_);
  send(frames_);
}

void Outbound::answer_sync(const SyncTopic& topic, Priority lane) {
  frames_.clear();
  egress_.answer_sync(topic, lane, frames_);
  send(frames_);
}

}  // namespace legion
