#include <legion/cli/replay_count.hpp>

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include <legion/base/units.hpp>
#include <legion/cli/moments.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/table.hpp>

namespace legion::cli {
namespace {

std::string time_text(const std::optional<WallTime>& time) { return time ? format_time(*time) : "-"; }

JsonTree time_json(const std::optional<WallTime>& time) { return time ? JsonTree(format_time(*time)) : JsonTree(nullptr); }

void widen(std::optional<WallTime>& first, std::optional<WallTime>& last, WallTime time) {
  first = first ? std::min(*first, time) : time;
  last = last ? std::max(*last, time) : time;
}

}  // namespace

void ReplayCount::add(const EventView& event) {
  auto found = types_.find(event.type);
  if (found == types_.end()) found = types_.emplace(std::string(event.type), Entry{}).first;
  Entry& entry = found->second;
  ++entry.events;
  ++events_;
  entry.bytes += event.data.size();
  if (event.defect.empty()) widen(entry.first, entry.last, event.time);
}

void ReplayCount::print(Session& session) const {
  std::vector<std::pair<std::string, Entry>> sorted(types_.begin(), types_.end());
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) { return a.second.events > b.second.events; });
  Table table({{"TYPE"}, {"EVENTS", Align::Right}, {"BYTES", Align::Right, 2}, {"FIRST"}, {"LAST", Align::Left, 1}});
  JsonTree rows = JsonTree::array();
  Entry total;
  for (const auto& [type, entry] : sorted) {
    table.row({{type}, {std::to_string(entry.events)}, {std::to_string(entry.bytes)}, {time_text(entry.first)},
               {time_text(entry.last)}});
    rows.push_back({{"type", type},
                    {"events", entry.events},
                    {"bytes", entry.bytes},
                    {"first", time_json(entry.first)},
                    {"last", time_json(entry.last)}});
    if (!entry.first) continue;
    widen(total.first, total.last, *entry.first);
    widen(total.first, total.last, *entry.last);
  }
  CsvRows csv({"type", "events", "bytes", "first", "last"});
  if (!print_rows(session, rows, csv)) session.print(table);
  session.out().flush();
  std::string text = std::to_string(events_) + (events_ == 1 ? " event" : " events");
  if (total.first) {
    text += " from " + format_time(*total.first) + " to " + format_time(*total.last) + " (" +
            format_duration(between(*total.first, *total.last) / 1ms * 1ms) + ")";
  }
  session.note(text);
}

}  // namespace legion::cli
