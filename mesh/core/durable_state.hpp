// The inside of the durable subscriptions. Its functions are spread over durable_*.cpp by what they are about.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/base/assert.hpp>
#include <legion/core/durable.hpp>
#include <legion/core/durable_records.hpp>

namespace legion {

struct DurableSubscriptions::State {
  using Stream = durable::Stream;
  using Subscription = durable::Subscription;
  using Requeue = durable::Requeue;
  using Slot = durable::Slot;
  using Spool = durable::Spool;
  using SpoolView = durable::SpoolView;
  using Query = durable::Query;
  using Written = durable::Written;
  using Verdict = durable::Verdict;
  using Again = durable::Again;
  using GateAttempts = durable::GateAttempts;
  using Creation = durable::Creation;
  using LettersOf = durable::LettersOf;
  static constexpr std::uint64_t highest_sequence = durable::highest_sequence;

  explicit State(DurableConfig given) : config(std::move(given)) {}

  // durable_start.cpp: from nothing to active
  void seek(Subscription& sub);
  void keep_claims(Subscription& sub);
  void ask_cursor(Subscription& sub, std::uint32_t spool);
  void take_cursor(const Query& query, std::optional<CursorRecord> merged, std::vector<AttemptRecord> attempts);
  void supersede(Subscription& sub, const std::optional<CursorRecord>& merged);
  enum class Of : std::uint8_t { Reachable, Known };
  bool all_loaded(const Subscription& sub, Of which) const;
  std::string silent_spools(const Subscription& sub) const;
  bool is_patient(Subscription& sub);
  void decide_beginning(Subscription& sub);
  void decide_stand_in(Subscription& sub);
  void refuse(Subscription& sub, std::string why);
  void give_up_claims(Subscription& sub);
  void unclaim(const Subscription& sub, std::uint32_t spool);
  void ask_before_it_begins(Subscription& sub);
  void give_up_streams(Subscription& sub);
  void outrank(Subscription& sub, const CursorGeneration& other);
  void activate(Subscription& sub);
  void take_up_attempts(Subscription& sub);
  void take_up_entry(const InFlightEntry& entry, Earlier& so_far) const;
  std::uint32_t attempts_made(std::uint32_t recorded) const;
  std::uint32_t attempts_made(const Subscription& sub, std::uint32_t recorded) const;

  // durable_share.cpp: leases of shares
  void begin_lease(Subscription& sub);
  bool has_cursor_of_home(const Subscription& sub) const;
  void go_on_with_share(Subscription& sub);
  void recall(const Subscription& sub);
  void on_recalled(const Recalled& recalled);
  void forget_failing(const Subscription& sub, Stream& stream, std::uint64_t first, std::uint64_t last);
  void stand_by(Subscription& sub, std::string why);
  void give_way(Subscription& sub, const CursorGeneration& other);
  void work_on_release(Subscription& sub);
  void check_final_cursor(Subscription& sub, std::uint32_t spool, const std::optional<CursorRecord>& merged);
  bool is_of_lost_lease(const DeadLetter& letter) const;

  // durable_create.cpp: where a new cursor begins, and what spools have of the streams
  void create(Subscription& sub, DurableStart start, CursorRecord before);
  void work_on_creation(Subscription& sub);
  void begin_scan(Subscription& sub);
  void ask_scan(Subscription& sub);
  void take_found(Subscription& sub, std::uint32_t spool, std::optional<std::uint64_t> commit);
  void take_scan(Subscription& sub, const ScanAnswer& answer);
  std::vector<StreamCursor> first_positions(const Subscription& sub) const;
  void finish_creation(Subscription& sub);
  void on_beginning_written(Subscription& sub, RecordToken token);
  void want_all_tails(Subscription& sub);
  void ask_tails(Subscription& sub);
  void take_tails(Subscription& sub, const Query& query, const std::vector<StoredTail>& tails, More more);

