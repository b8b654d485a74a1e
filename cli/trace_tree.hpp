// Which event led to which.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/event/event.hpp>

namespace legion::cli {

/// What a trace needs of an event.
struct TraceEvent {
  std::string id;
  std::string type;
  std::string source;
  std::string node;         ///< that published it
  std::string key;
  std::string correlation;
  std::string causation;    ///< id of the event that led to this one; empty: not told
  std::string traceparent;
  Priority priority = Priority::Normal;
  WallTime time{};
  std::string defect;
};
TraceEvent trace_event_of(const EventView& event);

/// The trace id of a W3C traceparent ("00-<32 hex>-<16 hex>-<2 hex>"); empty where it is none.
std::string_view trace_id_of(std::string_view traceparent);

/// Events in the order of a tree: each behind what led to it, beside its siblings in the order of time. An event whose
/// cause is not among them is a root; so is the earliest of a ring, which only wrong causation ids can make.
///
/// Bounds: what add() was given. Thread: the command's.
class TraceTree {
 public:
  struct Row {
    const TraceEvent* event = nullptr;
    const TraceEvent* parent = nullptr;   ///< null: a root
    std::size_t depth = 0;
    bool last_child = true;               ///< of its siblings
    std::optional<Duration> hop;          ///< since the parent's time; negative when clocks differ
    Duration since_first{};               ///< since the earliest of all events
  };

  /// An id that is there already is left out.
  void add(TraceEvent event);
  std::size_t size() const { return events_.size(); }
  std::vector<Row> rows() const;
  /// From the earliest to the latest event.
  Duration span() const;
  const TraceEvent* find(const std::string& id) const;

 private:
  const TraceEvent* parent_of(const TraceEvent& event) const;
  WallTime earliest() const;

  std::map<std::string, TraceEvent> events_;  // by id
};

}  // namespace legion::cli
