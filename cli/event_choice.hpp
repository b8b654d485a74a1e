// Which of the arriving events tail shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/where.hpp>

namespace legion::cli {

/// Matches exactly, or a beginning when the pattern ends in '*'.
bool glob_matches(std::string_view pattern, std::string_view text);

struct EventChoice {
  std::vector<Filter> types;         ///< empty: everything but heartbeats
  std::vector<Filter> excluded;
  std::vector<std::string> sources;  ///< globs; of each list one has to match, empty lists match
  std::vector<std::string> correlations;
  std::vector<std::string> keys;
  std::vector<Where> where;          ///< all of them have to hold
  bool heartbeats = false;           ///< shown also when only a family or everything was asked for

  bool shows(const EventView& event) const;
};

}  // namespace legion::cli