  // durable_offer.cpp: events go to the dispatcher and come back done
  Stream& add_stream(Subscription& sub, StreamId id);
  Stream& stream_of(Subscription& sub, durable::StreamIdView id, std::uint32_t hint);
  static void know(Subscription& sub, Stream& stream, std::uint64_t next);
  static std::uint64_t pending_in(const Stream& stream);
  static std::uint64_t waiting_in(const Stream& stream);
  std::uint64_t waiting_of(const Subscription& sub) const;
  std::optional<StreamKey> take_frame(Subscription& sub, const FramePtr& frame, std::uint32_t skip, std::uint32_t hint);
  enum class Met : std::uint8_t { Before, Now };
  void take_unkept(Subscription& sub, Stream& stream, std::uint64_t first, Met met);
  bool is_in_step(const Subscription& sub, const Stream& stream, std::uint64_t first, std::uint64_t last) const;
  bool may_offer() const;
  std::uint64_t room(const Subscription& sub, const Stream& stream) const;
  static std::uint64_t lane_room(const Subscription& sub, std::size_t lane);
  std::uint64_t least_room(const Subscription& sub, std::size_t lane) const;
  void hold(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint64_t bytes_max);
  void pump(Subscription& sub, Stream& stream);
  bool offer_next(Subscription& sub, Stream& stream);
  std::uint64_t offerable(const Stream& stream, std::uint64_t last) const;
  void offer(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint32_t index, std::uint32_t count,
             std::optional<Earlier> earlier, const GateAttempts& gates);
  bool offer_again(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint32_t index);
  void bury(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint32_t index, LetterDeath death);
  std::vector<Route> routes_to(const DurableHandler& handler, StreamKey key, std::string_view type, Booked booked,
                               const GateAttempts& gates) const;
  void went_out(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint64_t first, std::uint64_t count);
  void wait_for_room(Subscription& sub, Stream& stream);
  void use_room(Subscription& sub);
  void on_completed(const Completed& completed);
  void pass(Subscription& sub, Stream& stream, std::uint64_t first, std::uint64_t last);

  // durable_suspects.cpp: what was in hands when the process died
  bool must_wait_for_suspects(const Stream& stream) const;
  static bool has_suspect(const Stream& stream);
  void suspect_is_over();
  std::uint64_t under_way() const;
  void watch_suspects();
  void give_up_entries();
  bool is_sought(const InFlightEntry& entry) const;
  bool may_be_sought(const InFlightEntry& entry) const;
  bool is_taken_up_gate(const InFlightEntry& entry) const;
  void take_up_gates(const InFlightEntry& entry, GateAttempts& gates) const;
  std::optional<LetterDeath> death_before(const DurableHandler& handler, const Earlier& so_far,
                                          const GateAttempts& gates) const;
  void forget_gates(const std::string& event, std::uint32_t round);
  void end_probation();
  void pump_all();

  // durable_repair.cpp: what is missing is asked for
  void want_repair(Subscription& sub, Stream& stream);
  void ask_streams(Subscription& sub);
  bool ask_stream(Subscription& sub, Stream& stream);
  bool may_exceed(const Subscription& sub, const Stream& stream, std::uint64_t first) const;
  const Verdict* verdict_of(const Stream& stream, std::uint32_t spool, std::uint64_t sequence) const;
  std::optional<std::uint32_t> choose_spool(const Stream& stream, std::uint64_t first) const;
  void take_page(Subscription& sub, Stream& stream, const Query& query, StreamAnswer answer);
  void stream_query_failed(Subscription& sub, Stream& stream, std::uint32_t spool, const std::string& why);
  bool is_too_much(const Subscription& sub, const Stream& stream, const StreamAnswer::Part& part) const;
  Result<void> take_part(Subscription& sub, Stream& stream, std::uint32_t spool, StreamAnswer::Part& part,
                         std::uint64_t& position);
  void missing(Stream& stream, std::uint32_t spool, std::uint64_t first, std::uint64_t last, std::string why,
               const JournalPositions& journals = {});
  bool was_trimmed(const Stream& stream, const Verdict& missing) const;
  void note_verdict(Stream& stream, Verdict verdict);
  bool close_gap(Subscription& sub, Stream& stream);
  void lose(Subscription& sub, Stream& stream, std::uint64_t last, const std::string& why);
  void note_gap(Subscription& sub, Stream& stream);
  void end_gap(Subscription& sub, Stream& stream);
  std::string why_stalled(const Stream& stream) const;
  void learn_tail(Subscription& sub, Stream& stream, std::uint64_t next);
  void keep_stream(Subscription& sub, Stream& stream);

  // durable_journal.cpp: what is recorded
  RecordToken write(SpoolRecord record, Written about);
  void mark_dirty(Subscription& sub, Stream& stream);
  enum class When : std::uint8_t { Due, AtOnce };
  void write_cursors(Subscription& sub, When when);
  void write_whole(Subscription& sub);
  RecordToken write_streams(Subscription& sub, CursorRecord::Form form, const std::vector<StreamCursor>& streams,
                            Written::Kind kind);
  RecordToken write_cursor(Subscription& sub, CursorRecord::Form form, std::vector<StreamCursor> streams,
                           Written::Kind kind);
  void write_attempt(Subscription& sub, Stream& stream, std::uint64_t sequence, const Earlier& so_far, Written about);
  void on_failure(const AttemptFailed& failure);
  LetterRecord letter_record(const DurableHandler& handler, const Frame& frame, std::uint32_t index,
                             LetterDeath death) const;
  LetterDeath death_of(const DeadLetter& letter) const;
  void take_letter(const DeadLetter& letter);
  void write_letter(LetterRecord record);
  void on_written(RecordToken token);
  void after_written(RecordToken token, const Written& about);

