#include <legion/runtime/outbound.hpp>

namespace legion {

namespace {

// Events taken per lane and turn. The lower lanes take less, so that a turn stays short and critical events are looked
// at again soon.
constexpr std::array<std::size_t, limits::lane_count> take_max{4096, 2048, 1024, 512};

}  // namespace

Outbound::Outbound(Origin origin, Duration heartbeat_interval, Lanes& lanes, Intake& intake, Executor& executor,
                   std::function<void(Now, Bytes)> own)
    : egress_(std::move(origin), {.heartbeat_interval = heartbeat_interval}),
      lanes_(lanes),
      intake_(intake),
      executor_(executor),
      own_(std::move(own)) {}

bool Outbound::flush(Now now) {
  for (const Priority lane : all_priorities) take(now, lane, take_max[lane_index(lane)]);
  return !intake_.empty();
}

void Outbound::take(Now now, Priority lane, std::size_t max) {
  events_.clear();
  callbacks_.clear();
  if (intake_.take(lane, max, events_, callbacks_) == 0) return;
  frames_.clear();
  numbered_.clear();
  egress_.pack(now, lane, events_, frames_, &numbered_);
  send(now, frames_);
  report_numbers(lane);
}

void Outbound::report_numbers(Priority lane) {
  for (const Numbered& numbered : numbered_) {
    OnNumbered& callback = callbacks_[numbered.index];
    if (!callback.call) continue;
    const EncodedEvent& event = events_[numbered.index];
    const Origin& origin = egress_.origin();
    std::string id;  // empty: refused, because this node has too many streams
    if (numbered.sequence != 0) {
      id = EventId{origin.node, origin.incarnation, lane, event.type, event.shard, numbered.sequence}.to_string();
    }
    if (callback.where == OnNumbered::Where::Loop) {
      callback.call(std::move(id));
    } else {
      executor_.post([call = std::move(callback.call), id = std::move(id)]() mutable { call(std::move(id)); });
    }
  }
}

void Outbound::send_now(Now now, EncodedEvent event) {
  frames_.clear();
  const Priority lane = event.lane;
  egress_.pack(now, lane, {&event, 1}, frames_, nullptr);
  send(now, frames_);
}

void Outbound::send(Now now, std::vector<OutFrame>& frames) {
  for (OutFrame& frame : frames) {
    lanes_[lane_index(frame.lane)]->send(frame.bytes);
    if (frame.kind == OutFrame::Kind::Data) own_(now, std::move(frame.bytes));
  }
}

void Outbound::on_tick(Now now) {
  frames_.clear();
  egress_.on_tick(now, frames_);
  send(now, frames_);
}

void Outbound::flush_markers(Now now) {
  frames_.clear();
  egress_.flush_markers(now, frames_);
  send(now, frames_);
}

void Outbound::answer_sync(const SyncTopic& topic, Priority lane) {
  std::vector<OutFrame> parts;
  egress_.answer_sync(topic, lane, parts);
  for (const OutFrame& part : parts) lanes_[lane_index(lane)]->send(part.bytes);
}

}  // namespace legion
