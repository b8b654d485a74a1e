// The receiving half of the streams: what was published, what arrived, what is missing, for every subscription.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/books.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame.hpp>

namespace legion {

/// Index of a local subscription, given by the ledger in the order of add_subscription().
using LedgerSubscription = std::uint32_t;
/// A small number for (origin, lane, type, shard), stable while this process knows the stream.
using StreamNumber = std::uint32_t;

/// A subscription a frame goes to, and from which sequence on its events count in the books.
struct LedgerRoute {
  LedgerSubscription subscription = 0;
  std::uint64_t booked_from = 0;  ///< events with a sequence >= this are booked; UINT64_MAX: none yet
};

/// What to do with one received frame. `routes` stays valid until the next call on the ledger.
struct FrameVerdict {
  StreamNumber stream = 0;
  std::uint32_t skip = 0;         ///< leading events already seen (duplicates); equal to the count: nothing to deliver
  std::uint64_t gap = 0;          ///< events missing right before this frame
  const std::vector<LedgerRoute>* routes = nullptr;
};

/// Counts link losses per subscription from the baseline on; what becomes of delivered events is the dispatcher's part
/// of the same books. Source: docs/protocol.md, "Streams".
///
/// Baseline: the first complete sync echo per (origin incarnation, lane, subscription). Streams in it count from the
/// tail it states, streams absent from it from 1. Later echoes and tail markers only move the tail: what lies between
/// the next expected sequence and the tail is lost(link). The own origin has its baseline at 1 from the start; a
/// subscription added later counts own streams from their next event.
///
/// Thread: the loop's. Bounds: limits::streams_per_origin_max streams per incarnation, limits::roster_entries_max
/// origins and two incarnations of each; of subscriptions that were removed a few numbers remain.
class Ledger {
 public:
  /// `receiver` goes into sync topics: the node's name, or "~" and hex for an observer. `own` is the origin whose
  /// events are delivered locally without a link; nullopt for an observer.
  Ledger(std::string receiver, std::optional<Origin> own, std::uint64_t seed);
  ~Ledger();

  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;

  /// Of other origins it books from the next sync that begins after this call; of the own origin from the next event.
  /// Indices are never used again.
  LedgerSubscription add_subscription(const Filter& filter);
  /// Its books stay as they are. Streams no other subscription matches are forgotten.
  void remove_subscription(LedgerSubscription subscription);
  /// Every filter in force, without repetition.
  std::vector<Filter> filters() const;

  // --- sync -------------------------------------------------------------------------------------------------------
  /// A lane to `origin_name` was (re)connected or a subscription was added: the topic to subscribe to now, with a fresh
  /// nonce. A sync of the same (origin, lane) still under way is superseded; its topic is returned by retired_topics().
  SyncTopic begin_sync(Now now, const std::string& origin_name, Priority lane);
  /// Syncs that got no complete echo for `retry_after` (twice, then four times that when begun again), and lanes where a new incarnation appeared that long ago and
  /// has not been synced: to be begun again by the caller. None for origins declared dead.
  struct DueSync { std::string origin; Priority lane; };
  std::vector<DueSync> overdue_syncs(Now now, Duration retry_after) const;  ///< O(1) until one may be overdue
  /// Topics to unsubscribe: complete or superseded.
  std::vector<std::pair<Priority, SyncTopic>> retired_topics();
  /// Foreign, late or repeated parts are ignored. True when this part completed the sync of its (origin, lane).
  bool on_sync_part(Now now, Priority lane, const ReceivedSyncPart& part);
  /// The links to this origin are gone for good: its syncs under way are retired and no longer overdue.
  void on_links_closed(const std::string& origin_name);
  /// Every lane of this origin's present incarnation has completed at least one sync.
  bool synced(const std::string& origin_name) const;

  // --- frames -----------------------------------------------------------------------------------------------------
  /// For data frames and tail markers. A frame of an incarnation lower than the known one is a duplicate (skip =
  /// count); a higher one is believed and closes the old. What cannot be counted (a stream or origin beyond the bounds,
  /// a sequence no origin reaches) is skipped whole. A tail marker is never delivered; its gap counts as any other.
  FrameVerdict on_frame(Now now, const FrameHeader& header);
  /// Some subscription wants this type (own events are not encoded again when nobody here does).
  bool wanted(std::string_view type) const;

  // --- origins ----------------------------------------------------------------------------------------------------
  // The present incarnation of a name and the one before it are kept apart; earlier ones are folded into sums, so that
  // memory does not grow with restarts. Tails of a folded incarnation come too late and change nothing.

  /// A higher incarnation of this name exists: the old one's books are closed as if it had died.
  void on_origin_incarnation(Now now, const Origin& origin);
  /// Declared dead: from now on losses up to tails known elsewhere count as lost(origin_died). Frames of it that still
  /// come take back what they prove.
  void on_origin_dead(Now now, const Origin& origin);
  /// The same incarnation is back: lost(origin_died) is taken back, the next echo decides.
  void on_origin_back(Now now, const Origin& origin);
  /// Tails of a dead or superseded origin as another member knows them.
  void on_foreign_tails(const Origin& origin, Priority lane, const std::vector<Tail>& tails);
  /// Left or forgotten for good: its books are folded and its streams and syncs dropped.
  void forget_origin(const std::string& origin_name);
  /// What this node itself knows of an origin's tails, to answer others.
  std::vector<Tail> known_tails(const Origin& origin, Priority lane) const;

  // --- books ------------------------------------------------------------------------------------------------------
  /// published, lost[link], lost[origin_died] of one subscription, summed over its streams; the rest is zero.
  Books books(LedgerSubscription subscription) const;
  /// The same of every subscription there ever was, by index, in one walk over the streams.
  void all_books(std::vector<Books>& out) const;
  struct Totals {
    std::uint64_t frames = 0;           ///< data frames
    std::uint64_t events = 0;           ///< in them, duplicates included
    std::uint64_t markers = 0;
    std::uint64_t duplicates = 0;       ///< events skipped because they, or a later incarnation, had been seen
    std::uint64_t lost_link = 0;        ///< events at least one subscription lost
    std::uint64_t streams = 0;          ///< known now
    std::uint64_t refused_streams = 0;  ///< frames of streams beyond limits::streams_per_origin_max
    std::uint64_t implausible = 0;      ///< frames, tails and echoes with a sequence no origin reaches
  };
  Totals totals(Priority lane) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
