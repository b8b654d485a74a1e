// From the past into what is live, for tail.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <legion/cli/live_join.hpp>
#include <legion/cli/past_reader.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

/// The newest events of the past that were chosen, in order, and where reading goes on.
struct LastEvents {
  std::deque<EventPtr> events;
  CommitNumber next = 1;
};

/// Looks back from `end` in growing steps until `count` events were found. Bounds: holds `count` events.
Result<LastEvents> read_last_events(Session& session, SpoolQueries& spool, const PastQuestion& question, CommitNumber end,
                                    std::size_t count, const PastReader::OnFrame& on_frame);

/// Reads the past up to where the live events begin. The live stream is watched from the first moment on, so that nothing
/// falls between.
///
/// Thread: the command's. Bounds: as LiveJoin. Errors: as PastReader.
class PastThenLive {
 public:
  /// False: enough.
  using Show = std::function<bool(const EventPtr& event)>;
  /// `handler` hears everything but events.
  PastThenLive(Session& session, EventStream& live, ObserverHandler handler, std::vector<Filter> types, Show show);

  /// Waits until every node is covered, at most --timeout, and asks each where its streams stand.
  void cover();
  /// Reads to where live events begin. Says on standard error what could not be joined.
  Result<void> catch_up(PastReader& past);
  /// One turn of the live stream, after catch_up().
  void run_once(Duration wait);
  /// To be told of frames that were read in another way.
  LiveJoin& join() { return join_; }
  /// Events that were kept back too long and did not come from the spool.
  std::uint64_t lost() const { return join_.lost(); }

 private:
  void watch(Duration wait);
  void ask_tails(const Member& member);
  bool stopped() const { return enough_ || session_.world().interrupted() || !session_.out(); }
  Result<std::vector<StreamTail>> stored(SpoolQueries& spool) const;
  Result<bool> read_to_end(PastReader& past);
  void report(const LiveJoin::Behind& behind, const PastReader& past);

  Session& session_;
  EventStream& live_;
  ObserverHandler handler_;  // of the caller, without events
  ObserverHandler own_;
  std::vector<Filter> types_;
  Show show_;
  LiveJoin join_{LiveJoin::Bounds{}};
  std::set<std::string> covered_;
  std::set<std::string> asked_;
  bool all_covered_ = false;
  bool enough_ = false;
};

}  // namespace legion::cli
