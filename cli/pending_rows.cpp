#include <legion/cli/pending_rows.hpp>

#include <algorithm>
#include <optional>

#include <legion/base/units.hpp>
#include <legion/cli/moments.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/share.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t streams_looked_into = 16;

JsonTree empty_row(const std::string& name) {
  return {{"name", name},           {"state", "away"},     {"filter", ""},   {"agent", nullptr},
          {"node", nullptr},        {"pending", nullptr},  {"oldest_age_ms", nullptr},
          {"stalled", JsonTree::array()}, {"retrying", 0}, {"lost", 0},      {"trouble", ""},
          {"generation", nullptr},  {"updated", nullptr}};
}

bool is_consumed(const JsonTree& row) { return part_of(row, "node").is_string(); }

/// Streams that wait for something that no spool has: named with why.
JsonTree stalled_streams(const JsonTree& subscription) {
  JsonTree stalled = JsonTree::array();
  for (const JsonTree& stream : part_of(subscription, "streams")) {
    const std::string why = text_of(stream, "stalled");
    if (why.empty()) continue;
    stalled.push_back({{"stream", text_of(stream, "stream")},
                       {"done", number_of(stream, "done")},
                       {"next", number_of(stream, "next")},
                       {"why", why}});
  }
  return stalled;
}

/// The time of the first event from this sequence on that the spool has.
Result<std::optional<WallTime>> first_time(SpoolQueries& spool, const StreamQuery& query) {
  const auto page = spool.stream(query);
  if (!page) return std::unexpected(page.error());
  for (const StreamPage::Part& part : page->page.parts) {
    if (part.kind != StreamPage::Part::Kind::Frame) continue;
    const auto frame = Frame::decode(part.frame, page->owner);
    if (!frame) continue;
    for (const EventView& event : (*frame)->events()) {
      if (event.sequence >= query.first && event.defect.empty()) return event.time;
    }
  }
  return std::optional<WallTime>{};
}

std::uint64_t done_ahead(const StreamCursor& cursor, std::uint64_t next) {
  std::uint64_t count = 0;
  for (const auto& [first, last] : cursor.ahead) {
    if (first < next) count += std::min(last, next - 1) - first + 1;
  }
  return count;
}

}  // namespace

std::string stream_text(const StreamId& stream) {
  return stream.origin.node + ':' + std::to_string(stream.origin.incarnation) + ':' +
         std::to_string(lane_index(stream.lane)) + ':' + stream.type + ':' + std::to_string(stream.shard);
}

Result<void> PendingRows::add_node(const std::string& node, const JsonTree& answer) {
  if (!answer.is_array()) return fail(ErrorCode::BadData, node + ": the answer to pending is no list");
  for (const JsonTree& subscription : answer) {
    const std::string name = text_of(subscription, "name");
    if (name.empty()) return fail(ErrorCode::BadData, node + ": the answer to pending names a subscription without a name");
    const std::string state = text_of(subscription, "phase");
    if (state == "removed") continue;
    JsonTree& row = rows_.try_emplace(name, empty_row(name)).first->second;
    if (state == "standby" && is_consumed(row)) continue;  // another member of the group has it
    if (state == "refused") {  // another node has it
      if (!is_consumed(row)) row["trouble"] = node + ": " + text_of(subscription, "trouble");
      continue;
    }
    row["state"] = state.empty() ? "active" : state;
    row["filter"] = text_of(subscription, "filter");
    row["agent"] = text_of(subscription, "agent");
    row["node"] = node;
    row["pending"] = number_of(subscription, "pending");
    const JsonTree& age = part_of(subscription, "oldest_age_ms");
    row["oldest_age_ms"] = age.is_number() ? age : JsonTree(nullptr);
    row["stalled"] = stalled_streams(subscription);
    row["retrying"] = number_of(subscription, "retrying");
    row["lost"] = number_of(subscription, "lost");
    row["trouble"] = text_of(subscription, "trouble");
    if (const auto generation = text_of(subscription, "generation"); !generation.empty()) row["generation"] = generation;
  }
  return {};
}

PendingRows::Behind PendingRows::behind(const CursorRecord& cursor, const std::vector<StreamTail>& tails) {
  std::map<StreamId, const StreamCursor*> cursors;
  for (const StreamCursor& stream : cursor.streams) cursors[stream.stream] = &stream;
  Behind behind;
  for (const StreamTail& tail : tails) {
    const auto found = cursors.find(tail.stream);
    const std::uint64_t done = found == cursors.end() ? 0 : found->second->done;
    if (tail.next <= done + 1) continue;
    const std::uint64_t open = tail.next - 1 - done;
    const std::uint64_t ahead = found == cursors.end() ? 0 : done_ahead(*found->second, tail.next);
    if (open <= ahead) continue;
    behind.events += open - ahead;
    behind.next.push_back({.stream = tail.stream, .first = done + 1, .bytes_max = 1});
  }
  return behind;
}

Result<JsonTree> PendingRows::oldest_age(SpoolQueries& spool, const std::vector<StreamQuery>& streams, WallTime now) {
  std::optional<WallTime> oldest;
  for (std::size_t i = 0; i < std::min(streams.size(), streams_looked_into); ++i) {
    const auto time = first_time(spool, streams[i]);
    if (!time) return std::unexpected(time.error());
    if (*time) oldest = oldest ? std::min(*oldest, **time) : **time;
  }
  return oldest ? JsonTree(std::max<std::int64_t>(0, between(*oldest, now) / 1ms)) : JsonTree(nullptr);
}

Result<void> PendingRows::add_spool(SpoolQueries& spool, WallTime now) {
  const auto cursors = spool.cursors();
  if (!cursors) return std::unexpected(cursors.error());
  for (const CursorState& state : *cursors) {
    const CursorRecord& cursor = state.merged;
    if (cursor.form == CursorRecord::Form::Removed) continue;
    JsonTree& row = rows_.try_emplace(cursor.subscription, empty_row(cursor.subscription)).first->second;
    row["updated"] = format_time(state.updated);
    if (is_consumed(row)) continue;
    row["generation"] = std::to_string(cursor.generation.counter) + '@' + cursor.generation.node;
    row["filter"] = cursor.filter;
    const auto about = CursorFilter::parse(cursor.filter);
    if (!about) continue;
    auto tails = spool.tails(about->filter);
    if (!tails) return std::unexpected(tails.error());
    std::erase_if(*tails, [&](const StreamTail& tail) { return !about->matches(tail.stream); });
    const Behind open = behind(cursor, *tails);
    row["pending"] = open.events;
    const auto age = oldest_age(spool, open.next, now);
    if (!age) return std::unexpected(age.error());
    row["oldest_age_ms"] = *age;
  }
  return {};
}

JsonTree PendingRows::rows() const {
  JsonTree rows = JsonTree::array();
  for (const auto& [name, row] : rows_) rows.push_back(row);
  return rows;
}

std::string PendingRows::node_of(const std::string& name) const {
  const auto found = rows_.find(name);
  return found == rows_.end() ? "" : text_of(found->second, "node");
}

}  // namespace legion::cli