  // durable_requeue.cpp: letters on their way again
  void requeue(RequestId request, LetterRecord letter);
  Result<FramePtr> frame_of(const LetterRecord& letter) const;
  bool is_own(const LetterRecord& letter) const;
  std::optional<std::uint32_t> target_of(const LetterRecord& letter, const FrameHeader& header) const;
  std::optional<std::uint32_t> holder_of(const LetterRecord& letter, const FrameHeader& header) const;
  Requeue& begin_requeue(LetterRecord letter, FramePtr frame, std::uint32_t handler);
  void write_requeued(Requeue& requeue, TaskId permit);
  void on_requeued_written(const Written& about);
  void offer_requeues();
  void on_requeue_completed(const std::string& key);
  void requeue_died(Requeue& requeue, LetterDeath death);
  void end_requeue(Requeue& requeue, LetterRecord record);
  void remember(const std::string& key, const LetterRecord& record);
  void ask_letters();
  bool all_letters_loaded() const;
  void take_letters(std::uint32_t spool, std::vector<LetterRecord> letters, More more);
  void take_up_letter(LetterRecord letter);

  // durable_operator.cpp
  void answer(RequestId request, Result<std::string> result);
  void reset(Subscription& sub, RequestId request, DurableStart start);
  void skip(Subscription& sub, RequestId request, const StreamId& id, std::optional<std::uint64_t> through);
  void remove(Subscription& sub, RequestId request);
  void give_back_name(Subscription& sub);
  DurableFigures::Survey survey_of(const Subscription& sub) const;
  DurableFigures figures_of(const Subscription& sub, std::size_t streams_max) const;
  static std::optional<WallTime> oldest_of(const Stream& stream);
  std::optional<std::string> check() const;

  // durable_answers.cpp
  void query_failed(QueryId id, const std::string& why);

  // durable.cpp
  void take_spools(std::vector<KnownSpool> given);
  void on_spool_reachable(std::uint32_t spool);
  void on_spool_moved(std::uint32_t spool);
  void tick();
  void tick(Subscription& sub);
  QueryId ask(std::uint32_t spool, Query query, decltype(SpoolQuery::what) what);
  std::optional<Query> take_query(QueryId id, Query::Kind kind);
  StreamKey take_slot(Slot::Use use);
  void give_back_slot(StreamKey key);
  Subscription* find(std::string_view name);
  Subscription* sub_of(SubscriptionId id) {
    return id.value < sub_of_handler.size() ? sub_of_handler[id.value] : nullptr;
  }
  bool is_known(std::uint32_t spool) const { return spools[spool].present == Spool::Present::Yes; }
  /// Known, and whatever begins waits for what it says.
  bool is_awaited(std::uint32_t spool) const { return is_known(spool) && spools[spool].is_expected(); }
  void log(DurableLog::Level level, std::string text) { effects.push_back(DurableLog{level, std::move(text)}); }

  DurableConfig config;
  Now now{};
  std::vector<DurableHandler> handlers;         // by SubscriptionId
  std::deque<Subscription> subs;                // deque: references stay valid
  std::vector<Subscription*> sub_of_handler;    // null: a plain one
  std::vector<Spool> spools;                    // numbers stay; those that left are not present
  std::vector<Slot> slots;                      // by StreamKey
  std::vector<StreamKey> free_slots;
  std::unordered_map<QueryId, Query> queries;
  std::map<RecordToken, Written> written;       // not confirmed yet
  std::size_t written_bytes = 0;                // of letters and attempts
  QueryId last_query = 0;
  RecordToken last_token = 0;
  std::uint64_t last_serial = 0;

  std::map<std::string, Requeue> requeues;      // by key of the letter
  std::map<std::string, LetterRecord> ended;    // what requeues came to, by key; without payload
  std::deque<std::string> ended_order;
  std::vector<durable::LettersOf> letters_of;   // by spool

  std::vector<InFlightEntry> in_flight;         // not yet taken up
  enum class Past : std::uint8_t { Unknown, Known } past = Past::Unknown;  // what was in flight when the process ended
  std::uint64_t suspects = 0;  // events that are not over
  enum class Probation : std::uint8_t { No, Yes } probation = Probation::No;
  std::optional<SteadyTime> probation_since;
  enum class Intake : std::uint8_t { Open, Draining } intake = Intake::Open;

  std::vector<DurableEffect> effects;
  std::size_t offers_pending = 0;  // among the effects
};

}  // namespace legion
