// What kinds of events went by, and how many.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include <legion/cli/session.hpp>
#include <legion/event/event.hpp>

namespace legion::cli {

/// Bounds: one entry per event type seen.
class TailReport {
 public:
  void add(const EventView& event);
  /// The most frequent type first; counts and events per second of `elapsed`.
  void print(Session& session, Duration elapsed) const;

 private:
  struct Entry {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;  ///< of data
    Priority priority = Priority::Low;  ///< the highest seen
  };
  std::map<std::string, Entry, std::less<>> types_;
  std::uint64_t events_ = 0;
};

}  // namespace legion::cli
