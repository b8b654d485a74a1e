// What makes a node a spool: takes journals in, makes them durable, answers questions. docs/protocol.md, "Spool link"
// and "Spool queries".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/core/group_home.hpp>
#include <legion/core/journal_inlet.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_readers.hpp>
#include <legion/runtime/spool_service_claims.hpp>
#include <legion/runtime/spool_service_signal.hpp>
#include <legion/runtime/spool_store_thread.hpp>
#include <legion/spool/store.hpp>
#include <legion/transport/spool_sockets.hpp>

namespace legion {

/// Thread: everything on the loop's; the store is written by one thread of its own, read by a few others.
/// Ordering: records of a journal reach the store in the order of their positions; what is acknowledged was durable
/// before. Bounds: a turn takes `turn_max` and at least one message; memory: the windows of the journal links, the
/// queries that wait (SpoolReaders) with at most spool_page_bytes_max and a frame each, and `unsent_bytes_max` of
/// answers per connection. Errors: a message that is none of ours is counted; a store that fails freezes: nothing is
/// acknowledged any more, questions are still answered, frozen() says why.
class SpoolService {
 public:
  struct Options {
    JournalInlet::Config link{};
    SpoolStoreThread::Options writer{};
    SpoolReaders::Options readers{};
    std::uint64_t unsent_bytes_max = 32u << 20;
    Duration turn_max = 2ms;
    std::string node{};          ///< its name: groups say whom they take for their home
    Duration group_grace = 10s;  ///< nothing is given to members of groups so long after the first is heard
  };

  /// What the service asks the rest of the node; called on the loop's thread.
  struct Backend {
    SpoolClaims::IsGone is_gone;
    /// Methods the service does not know itself; null: there are none. `answer` is called once, sooner or later, on the
    /// loop's thread. Params are valid during the call.
    using Answer = std::function<void(Result<Bytes>)>;
    std::function<void(Now, std::string_view method, BytesView params, Answer answer)> other_query;
  };

  /// `server` is bound by the caller and outlives the service. Errors: the store's (no reader), Io.
  static Result<std::unique_ptr<SpoolService>> start(std::unique_ptr<Store> store, transport::SpoolServer& server,
                                                     Options options, Backend backend, LogSink log);
  ~SpoolService();

  /// Of the server and of the service's own threads.
  std::vector<transport::Pollable> pollables() const;
  bool may_have_input() const;
  void on_turn(Now now);
  /// Finishes what was given to the store, acknowledges it, and ends the threads. Blocks for a transaction or two and
  /// for a backup that is running. Idempotent.
  void shutdown(Now now);

  const StoreId& id() const { return store_->id(); }
  /// The highest commit number, for heartbeats.
  CommitNumber store_mark() const;
  /// Why nothing is confirmed any more.
  const std::optional<std::string>& frozen() const { return frozen_; }
  SpoolInfo snapshot() const;
  /// Who consumes under the name of a durable subscription.
  std::optional<Origin> claimed_by(std::string_view subscription) const { return claims_.holder(subscription); }

  /// For catching up from another spool. What the store has, as of after everything submitted so far:
  using OnJournals = std::function<void(std::vector<JournalState>)>;
  void journals(OnJournals on_journals);
  /// Records another spool has given; of each journal in ascending order.
  void adopt(std::vector<JournalRecord> records, std::function<void(Result<void>)> on_done);
  /// What another spool knows of an origin, before its records and besides them. Errors of bind(): Refused, Io.
  void bind(Origin origin, BootId boot, std::function<void(Result<void>)> on_done);
  void note_released(Origin origin, JournalKind journal, std::uint8_t spools, Position through);
  bool is_linked(const Origin& origin) const { return inlet_.is_linked(origin); }
  /// Positions up to there will not come from anywhere: retention took them.
  void note_floor(Origin origin, JournalKind journal, Position through);
  void note_final(Origin origin, Position confirmed, Position captured);

 private:
  SpoolService(std::unique_ptr<Store> store, transport::SpoolServer& server, Options options, Backend backend,
               LogSink log, std::unique_ptr<LoopSignal> signal);

  void read_messages(Now now);
  void on_message(Now now, transport::SpoolRequest request);
  void on_open_link(Now now, const std::string& peer, OpenLink message);
  void begin_life(const Origin& origin);
  void on_bound(const std::string& peer, const OpenLink& message, const Result<std::vector<JournalState>>& states);
  void take_results(Now now);
  void on_news(Now now, StoreNews& news);
  void on_stored(const JournalState& state);
  void on_frozen(Now now, const std::string& reason);
  /// Carries out what the inlet wants.
  void flush();

  void on_query(const std::string& peer, BytesView head);
  Result<void> start_query(const std::string& peer, const SpoolQueryView& query);
  Result<Bytes> claim(const SpoolQueryView& query);
  Result<void> start_mark(const std::string& peer, const SpoolQueryView& query);
  Result<void> start_journals(const std::string& peer, const SpoolQueryView& query);
  Result<void> start_verify(const std::string& peer, const SpoolQueryView& query);
  Result<void> start_backup(const std::string& peer, const SpoolQueryView& query);
  void answer(const std::string& peer, std::uint64_t id, const Result<Bytes>& result);
  void answer(SpoolReaders::Done done);

  std::unique_ptr<Store> store_;
  transport::SpoolServer& server_;
  const Options options_;
  const Backend backend_;
  const LogSink log_;
  JournalInlet inlet_;
  SpoolClaims claims_;
  GroupHome groups_;
  std::optional<std::string> frozen_;
  Now now_;  // of the turn
  std::vector<JournalInlet::Effect> effects_;  // their memory
  std::vector<StoreCommand> commands_;  // to be submitted at the end of the turn
  std::uint64_t queries_answered_ = 0;
  std::uint64_t queries_refused_ = 0;
  std::uint64_t bad_messages_ = 0;
  bool shut_down_ = false;

  // The threads below raise it. They go first, in this order.
  std::unique_ptr<LoopSignal> signal_;
  std::unique_ptr<SpoolStoreThread> writer_;
  std::unique_ptr<SpoolReaders> readers_;
  std::unique_ptr<SpoolLongJobs> jobs_;
};

}  // namespace legion
