#include <legion/cli/tail_report.hpp>

#include <algorithm>
#include <ostream>
#include <vector>

#include <legion/base/units.hpp>
#include <legion/cli/csv_rows.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/table.hpp>

namespace legion::cli {

void TailReport::add(const EventView& event) {
  auto found = types_.find(event.type);
  if (found == types_.end()) found = types_.emplace(std::string(event.type), Entry{}).first;
  ++found->second.events;
  found->second.bytes += event.data.size();
  found->second.priority = std::min(found->second.priority, event.lane);
  ++events_;
}

void TailReport::print(Session& session, Duration elapsed) const {
  const double seconds = std::max(1e-9, std::chrono::duration<double>(elapsed).count());
  std::vector<std::pair<std::string, Entry>> sorted(types_.begin(), types_.end());
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) { return a.second.events > b.second.events; });

  Table table({{"TYPE"},
               {"PRIORITY", Align::Left, 2},
               {"EVENTS", Align::Right},
               {"PER SECOND", Align::Right},
               {"SHARE", Align::Right, 1},
               {"BYTES", Align::Right, 3}});
  JsonTree json = JsonTree::array();
  for (const auto& [type, entry] : sorted) {
    const double rate = static_cast<double>(entry.events) / seconds;
    const double share = static_cast<double>(entry.events) / static_cast<double>(events_);
    table.row({{type, tint_of(entry.priority)},
               {std::string(to_string(entry.priority)), tint_of(entry.priority)},
               {std::to_string(entry.events)},
               {rate_text(rate)},
               {percent_text(share)},
               {std::to_string(entry.bytes)}});
    json.push_back({{"type", type},
                    {"priority", to_string(entry.priority)},
                    {"events", entry.events},
                    {"per_second", rate},
                    {"share", share},
                    {"bytes", entry.bytes}});
  }
  switch (session.output()) {
    case Output::Table: session.print(table); break;
    case Output::Csv:
      CsvRows({"type", "priority", "events", "per_second", "share", "bytes"}).print(session.out(), json);
      break;
    case Output::Json: session.out() << json.dump(2) << '\n'; break;
    case Output::Jsonl:
      for (const JsonTree& each : json) session.out() << each.dump() << '\n';
      break;
  }
}

}  // namespace legion::cli
