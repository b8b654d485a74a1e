// The durable subscriptions of a node: cursor, repair, retries, dead letters, requeues. docs/protocol.md, "Durable
// subscriptions".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <legion/core/books.hpp>
#include <legion/core/durable_types.hpp>
#include <legion/core/in_flight.hpp>

namespace legion {

/// Decides what is offered to the dispatcher when, what is asked of which spool, and what is recorded.
///
/// A live frame that comes in step is offered at once, together with the plain subscriptions. Whatever is missing (from
/// the start, by a lost frame, for want of room) is read from a spool, in order; live frames are held meanwhile within
/// a bound and beyond it left to be read later. A gap closes as lost only when every known spool says never; until then
/// its stream stands still, and only it. What an event was that was in hands when the process died is handed over
/// alone: while there is such a suspect nothing else durable is, for at most DurableConfig::suspect_patience.
///
/// Thread: none of its own; the loop's. `now` does not go back on the steady clock.
/// Order: per subscription and stream events are offered in order, each once in a life of the node. take_effects()
/// after every batch of inputs, carried out in order before further inputs. A letter is written before the cursor
/// passes its event; an attempt from the second on is confirmed before it is permitted. Bounds: per subscription
/// DurableConfig::buffer_bytes of held frames, a page and a frame for each question more, and `capacity` events a lane
/// under way in the dispatcher; per stream at most limits::cursor_ahead_max events between the cursor and what is
/// offered. Errors: what a spool answers that does not fit is logged and counts as not having it.
class DurableSubscriptions {
 public:
  explicit DurableSubscriptions(DurableConfig config);
  ~DurableSubscriptions();
  DurableSubscriptions(DurableSubscriptions&&) noexcept;
  DurableSubscriptions& operator=(DurableSubscriptions&&) noexcept;

  /// In the order of their SubscriptionId, at any time; gates before the first input. The names of durable ones differ.
  void add_handler(DurableHandler handler);
  bool is_durable(SubscriptionId subscription) const;
  /// Before the first input: what the process before this one left. Without this call nothing is known of it, and
  /// every recorded attempt counts as made.
  void on_start_in_flight(std::vector<InFlightEntry> entries);

  // --- what arrives live ---------------------------------------------------------------------------------------------
  /// A frame for this subscription whose events from `skip` on are new here; also what is published on this node.
  /// `hint`: a small number that usually names the same stream (the ledger's). Returns the number for
  /// Route::durable when all its new events are to be offered to the subscription now, by the caller, together with the
  /// other routes of the frame; nothing: they are taken care of otherwise.
  std::optional<StreamKey> on_frame(Now now, SubscriptionId subscription, const FramePtr& frame, std::uint32_t skip,
                                    std::uint32_t hint);
  /// A tail marker, or a tail in an echo or in an answer about a dead origin.
  void on_tail(Now now, const StreamId& stream, std::uint64_t next);

  // --- spools --------------------------------------------------------------------------------------------------------
  /// All of them; whenever something changed, and with every heartbeat of a spool.
  void on_spools(Now now, std::vector<KnownSpool> spools);
  // Exactly one answer to a query; what comes later, or after a timeout, is ignored.
  void on_claimed(Now now, QueryId query);
  void on_claim_refused(Now now, QueryId query, const std::string& holder);
  void on_cursor(Now now, QueryId query, std::optional<CursorRecord> merged, std::vector<AttemptRecord> attempts);
  void on_letters(Now now, QueryId query, std::vector<LetterRecord> letters, More more);
  void on_tails(Now now, QueryId query, std::vector<StoredTail> tails, More more);
  void on_stream(Now now, QueryId query, StreamAnswer answer);
  void on_found(Now now, QueryId query, std::optional<std::uint64_t> commit);
  void on_scan(Now now, QueryId query, ScanAnswer answer);
  void on_query_failed(Now now, QueryId query, const Error& error);

  /// The record, and every one written before it, is durable as often as records have to be.
  void on_recorded(Now now, RecordToken token);

  // --- the dispatcher ------------------------------------------------------------------------------------------------
  void on_reports(Now now, DurableReports reports);
  /// Letters of plain deliveries: recorded while a spool is known.
  void on_plain_letters(Now now, std::vector<DeadLetter> letters);

  // --- shares of a group ---------------------------------------------------------------------------------------------
  /// A share may work, under a cursor generation with this counter. Higher than any it had before.
  void on_lease(Now now, SubscriptionId subscription, std::uint64_t epoch);
  /// Nothing more is offered of it; ShareReleased follows once what is under way is over and recorded.
  void on_lease_revoked(Now now, SubscriptionId subscription);
  /// Why a share is in standby, for operators.
  void on_no_lease(SubscriptionId subscription, const std::string& why);
  /// Somebody else has it: what is under way ends as it does and counts for nothing.
  void on_lease_lost(Now now, SubscriptionId subscription);

  void on_tick(Now now);
  /// Nothing is offered any more; cursors are written until the end.
  void begin_drain(Now now);
  /// Writes what is not written.
  void close(Now now);

  // --- operators -----------------------------------------------------------------------------------------------------
  // Answered by RequestAnswer. Errors: NotFound, Refused, InvalidArgument, WouldBlock, BadData.
  /// Begins anew, under a higher generation.
  void on_reset(Now now, RequestId request, const std::string& name, DurableStart start);
  /// Gives up what is missing: of this stream up to `through`, or as far as the gap at its cursor goes.
  void on_skip(Now now, RequestId request, const std::string& name, const StreamId& stream,
               std::optional<std::uint64_t> through);
  void on_remove(Now now, RequestId request, const std::string& name);
  /// Gives every name back to the spools; nothing is consumed any more. What was written stays written.
  void release_names(Now now);
  /// The letter as the spools have it now (the one that holds, holds_over()), with its frame.
  void on_requeue(Now now, RequestId request, LetterRecord letter);
  void on_purge(Now now, RequestId request, LetterRecord letter);

  /// To be carried out in order.
  std::vector<DurableEffect> take_effects();

  /// Of a durable subscription, in this life: published (known to exist, from where it began or went on), lost for
  /// good, dead without being handed over, pending as far as the dispatcher has not got it. The rest is in the
  /// dispatcher's books; together they balance. Nothing of a plain one.
  Books books(SubscriptionId subscription) const;
  std::vector<DurableFigures> figures(std::size_t streams_max) const;

  /// Compares its counters with its structures, for tests: what does not add up, or nothing.
  std::optional<std::string> check() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
