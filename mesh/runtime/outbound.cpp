#include <legion/runtime/outbound.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include <legion/base/planted.hpp>
#include <legion/event/spool_record.hpp>

namespace legion {

namespace {

// Events taken per lane and turn. The lower lanes take less, so that a turn stays short and critical events are looked
// at again soon.
constexpr std::array<std::size_t, limits::lane_count> take_max{4096, 2048, 1024, 512};

constexpr Duration hold_max = 100us;
constexpr Duration held_below = 10us;  // between two events: above 100,000 a second

bool may_be_held(Priority lane) { return lane == Priority::Normal || lane == Priority::Low; }

}  // namespace

Outbound::Outbound(Origin origin, Duration heartbeat_interval, Lanes& lanes, Intake& intake, Journal& journal,
                   Executor& executor, std::function<void(Now, UnnumberedFrame&)> own)
    : egress_(std::move(origin), {.heartbeat_interval = heartbeat_interval}),
      lanes_(lanes),
      intake_(intake),
      journal_(journal),
      executor_(executor),
      own_(std::move(own)) {}

void Outbound::flush(Now now) {
  if (closed_) return;
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
  if (closed_) return std::nullopt;
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
  const bool held = frame.journalling.deliver == Deliver::AfterConfirm;
  compress_large(frame);
  const std::uint64_t first = egress_.number(now, frame, held ? Egress::Goes::Later : Egress::Goes::Now);
  std::vector<Asked> askers = take_askers(frame);
  const Run run{frame.lane, frame.type, frame.shard, first};
  if (first == 0) {
    intake_.give_back(Intake::reserved(frame));
    for (const auto when : {Asker::When::Numbered, Asker::When::Confirmed, Asker::When::Settled}) {
      tell(askers, when, run, Confirm::Status::Refused);
    }
    return;
  }
  const Position position = journal(now, frame, first);
  const bool confirmed = frame.journalling.journal == JournalKind::Confirmed;
  tell(askers, Asker::When::Numbered, run, Confirm::Status::Numbered);
  if (!confirmed) tell(askers, Asker::When::Settled, run, Confirm::Status::Numbered);
  if (held || !askers.empty()) {
    confirms_.wait(frame.journalling.spools,
                   {.position = position, .lane = frame.lane, .type = std::string(frame.type), .shard = frame.shard,
                    .first_sequence = first, .count = frame.count, .held = held ? frame.bytes : Bytes{},
                    .askers = std::move(askers)});
  }
  if (!held || LEGION_PLANTED(HeldEventGoesLive)) send_numbered(now, frame);
}

void Outbound::compress_large(UnnumberedFrame& frame) {
  const auto& from = frame.journalling.compress_from;
  if (!from || frame.events_bytes < *from) return;
  const Compressed compressed = compress_frame(frame.bytes, frame.events_bytes);
  frame.type = as_text(frame.bytes).substr(0, frame.type.size());
  intake_.chain()->count_frame(frame.type, compressed);
}

void Outbound::send_numbered(Now now, UnnumberedFrame& frame) {
  lanes_[lane_index(frame.lane)]->send(frame.bytes);
  own_(now, frame);
}

Position Outbound::journal(Now now, const UnnumberedFrame& frame, std::uint64_t first_sequence) {
  const Journalling& how = frame.journalling;
  if (!how.journal || (how.journal == JournalKind::Captured && capture_ == Capture::Off)) return 0;
  // Shared: the links and the queues of ZeroMQ keep it, each until it is done with it.
  auto bytes = std::make_shared<const Bytes>(frame.bytes);
  const std::string_view type = as_text(*bytes).substr(0, frame.type.size());
  const Position position = journal_.append(
      now, *how.journal,
      {.lane = frame.lane, .type = type, .shard = frame.shard, .first = first_sequence, .count = frame.count,
       .spools = how.spools, .after_confirm = how.deliver == Deliver::AfterConfirm, .bytes = std::move(bytes)});
  if (how.journal == JournalKind::Confirmed) {
    intake_.give_back(Intake::reserved(frame) - Journal::cost(frame.bytes.size()));
  }
  return position;
}

void Outbound::on_durable(Now now, const Journal::Durable& durable) {
  if (durable.journal != JournalKind::Confirmed) return;
  confirms_.on_durable(durable.spools, durable.through, [&](ConfirmQueue::Waiting& waiting) {
    const Run run{waiting.lane, waiting.type, waiting.shard, waiting.first_sequence};
    for (const auto when : {Asker::When::Confirmed, Asker::When::Settled}) {
      tell(waiting.askers, when, run, Confirm::Status::Confirmed);
    }
    if (!waiting.is_held()) return;
    egress_.went_out(now, waiting.lane, waiting.type, waiting.shard, waiting.count);
    UnnumberedFrame frame{.lane = waiting.lane, .type = waiting.type, .shard = waiting.shard, .count = waiting.count,
                          .bytes = std::move(waiting.held)};
    send_numbered(now, frame);
    intake_.recycle(frame.lane, std::move(frame.bytes));
  });
}

void Outbound::give_up_confirms() {
  closed_ = true;
  confirms_.give_up([&](ConfirmQueue::Waiting& waiting) {
    for (const auto when : {Asker::When::Confirmed, Asker::When::Settled}) {
      tell(waiting.askers, when, {waiting.lane, waiting.type, waiting.shard, waiting.first_sequence},
           Confirm::Status::Unconfirmed);
    }
  });
}

Position Outbound::record(Now now, BytesView event) {
  if (closed_) return 0;
  FrameBuilder builder;
  builder.begin(egress_.origin(), Priority::High, record_type, 0, next_record_);
  builder.append(event);
  // Shared with the links and their queues.
  auto bytes = std::make_shared<const Bytes>(builder.finish());
  if (!intake_.reserve(Journal::cost(bytes->size()), PublishedBy::Node)) return 0;
  const std::string_view type = as_text(*bytes).substr(0, record_type.size());
  return journal_.append(now, JournalKind::Confirmed,
                         {.lane = Priority::High, .type = type, .first = next_record_++, .count = 1, .spools = 1,
                          .bytes = std::move(bytes)});
}

std::vector<Asked> Outbound::take_askers(const UnnumberedFrame& frame) {
  std::vector<Asked> askers;
  if (asked_.empty()) return askers;
  const auto others = std::ranges::stable_partition(
      asked_, [&](const Asked& asked) { return asked.place.frame != frame.serial; });
  std::ranges::move(others, std::back_inserter(askers));
  asked_.erase(others.begin(), others.end());
  return askers;
}

/// Calls those who want to know of this, and takes them off.
void Outbound::tell(std::vector<Asked>& askers, Asker::When when, const Run& run, Confirm::Status status) {
  std::erase_if(askers, [&](Asked& asked) {
    if (asked.asker.when != when) return false;
    Confirm confirm{.id = {}, .status = status};
    if (run.first_sequence != 0) {
      const Origin& origin = egress_.origin();
      confirm.id = EventId{origin.node, origin.incarnation, run.lane, std::string(run.type), run.shard,
                           run.first_sequence + asked.place.index}
                       .to_string();
    }
    if (asked.asker.where == Asker::Where::Loop) {
      asked.asker.call(std::move(confirm));
    } else {
      executor_.post([call = std::move(asked.asker.call), confirm = std::move(confirm)]() mutable {
        call(std::move(confirm));
      });
    }
    return true;
  });
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
