// Watching a whole mesh without being in it (legion-cli tail).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/base/error.hpp>
#include <legion/base/log.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>

namespace legion {

struct ObserverOptions {
  Address node;                              ///< any member
  std::vector<Filter> filters;               ///< empty: everything
  std::vector<Priority> lanes{all_priorities.begin(), all_priorities.end()};
  Duration timeout = 5s;                     ///< for the first hello
};

/// What an observer sees. All are called from within Observer::run_once(). Unset ones are skipped.
struct ObserverHandler {
  /// In order per stream. Not called for reserved types.
  std::function<void(const EventPtr& event)> on_event;
  /// Every event of this node published from now on is seen or reported as lost.
  std::function<void(const Member& node)> on_covered;
  /// All members that are not dead or left are covered (again). Called at each transition into that state.
  std::function<void(std::size_t nodes)> on_all_covered;
  /// The link to a node that was covered is down, or it left or went silent (`why`).
  std::function<void(const Member& node, std::string_view why)> on_uncovered;
  /// Events that matched and did not arrive: published, never received here.
  std::function<void(std::uint64_t lost_now, std::uint64_t lost_total)> on_lost;
};

/// Connects to the lanes of every node like a peer that is in no roster, follows the roster through heartbeats, and is
/// served by dropping, never by waiting. Thread: one at a time.
class Observer {
 public:
  /// Says hello to the node. Errors: Unreachable, TimedOut, WrongVersion.
  static Result<std::unique_ptr<Observer>> open(ObserverOptions options, LogSink log);
  ~Observer();

  /// Waits at most `wait` for something to happen and handles what is there (a bounded number of events a call).
  void run_once(Duration wait, const ObserverHandler& handler);

  std::vector<Member> members() const;
  bool all_covered() const;
  std::uint64_t lost() const;

 private:
  struct State;
  explicit Observer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace legion
