// The spool's side of the journal link: judges what arrives, decides what is stored and what is acknowledged.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/spool_messages.hpp>

namespace legion {

/// Per origin and journal: takes records in position order, once, and asks for what is missing.
///
/// Thread: the spool's loop. Order: records are given to the store in the order of their positions per journal, each
/// once. Bounds: `window_bytes_total` bytes given to the store and not yet durable, divided evenly among the origins
/// that have a link; each journal of them may always have 64 KiB, or one record; links_max links, links_per_origin_max
/// of one origin (the oldest goes), one number for each node the store knows. Errors: a message that does not fit costs
/// that message; when something is missing the link rewinds; a frame that is none, or of another origin, costs the link
/// (bad_data).
class JournalInlet {
 public:
  struct Config {
    std::uint64_t window_bytes_total = 256ull << 20;
    std::uint64_t window_bytes_link = 32ull << 20;  ///< at most, per origin and journal
  };
  static constexpr std::uint64_t window_bytes_min = 64 * 1024;
  static constexpr std::size_t links_max = 4096;
  static constexpr std::size_t links_per_origin_max = 4;

  JournalInlet(StoreId store, Config config);
  ~JournalInlet();

  /// What the store has of a journal, as JournalState says it: `ranges` ascending and apart, nothing missing up to
  /// `floor`. Told before each on_open() of the origin (what it knew may have been forgotten; nothing is taken back),
  /// and whenever the store got something in another way (from another spool).
  void on_stored(const Origin& origin, JournalKind journal, Position floor, std::span<const PositionRange> ranges);
  /// The store knows of this life of a node, or is about to. Earlier lives of the node have no link any more: what of
  /// theirs is still on its way is not taken, so that the end of theirs that readers are told of stays the end.
  void on_life(const Origin& origin);
  /// `peer` is the connection's routing id. `bound` is how the store answered bind(): empty, or why it refused.
  void on_open(Now now, const std::string& peer, const OpenLink& message, const std::string& bound);
  /// All but OpenLink; of AppendFrame with the frame.
  void on_message(Now now, const std::string& peer, ToSpool message);
  /// The store made everything it had been given of this journal up to here durable.
  void on_committed(Now now, const Origin& origin, JournalKind journal, Position through);
  /// Nothing is confirmed any more; links are refused with this reason.
  void on_frozen(Now now, const std::string& reason);
  /// The store no longer has what it said (a damaged block was set aside): every link is told to open again, and goes
  /// on from what on_stored() says before that.
  void on_store_lost(Now now);
  void on_peer_gone(const std::string& peer);

  struct Store { JournalRecord record; };
  struct SetReleased { Origin origin; JournalKind journal{}; std::uint8_t spools = 1; Position through = 0; };
  struct SetFinal { Origin origin; Position confirmed = 0, captured = 0; };
  struct Answer { std::string peer; FromSpool message; };
  using Effect = std::variant<Store, SetReleased, SetFinal, Answer>;
  /// To be carried out in order after every batch of inputs.
  std::vector<Effect> take_effects();
  /// The same into `effects`, whose memory is used again.
  void take_effects(std::vector<Effect>& effects);

  struct Figures {
    std::uint64_t links = 0;
    std::uint64_t records = 0, duplicates = 0, rewinds = 0, refused = 0;
    std::uint64_t skipped = 0;        ///< positions a node did not have any more
    std::uint64_t ignored = 0;        ///< messages of no link or another session, or that make no sense
    std::uint64_t bytes_waiting = 0;  ///< given to the store, not yet durable
  };
  Figures figures() const;
  /// A link of it is open: it has sent, or is sending, whatever it still keeps.
  bool is_linked(const Origin& origin) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
