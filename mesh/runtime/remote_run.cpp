#include <legion/runtime/remote_run.hpp>

#include <algorithm>

#include <legion/event/event_codec.hpp>

namespace legion {

namespace {

void write_text(MsgpackWriter& out, Attribute attribute, std::string_view text) {
  if (text.empty()) return;
  out.uint(static_cast<std::uint64_t>(attribute));
  out.str(text);
}

/// The form of an event in a frame. docs/protocol.md, "Event attributes".
void write_event(MsgpackWriter& out, const EventView& event) {
  out.array(event_fields);
  out.uint(static_cast<std::uint64_t>(event.time.ns));
  out.str(event.source);
  out.uint(event.schema_version);
  std::size_t attributes = event.expires_at ? 1 : 0;
  for (const std::string_view text : {event.correlation_id, event.causation_id, event.traceparent, event.tracestate,
                                      event.key, event.foreign_id, event.original_id}) {
    if (!text.empty()) ++attributes;
  }
  if (!event.extensions.empty()) ++attributes;
  out.map(attributes);
  write_text(out, Attribute::CorrelationId, event.correlation_id);
  write_text(out, Attribute::CausationId, event.causation_id);
  write_text(out, Attribute::Traceparent, event.traceparent);
  write_text(out, Attribute::Tracestate, event.tracestate);
  write_text(out, Attribute::Key, event.key);
  if (event.expires_at) {
    out.uint(static_cast<std::uint64_t>(Attribute::ExpiresAt));
    out.uint(static_cast<std::uint64_t>(event.expires_at->ns));
  }
  write_text(out, Attribute::ForeignId, event.foreign_id);
  write_text(out, Attribute::OriginalId, event.original_id);
  if (!event.extensions.empty()) {
    out.uint(static_cast<std::uint64_t>(Attribute::Extensions));
    out.raw(event.extensions);
  }
  if (event.data.empty()) {
    out.nil();
  } else {
    out.raw(event.data);
  }
}

void name_stream(RemoteRun& run, const EventView& event) {
  run.lane = event.lane;
  run.type = std::string(event.type);
  run.first_sequence = event.sequence;
  run.id_prefix = event.id_string();
  run.id_prefix.resize(run.id_prefix.rfind(':'));
}

void append(RemoteRun& run, const EventView& event, Now now) {
  MsgpackWriter out(std::move(run.events));
  write_event(out, event);
  run.events = out.take();
  run.ends.push_back(static_cast<std::uint32_t>(run.events.size()));
  run.ages.push_back(std::max(now.wall - event.time, Duration::zero()));
}

}  // namespace

RemoteRun encode_run(const Task& task, Now now) {
  RemoteRun run{
      .kind = RemoteRun::Kind::Run, .task = task.id, .subscription = task.subscription, .attempt = task.attempt};
  const std::vector<EventView>& events = task.frame->events();  // decoded here, if nobody has asked before
  for (std::uint32_t k = 0; k < task.count; ++k) {
    if (const auto fate = fate_before_handling(events[task.first + k], now, task.where)) {
      if (!run.ends.empty()) break;
      run.passed_over.push_back({.kind = *fate});
      continue;
    }
    const EventView& event = task.view_for_handler(k);
    if (run.ends.empty()) name_stream(run, event);
    append(run, event, now);
  }
  return run;
}

RemoteRun encode_single(const Delivery& delivery, Now now) {
  RemoteRun run{.kind = RemoteRun::Kind::Single,
                .task = delivery.task,
                .subscription = delivery.subscription,
                .attempt = delivery.attempt};
  name_stream(run, *delivery.event);
  append(run, *delivery.event, now);
  return run;
}

}  // namespace legion
