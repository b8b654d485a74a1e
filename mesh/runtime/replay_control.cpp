#include <legion/runtime/replay_control.hpp>

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <legion/event/event_type.hpp>
#include <legion/event/json.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {

namespace {

constexpr std::size_t events_per_replay_max = 10000;
constexpr std::string_view to_mesh = "mesh";

struct Params {
  std::vector<BytesView> events;
  std::string to;
};

Result<std::vector<BytesView>> read_events(BytesView bytes) {
  MsgpackReader reader(bytes);
  const auto count = reader.read_array();
  if (!count) return fail(ErrorCode::BadData, "params.events: " + count.error().message);
  if (*count > events_per_replay_max) {
    return fail(ErrorCode::TooBig, "params.events: at most " + std::to_string(events_per_replay_max));
  }
  std::vector<BytesView> events;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto event = reader.read_raw();
    if (!event) return fail(ErrorCode::BadData, "params.events: " + event.error().message);
    events.push_back(*event);
  }
  return events;
}

Result<Params> read_params(BytesView bytes) {
  MsgpackReader reader(bytes);
  const auto count = reader.read_map();
  if (!count) return fail(ErrorCode::BadData, "params: " + count.error().message);
  std::optional<std::vector<BytesView>> events;
  std::string to;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = reader.read_string();
    const auto value = key ? reader.read_raw() : Result<BytesView>(std::unexpected(key.error()));
    if (!value) return fail(ErrorCode::BadData, "params: " + value.error().message);
    if (*key == "events") {
      auto read = read_events(*value);
      if (!read) return std::unexpected(read.error());
      events = std::move(*read);
    } else if (*key == "to") {
      const auto text = MsgpackReader(*value).read_string(limits::source_bytes_max);
      if (!text) return fail(ErrorCode::BadData, "params.to: " + text.error().message);
      to = *text;
    }
  }
  if (!events) return fail(ErrorCode::BadData, "params: events is missing");
  if (to.empty()) return fail(ErrorCode::BadData, "params: to is missing; expected mesh or node/agent");
  return Params{std::move(*events), std::move(to)};
}

/// The event as it was, and the id it had as that of the original. What it expired by is of its own time.
Result<IncomingEvent> read_original(BytesView bytes) {
  auto incoming = from_cloudevent_msgpack(bytes);
  if (!incoming) return incoming;
  Event& event = incoming->event;
  if (incoming->id.empty()) return fail(ErrorCode::BadData, "'id': expected the id the event was published with");
  if (event.original_id.empty()) event.original_id = std::move(incoming->id);
  event.foreign_id = std::move(incoming->foreign_id);
  event.expires_at.reset();
  return incoming;
}

/// A call whose events are partly numbered. Shared: each event's callback holds it until its number is known.
struct ReplayCall {
  std::vector<LocalReplay::Answer> entries;
  std::size_t missing = 1;  // and one for the call itself, until every event has been offered
  ReplayControl::Answer answer;

  void one_less() {
    if (--missing > 0) return;
    MsgpackWriter out;
    out.array(entries.size());
    for (const LocalReplay::Answer& entry : entries) {
      out.map(1 + (entry.id.empty() ? 0 : 1) + (entry.result.detail.empty() ? 0 : 1));
      out.str("status");
      out.str(to_string(entry.result.status));
      if (!entry.id.empty()) {
        out.str("id");
        out.str(entry.id);
      }
      if (!entry.result.detail.empty()) {
        out.str("detail");
        out.str(entry.result.detail);
      }
    }
    answer(out.take());
  }
};

PublishResult into_mesh(Now now, Intake& intake, IncomingEvent& incoming, const std::shared_ptr<ReplayCall>& call,
                        std::size_t index) {
  incoming.event.type.insert(0, replay_prefix);
  const auto from = incoming.has_priority ? PublishOptions::PriorityFrom::Event : PublishOptions::PriorityFrom::Policy;
  Askers askers;
  askers[0] = {[call, index](Confirm confirm) {
                 LocalReplay::Answer& entry = call->entries[index];
                 if (confirm.status == Confirm::Status::Refused) {
                   entry.result = {PublishStatus::Refused, "too many streams"};
                 }
                 entry.id = std::move(confirm.id);
                 call->one_less();
               },
               Asker::When::Numbered, Asker::Where::Loop};
  auto result = intake.publish(incoming.event, "control", PublishedBy::Replay, from, std::move(askers), now.wall);
  if (result) ++call->missing;
  return result;
}

}  // namespace

void ReplayControl::handle(Now now, BytesView bytes, const Answer& answer) {
  const auto params = read_params(bytes);
  if (!params) return answer(std::unexpected(params.error()));
  const bool is_for_mesh = params->to == to_mesh;
  if (!is_for_mesh) {
    if (!params->to.starts_with(node_ + '/')) {
      return answer(fail(ErrorCode::NotFound, "params.to: '" + params->to + "' is neither mesh nor an agent of this node (" +
                                                  node_ + "/..); an agent is reached at its own node"));
    }
    if (local_ == nullptr) return answer(fail(ErrorCode::Closed, "the node has not joined yet"));
    if (!local_->has_subscriber(params->to)) {
      return answer(fail(ErrorCode::NotFound, "params.to: no agent " + params->to + " with a subscription"));
    }
  }
  const auto call = std::make_shared<ReplayCall>();
  call->entries.resize(params->events.size());
  call->answer = answer;
  std::array<bool, limits::lane_count> is_blocked{};
  for (std::size_t i = 0; i < params->events.size(); ++i) {
    LocalReplay::Answer& entry = call->entries[i];
    auto incoming = read_original(params->events[i]);
    if (!incoming) {
      entry.result = {PublishStatus::Invalid, incoming.error().message};
      continue;
    }
    Event& event = incoming->event;
    const Priority lane = incoming->has_priority ? event.priority : intake_.policy().resolve(event.type).priority;
    bool& blocked = is_blocked[lane_index(lane)];
    if (blocked) {
      entry.result = {PublishStatus::WouldBlock, "an earlier event of this lane found no room"};
      continue;
    }
    if (is_for_mesh) {
      entry.result = into_mesh(now, intake_, *incoming, call, i);
    } else {
      if (event.source.empty()) event.source = node_ + "/control";
      if (event.time.ns == 0) event.time = now.wall;
      entry = local_->offer(now, params->to, std::move(event), lane);
    }
    blocked = entry.result.status == PublishStatus::WouldBlock;
  }
  call->one_less();
}

}  // namespace legion
