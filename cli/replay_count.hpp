// What a replay would bring: events by type, and the time they span.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <legion/cli/session.hpp>
#include <legion/event/event.hpp>

namespace legion::cli {

/// Bounds: one entry per event type seen.
class ReplayCount {
 public:
  void add(const EventView& event);
  std::uint64_t events() const { return events_; }
  /// The most frequent type first.
  void print(Session& session) const;

 private:
  struct Entry {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;  ///< of data
    std::optional<WallTime> first, last;
  };
  std::map<std::string, Entry, std::less<>> types_;
  std::uint64_t events_ = 0;
};

}  // namespace legion::cli
