#include <legion/cli/trace_tree.hpp>

#include <algorithm>
#include <set>

#include <legion/cli/moments.hpp>

namespace legion::cli {
namespace {

using Siblings = std::vector<const TraceEvent*>;

bool earlier(const TraceEvent* a, const TraceEvent* b) {
  return std::tie(a->time, a->id) < std::tie(b->time, b->id);
}

}  // namespace

TraceEvent trace_event_of(const EventView& event) {
  TraceEvent out;
  out.id = event.id_string();
  out.type = event.type;
  out.node = event.origin;
  out.priority = event.lane;
  out.defect = event.defect;
  if (!event.defect.empty()) return out;
  out.source = event.source;
  out.key = event.key;
  out.correlation = event.correlation();
  out.causation = event.causation_id;
  out.traceparent = event.traceparent;
  out.time = event.time;
  return out;
}

std::string_view trace_id_of(std::string_view traceparent) {
  constexpr std::size_t begin = 3, length = 32;
  if (traceparent.size() <= begin + length || traceparent[2] != '-' || traceparent[begin + length] != '-') return {};
  return traceparent.substr(begin, length);
}

void TraceTree::add(TraceEvent event) {
  std::string id = event.id;
  events_.emplace(std::move(id), std::move(event));
}

const TraceEvent* TraceTree::find(const std::string& id) const {
  const auto found = events_.find(id);
  return found == events_.end() ? nullptr : &found->second;
}

const TraceEvent* TraceTree::parent_of(const TraceEvent& event) const {
  return event.causation.empty() || event.causation == event.id ? nullptr : find(event.causation);
}

WallTime TraceTree::earliest() const {
  WallTime first{};
  bool any = false;
  for (const auto& [id, event] : events_) {
    if (!event.defect.empty()) continue;
    first = any ? std::min(first, event.time) : event.time;
    any = true;
  }
  return first;
}

Duration TraceTree::span() const {
  WallTime last = earliest();
  for (const auto& [id, event] : events_) last = event.defect.empty() ? std::max(last, event.time) : last;
  return between(earliest(), last);
}

std::vector<TraceTree::Row> TraceTree::rows() const {
  std::map<const TraceEvent*, Siblings> children;
  Siblings all;
  Siblings roots;
  for (const auto& [id, event] : events_) {
    all.push_back(&event);
    const TraceEvent* parent = parent_of(event);
    (parent == nullptr ? roots : children[parent]).push_back(&event);
  }
  for (auto& [parent, siblings] : children) std::ranges::sort(siblings, earlier);
  std::ranges::sort(roots, earlier);
  std::ranges::sort(all, earlier);

  const WallTime first = earliest();
  std::vector<Row> rows;
  std::set<const TraceEvent*> done;
  // A stack instead of recursion: how deep a chain is, others decide.
  const auto descend = [&](const TraceEvent* root, bool last_root) {
    std::vector<Row> waiting{{root, nullptr, 0, last_root, std::nullopt, {}}};
    while (!waiting.empty()) {
      Row row = waiting.back();
      waiting.pop_back();
      if (!done.insert(row.event).second) continue;
      row.since_first = between(first, row.event->time);
      if (row.parent != nullptr) row.hop = between(row.parent->time, row.event->time);
      rows.push_back(row);
      const auto found = children.find(row.event);
      if (found == children.end()) continue;
      for (auto child = found->second.rbegin(); child != found->second.rend(); ++child) {
        waiting.push_back({*child, row.event, row.depth + 1, child == found->second.rbegin(), std::nullopt, {}});
      }
    }
  };
  for (const TraceEvent* root : roots) descend(root, root == roots.back());
  for (const TraceEvent* event : all) {  // rings have no root
    if (!done.contains(event)) descend(event, true);
  }
  return rows;
}

}  // namespace legion::cli
