// How a spool that was away gets what it missed: from the other spools of the mesh.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/base/log_limiter.hpp>
#include <legion/base/time.hpp>
#include <legion/runtime/spool_asker.hpp>
#include <legion/runtime/spool_service.hpp>
#include <legion/runtime/stats.hpp>
#include <legion/spool/catchup_plan.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/poller.hpp>

namespace legion {

/// Compares this spool's journals with those of one other spool after the other, and fetches what is missing here:
/// positions it does not have, frames where it has a void, and what the other knows of an origin (whose it is, what it
/// released, where it ended). docs/protocol.md, "Catching up".
///
/// Thread: the loop's. Order: of each journal in the order of positions. Bounds: one question under way, and at most
/// `adopting_max` pages given to the store and not yet durable; one comparison at a time, a second or more apart.
/// Errors: a spool that does not answer is asked again later, less and less often; a journal whose records are not as
/// they should be is left alone for `absent_for`; one that belongs to another boot is refused. All of it is logged
/// (limited) and none of it stops anything else.
class SpoolCatchup {
 public:
  static constexpr std::size_t adopting_max = 3;
  static constexpr std::size_t page_bytes = 1u << 20;

  struct Setup {
    transport::Context& context;
    transport::Poller& poller;
    SpoolService& service;           ///< outlives this
    std::string self;
    std::function<bool(const Origin&)> is_gone;  ///< nothing comes from it any more, as far as is known here
    transport::SpoolClientOptions client;
    LogSink log;
  };
  struct Pace {
    Duration round_min = 1s;         ///< from the beginning of one comparison with a spool to the next
    Duration round_max = 8s;         ///< where the last ones found nothing although something had moved
    Duration round_idle = 30s;       ///< where nothing has moved
    Duration patience = 3s;          ///< for the end of a journal whose origin may be sending it
    Duration absent_for = 5min;      ///< until it is asked again for what it turned out not to have
    Duration timeout = 5s;           ///< of a question
  };
  SpoolCatchup(Setup setup, Pace pace);
  ~SpoolCatchup();

  /// Another spool of the roster; `uri` is numeric. Its own name is passed over.
  void connect(const std::string& name, const std::string& uri);
  void disconnect(const std::string& name);
  /// What its last heartbeat says of its store.
  void on_mark(const std::string& name, std::uint64_t mark);

  void on_turn(Now now);

  SpoolCatchupFigures figures() const;

 private:
  using JournalKey = std::pair<Origin, JournalKind>;
  /// What another spool turned out not to have.
  struct Absent {
    PositionSet positions;
    SteadyTime until;
  };
  /// The end of a journal that was missing when last looked at.
  struct Waiting {
    Position last_here = 0;
    SteadyTime since;
  };
  struct Peer {
    std::unique_ptr<SpoolAsker> asker;
    std::uint64_t mark = 0;
    bool moved = true;           // since the last comparison
    bool was_up = false;
    SteadyTime not_before;       // the next comparison
    Duration pause{};
    std::uint64_t missing = 0;
    std::map<JournalKey, Absent> absent;
    std::map<JournalKey, Waiting> waiting;
    std::map<JournalKey, SteadyTime> floors;   // above the one here, with nothing to fetch below: since when
    std::map<JournalKey, Position> through;    // of origins that are over: everything up to there is there
    bool compared = false;
  };
  /// One journal to be fetched.
  struct Fetch {
    JournalKey key;
    std::deque<PositionRange> questions;
    PositionSet wanted;
    PositionSet voids_here;
  };
  struct Round {
    std::uint64_t number = 0;    // answers to an earlier one are nobody's
    std::string peer;
    std::map<JournalKey, JournalState> here;
    std::map<Origin, std::array<std::optional<Position>, 2>> finals;  // of origins that are over there and not here
    std::deque<Fetch> fetches;
    std::uint64_t missing = 0;
    std::uint64_t adopted = 0;
    std::size_t binding = 0;     // origins that are being bound: nothing is stored before
    std::size_t adopting = 0;
    bool listing = true;         // the journals
    bool asking = false;         // for records
    bool soon = false;           // what is missing may have to be fetched in a moment
    std::optional<JournalKey> after;
  };

  void begin_due_round();
  bool is_due(const Peer& peer) const;
  void ask_journals();
  void on_journals(SpoolJournals page);
  void compare(Peer& peer, const JournalState& there);
  bool is_ours_to_take(const JournalState& here, const JournalState& there);
  void take_marks(const JournalState& here, const JournalState& there);
  void count_holders(Peer& peer, const JournalState& here, const JournalState& there);
  void take_floor(Peer& peer, const JournalState& here, const JournalState& there, const CatchupWants& wants);
  void bind(const JournalState& there);
  PositionSet ripe(Peer& peer, const JournalState& here, const CatchupWants& wants);
  void go_on();
  void ask_records();
  void on_records(const JournalQuery& asked, Result<std::vector<JournalRecord>> records);
  void adopt(const JournalKey& key, PositionRange range, std::vector<JournalRecord> records);
  void leave_alone(const JournalKey& key, const PositionSet& positions);
  void leave_alone(const JournalKey& key, const std::string& why);
  /// `why` empty: it went to its end.
  void end_round(const std::string& why);
  void trouble(const std::string& what);
  /// The callback, unless the round is over by then.
  template <class Answer>
  std::function<void(Answer)> in_this_round(std::function<void(Answer)> call);

  Setup setup_;
  const Pace pace_;
  std::map<std::string, Peer> peers_;
  std::set<Origin> refused_;               // were logged
  std::optional<Round> round_;
  std::uint64_t rounds_begun_ = 0;
  std::string last_compared_;
  Now now_;
  SteadyTime next_look_;
  LogLimiter lines_{5, 60s};
  SpoolCatchupFigures figures_;
};

}  // namespace legion
