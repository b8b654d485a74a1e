#include <legion/runtime/subscription_change.hpp>

#include <utility>

#include <legion/base/units.hpp>
#include <legion/event/share.hpp>
#include <legion/runtime/control_params.hpp>

namespace legion {

namespace {

constexpr std::size_t shown_bytes_max = 32;

/// `node:incarnation:lane:type:shard`, an event id without its sequence.
Result<StreamId> parse_stream(const std::string& text) {
  const auto id = EventId::parse(text + ":1");
  if (!id) return fail(ErrorCode::BadData, "params.stream: '" + text + "' is not node:incarnation:lane:type:shard");
  return StreamId{{id->node, id->incarnation}, id->lane, id->type, id->shard};
}

Result<DurableStart> parse_start(const std::string& text) {
  if (text.empty() || text == "now") return StartNow{};
  if (text == "beginning") return StartBeginning{};
  if (auto id = EventId::parse(text)) return StartEvent{std::move(*id)};
  if (const auto time = parse_time(text)) return StartTime{*time};
  return fail(ErrorCode::InvalidArgument,
              "params.start: '" + text + "' is neither now, beginning, a time nor an event id");
}

Result<SubscriptionChange::Action> parse_action(const std::string& text) {
  if (text == "rm") return SubscriptionChange::Action::Remove;
  if (text == "reset") return SubscriptionChange::Action::Reset;
  if (text == "skip") return SubscriptionChange::Action::Skip;
  return fail(ErrorCode::InvalidArgument,
              "params.action: '" + text.substr(0, shown_bytes_max) + "' is not rm, reset or skip");
}

}  // namespace

Result<SubscriptionChange> decode_subscription_change(BytesView bytes) {
  const auto params = ControlParams::read(bytes);
  if (!params) return std::unexpected(params.error());
  const auto name = params->text("name");
  if (!name) return std::unexpected(name.error());
  if (!is_cursor_name(*name)) {
    return fail(ErrorCode::InvalidArgument, "params.name: it cannot name a durable subscription");
  }
  const auto action_text = params->text("action");
  if (!action_text) return std::unexpected(action_text.error());
  const auto action = parse_action(*action_text);
  if (!action) return std::unexpected(action.error());
  const auto start_text = params->text_if_any("start");
  if (!start_text) return std::unexpected(start_text.error());
  auto start = parse_start(*start_text);
  if (!start) return std::unexpected(start.error());
  SubscriptionChange change{.action = *action, .name = *name, .start = std::move(*start), .stream = {}, .through = {}};
  const auto stream_text = params->text_if_any("stream");
  if (!stream_text) return std::unexpected(stream_text.error());
  if (!stream_text->empty()) {
    auto stream = parse_stream(*stream_text);
    if (!stream) return std::unexpected(stream.error());
    change.stream = std::move(*stream);
  }
  if (params->has("through")) {
    const auto through = params->number("through");
    if (!through) return std::unexpected(through.error());
    change.through = *through;
  }
  return change;
}

std::vector<StreamId> streams_to_skip(const DurableFigures& figures, const SubscriptionChange& change) {
  if (change.stream) return {*change.stream};
  std::vector<StreamId> streams;
  for (const DurableStreamFigures& stream : figures.streams) {
    if (!stream.stalled.empty()) streams.push_back(stream.stream);
  }
  return streams;
}

}  // namespace legion
