// Durable subscriptions on a table: a model of spools, a real dispatcher, time moved by hand.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <legion/core/dispatcher.hpp>
#include <legion/core/durable.hpp>

namespace legion::test {

using Seqs = std::vector<std::uint64_t>;
using Spans = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

StreamId stream_named(std::string type, std::string node = "a", std::uint8_t shard = 0);
std::string event_id(const StreamId& stream, std::uint64_t sequence);
/// A frame of these events; `time` is that of the first, each following one a second later.
FramePtr frame_in(const StreamId& stream, std::uint64_t first, std::size_t count, WallTime time = {1'000'000'000},
                  std::optional<WallTime> expires = {}, std::size_t data_bytes = 0);

/// What a spool has: frames, and ranges it says never of; everything else is missing.
class ModelSpool {
 public:
  void store(const FramePtr& frame);
  void say_never(const StreamId& stream, std::uint64_t first, std::uint64_t last, std::string why);
  JournalPositions through{};  ///< said of everything that is missing
  JournalPositions floor{};    ///< said of everything that was trimmed
  /// Forgets the frames that begin in this range.
  void forget(const StreamId& stream, std::uint64_t first, std::uint64_t last);
  void record(const SpoolRecord& record);
  /// Takes the records that this one has and it lacks.
  void catch_up(const ModelSpool& other);

  StreamAnswer read(const AskStream& question) const;
  std::vector<StoredTail> tails(const AskTails& question, More& more) const;
  ScanAnswer scan(const AskScan& question) const;
  std::optional<std::uint64_t> find(const EventId& event) const;
  std::vector<LetterRecord> letters_requeued() const;

  struct State {
    CursorRecord cursor;
    std::map<std::string, AttemptRecord> attempts;
  };
  std::map<std::string, State> subscriptions;  // by name
  std::map<std::string, LetterRecord> letters;  // by key
  std::uint64_t mark = 1;
  bool reachable = true;
  KnownSpool::Presence presence = KnownSpool::Presence::Here;
  std::string holder;                          // not empty: refuses claims

 private:
  struct Stored {
    std::map<std::uint64_t, FramePtr> frames;  // by first sequence
    std::map<std::uint64_t, std::pair<std::uint64_t, std::string>> never;
  };
  std::map<StreamId, Stored> streams_;
  std::vector<FramePtr> commits_;
};

/// One life of a consumer node with durable subscriptions. Everything checks itself after every step.
class DurableKit {
 public:
  explicit DurableKit(DurableConfig config = {}, std::uint64_t seed = 1);

  // --- before anything happens
  struct Sub {
    std::string name = "orders";
    std::string filter = "trade.";
    DurableStart start = StartBeginning{};
    std::size_t capacity = 1000;
    std::uint32_t concurrency = 1;
    std::uint32_t max_attempts = 3;
    std::uint32_t run_events_max = 1;
    Priority tier = Priority::Normal;
    std::string agent{};  // empty: called as the subscription
    DurableHandler::Role role = DurableHandler::Role::Consumer;
    std::optional<Share> share{};
    std::string home = "s1";
  };
  SubscriptionId subscribe(const Sub& sub);
  SubscriptionId gate(const std::string& agent, const std::string& filter = "trade.");
  SubscriptionId plain(const std::string& agent, const std::string& filter = "trade.");

  // --- the world
  ModelSpool& spool(const std::string& name = "s1");
  /// Tells of the spools as they are now.
  void meet_spools();
  /// A live frame, offered to everybody it is for, as a node does it.
  void live(const FramePtr& frame, std::uint32_t skip = 0);
  /// A replay, offered to one subscription outside its cursor.
  void replay(SubscriptionId subscription, const FramePtr& frame);
  /// Stored by every spool, and live.
  void publish(const FramePtr& frame);

  // --- steps
  void drain();                          ///< carries out effects; queries and records are kept
  bool answer_queries();                 ///< of spools that are reachable
  void fail_queries(const std::string& why = "gone");
  bool confirm_records();                ///< all that are written, to all reachable spools
  /// Those before, and so many of the unconfirmed, to all reachable spools: one that was away gets what it missed
  /// first.
  void store_records(std::size_t unconfirmed);
  bool handle(std::size_t tasks = ~std::size_t{0});  ///< by `handler`, which throws Killed when the process dies
  void pass(Duration time);
  /// All of it until nothing happens any more, at the present time; then as often again after 50 ms, `for_time` long.
  void settle(Duration for_time = {});
  void start();  ///< meets the spools and settles

  DurableFigures figures(const std::string& name = "orders") const;
  Books books(SubscriptionId subscription = {0}) const;  ///< of a durable one, as its node tells them
  const CursorRecord& cursor(const std::string& name = "orders", const std::string& spool_name = "s1");
  std::uint64_t done(const StreamId& stream, const std::string& name = "orders", const std::string& spool_name = "s1");
  /// Sequences handed to the handler of this subscription, in order.
  Seqs handled(SubscriptionId id) const;
  Seqs handled() const { return handled(SubscriptionId{0}); }
  Spans offered() const;
  template <class What>
  std::vector<What> asked() const {
    std::vector<What> out;
    for (const SpoolQuery& query : queries) {
      if (const auto* what = std::get_if<What>(&query.what)) out.push_back(*what);
    }
    return out;
  }
  template <class Record>
  std::vector<Record> written() const {
    std::vector<Record> out;
    for (const WriteRecord& record : records) {
      if (const auto* kind = std::get_if<Record>(&record.record)) out.push_back(*kind);
    }
    return out;
  }

  struct Handled {
    SubscriptionId subscription;
    StreamId stream;
    std::uint64_t sequence = 0;
    std::uint32_t attempt = 1;
    TaskId task = 0;
    std::optional<InFlightPath> path{};
  };
  struct Killed {};
  void complete(const Handled& deferred);  ///< it is done after all
  std::function<Outcome(const Handled&)> handler = [](const Handled&) { return Outcome::done(); };

  std::function<void(const DurableReports&)> on_reports;  // before they are taken up

  Now now{SteadyTime{1'000'000'000}, WallTime{1'700'000'000'000'000'000}};
  DurableSubscriptions durable;
  Dispatcher dispatcher;
  std::vector<SpoolQuery> queries;  // not answered
  std::vector<WriteRecord> records;  // not confirmed
  std::vector<WriteRecord> journal;  // every record of this life, in order
  std::vector<DurableOffer> offers;  // every one of this life
  std::vector<LostForGood> lost;
  std::vector<StallChanged> stalls;
  std::vector<RequestAnswer> answers;
  std::vector<std::string> unclaimed;  // spools
  std::vector<std::string> logs;
  std::vector<ShareReleased> released;
  std::vector<Handled> handed;  // every hand-over of this life, in order
  std::map<std::tuple<std::string, std::string, InFlightPath>, InFlightEntry> in_flight;  // by agent, event id
  std::map<std::string, ModelSpool> spools;
  std::map<std::uint32_t, std::uint64_t> replayed;  // events, by subscription: the ledger's part of its books

 private:
  SubscriptionId add(const std::string& agent, const Sub& sub, const std::string& durable_name);
  void carry_out(DurableEffect effect);
  void answer(const SpoolQuery& query);
  Outcome hand_over(const Task& task, std::uint32_t k);
  void handle_run(const Task& task);
  bool take_reports();
  void check();

  struct Known {
    Filter filter;
    std::string agent;  // as its letters name it
    std::string durable;
    bool gets_runs = false;
  };
  std::vector<Known> known_;
  std::map<std::string, AgentId> agents_;
  std::map<StreamId, std::uint32_t> hints_;
  std::vector<SpoolRecord> written_;  // in this life
  std::map<std::string, std::size_t> stored_;  // of them, by spool
};

}  // namespace legion::test
