#include <legion/cli/publisher.hpp>

#include <algorithm>

#include <legion/base/units.hpp>
#include <legion/cli/map_writer.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::cli {
namespace {

constexpr Duration backoff_first = 5ms;
constexpr Duration backoff_max = 250ms;
constexpr Duration answer_margin = 1s;  // the node says what it knows when the time is over

Result<Published> read_one(MsgpackReader& reader) {
  Published published;
  const auto members = reader.read_map();
  if (!members) return std::unexpected(members.error());
  for (std::size_t i = 0; i < *members; ++i) {
    const auto name = reader.read_string();
    if (!name) return std::unexpected(name.error());
    if (*name == "confirmed") {
      const auto confirmed = reader.read_bool();
      if (!confirmed) return std::unexpected(confirmed.error());
      published.confirmed = *confirmed;
      continue;
    }
    std::string* const out = *name == "status" ? &published.status
                             : *name == "id"   ? &published.id
                             : *name == "detail" ? &published.detail
                                                 : nullptr;
    if (out == nullptr) {
      if (const auto skipped = reader.skip(); !skipped) return std::unexpected(skipped.error());
      continue;
    }
    const auto value = reader.read_string();
    if (!value) return std::unexpected(value.error());
    *out = *value;
  }
  return published;
}

}  // namespace

Bytes encode_for_publish(const IncomingEvent& incoming) {
  const Event& event = incoming.event;
  MapWriter members;
  members.text_if_any("specversion", "1.0");
  members.text_if_any("type", event.type);
  if (incoming.has_source) members.text_if_any("source", event.source);
  if (incoming.has_time) members.integer("time", event.time.ns);
  if (incoming.has_priority) members.text_if_any("priority", to_string(event.priority));
  members.text_if_any("correlationid", event.correlation_id);
  members.text_if_any("causationid", event.causation_id);
  members.text_if_any("traceparent", event.traceparent);
  members.text_if_any("tracestate", event.tracestate);
  members.text_if_any("partitionkey", event.key);
  if (event.expires_at) members.integer("expirytime", event.expires_at->ns);
  if (event.schema_version != 1) members.integer("schemaversion", event.schema_version);
  members.text_if_any("id", event.foreign_id);
  members.text_if_any("replayof", event.original_id);
  for (const auto& [name, value] : event.extensions) members.text_if_any(name, value);
  if (!event.data.empty()) members.raw("data", event.data);
  return members.take();
}

Publisher::Publisher(World& world, NodeConnection& node, PublisherOptions options, Report report)
    : world_(world), node_(node), options_(std::move(options)), report_(std::move(report)) {}

Result<void> Publisher::add(std::uint64_t line, Bytes event) {
  if (event.size() > event_bytes_max) {
    if (auto sent = flush(); !sent) return sent;
    report_({line, "too_big", "", "the event takes " + std::to_string(event.size()) + " bytes, a call has room for " +
                                      std::to_string(event_bytes_max)});
    return {};
  }
  if (events_.size() >= events_max || (!events_.empty() && bytes_ + event.size() > bytes_max)) {
    if (auto sent = flush(); !sent) return sent;
  }
  bytes_ += event.size();
  events_.push_back({line, std::move(event)});
  return {};
}

Bytes Publisher::params() const {
  MsgpackWriter events;
  events.array(events_.size());
  for (const Item& item : events_) events.raw(item.event);
  MapWriter params;
  params.raw("events", events.bytes());
  params.text_if_any("to", options_.replay_to);
  if (options_.answer == PublisherOptions::Answer::Confirmed) {
    params.boolean("confirm", true);
    params.integer("timeout_ms", std::max<std::int64_t>(1, options_.timeout / 1ms));
  }
  return params.take();
}

Result<std::vector<Published>> Publisher::call() const {
  const bool confirm = options_.answer == PublisherOptions::Answer::Confirmed;
  const auto answer = node_.call(options_.replay_to.empty() ? "publish" : "replay", params(),
                                 options_.timeout + (confirm ? answer_margin : Duration::zero()));
  if (!answer && confirm && answer.error().code == ErrorCode::TimedOut) {
    return fail(ErrorCode::TimedOut, "no confirm came within " + format_duration(options_.timeout) +
                                         ", and no answer: what was handed over last may be queued, and may be confirmed later");
  }
  if (!answer) return std::unexpected(answer.error());

  std::vector<Published> results;
  MsgpackReader reader(*answer);
  if (const auto size = reader.expect_array(events_.size()); !size) return std::unexpected(size.error());
  for (const Item& item : events_) {
    auto published = read_one(reader);
    if (!published) return std::unexpected(published.error());
    published->line = item.line;
    results.push_back(std::move(*published));
  }
  return results;
}

Result<void> Publisher::flush() {
  if (events_.empty()) return {};
  SteadyTime progress = world_.now().steady;
  Duration backoff = backoff_first;
  while (!events_.empty()) {
    const auto results = call();
    if (!results) return std::unexpected(results.error());
    const SteadyTime now = world_.now().steady;
    if (std::ranges::any_of(*results, &Published::accepted)) {
      progress = now;
      backoff = backoff_first;
    }
    const bool last_try = now - progress >= options_.timeout || world_.interrupted();
    // A full lane stays full during a call, so of one lane only a tail can be left over, and order is kept.
    std::vector<Item> again;
    const Published* closed = nullptr;
    for (std::size_t i = 0; i < results->size(); ++i) {
      const Published& result = (*results)[i];
      if (closed == nullptr && result.status == "closed") closed = &result;
      if (result.status == "closed" || (result.status == "would_block" && !last_try)) {
        again.push_back(std::move(events_[i]));
      } else {
        report_(result);
      }
    }
    events_ = std::move(again);
    // It will not change its mind, and the same answer for every line to come helps nobody.
    if (closed != nullptr) {
      return fail(ErrorCode::Closed, closed->detail.empty() ? "the node is shutting down" : closed->detail);
    }
    if (events_.empty()) break;
    world_.wait(backoff);
    backoff = std::min(2 * backoff, backoff_max);
  }
  bytes_ = 0;
  return {};
}

}  // namespace legion::cli
