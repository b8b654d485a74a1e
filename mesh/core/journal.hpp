// The origin's side of the journal link: two bounded journals, streamed to every spool.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/spool_messages.hpp>
#include <legion/event/journal.hpp>

namespace legion {

/// A numbered frame that goes into a journal.
struct JournalFrame {
  Priority lane = Priority::Normal;
  std::string_view type;       ///< points into `bytes`
  std::uint8_t shard = 0;
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  std::uint8_t spools = 1;     ///< required, 1 to required_spools_max; of captured frames 1
  bool after_confirm = false;
  SharedBytes bytes;
};

/// Keeps frames until the required spools have them, and longer for laggards while there is room.
///
/// Confirmed: the caller reserves room before it appends, so append() never fails; what is durable on the required
/// number of spools is dropped when room is needed, or when every spool has it and `spare_bytes` is full. Captured: when it is full, the oldest
/// frames that are on a spool are dropped, and then the oldest ones that are not under way give way to a void; adjacent
/// voids merge; counted. A spool that needs what was dropped but is no void gets it from another spool: it is told to
/// skip.
///
/// Thread: none of its own; the loop's. Order: positions 1, 2, 3.. per journal in the order of append(); each link is
/// sent every record in position order, within the window the spool grants. Bounds: the configured bytes per journal
/// (frames plus a fixed overhead each), or one frame that is larger; voids excepted, which merge. Errors: what a spool
/// says that does not fit is counted and ignored.
class Journal {
 public:
  struct Config {
    std::uint64_t confirmed_bytes = 64ull << 20;
    std::uint64_t captured_bytes = 64ull << 20;
    /// The newest frames that every spool has are kept up to so many bytes in each journal: a store that turns out to
    /// have lost its newest blocks gets them again.
    std::uint64_t spare_bytes = 16ull << 20;
    Duration resend_after = 2s;    ///< nothing acknowledged for so long while something is out: open again, the next
                                   ///< time after twice as long, up to 16 times, until something is
    Duration reopen_after = 1s;    ///< between attempts to open a link that was refused
  };
  /// `seed` draws sessions.
  Journal(Origin origin, BootId boot, Config config, std::uint64_t seed);
  ~Journal();

  /// Bytes a frame of `frame_bytes` takes up.
  static std::uint64_t cost(std::size_t frame_bytes);

  /// Confirmed frames that require so many spools may come: for degraded().
  void expect_spools(std::uint8_t spools);
  Position append(Now now, JournalKind journal, JournalFrame frame);

  /// `spool` is the node name. The connection is there (again): begin a session.
  void on_link_up(Now now, const std::string& spool);
  void on_link_down(Now now, const std::string& spool);
  /// It left: nothing is kept for it any more.
  void on_spool_gone(Now now, const std::string& spool);
  void on_message(Now now, const std::string& spool, const FromSpool& message);
  void on_tick(Now now);
  /// Tells every spool the final positions; no append() follows.
  void close(Now now);

  struct Send {
    std::string spool;
    ToSpool message;
  };
  /// Every frame up to `through` that asked for `spools` or more of them is durable on at least that many different
  /// stores (those that asked for fewer are on as many as they asked for). Told for every number up to the highest one
  /// a frame in this journal asked for, in ascending order.
  struct Durable {
    JournalKind journal = JournalKind::Confirmed;
    std::uint8_t spools = 1;
    Position through = 0;
  };
  struct LogLine {
    enum class Level : std::uint8_t { Info, Warning, Error } level = Level::Info;
    std::string text;
  };
  using Effect = std::variant<Send, Durable, LogLine>;
  /// To be carried out in order after every batch of inputs. Fills the windows of the links.
  std::vector<Effect> take_effects();
  /// The same into `effects`, whose memory is used again.
  void take_effects(std::vector<Effect>& effects);

  /// Bytes of reservations that are over since the last call: frames of the confirmed journal that became durable.
  std::uint64_t take_released_bytes();

  struct LinkFigures {
    std::string spool;
    enum class State : std::uint8_t { Down, Opening, Open, Refused } state = State::Down;
    std::optional<StoreId> store;
    std::array<Position, 2> acknowledged{};
    std::array<Position, 2> sent{};
    std::uint64_t ignored = 0;     ///< messages that did not fit
    std::string trouble;           ///< of Refused: why
  };
  struct Figures {
    Position last = 0;             ///< appended
    Position durable = 0;          ///< on one spool
    std::uint64_t bytes = 0;
    std::uint64_t bytes_max = 0;
    std::uint64_t appended_events = 0;
    std::uint64_t unconfirmed_events = 0;  ///< not yet durable as often as required
    std::uint64_t durable_events = 0;      ///< were, as often as required
    std::uint64_t voided_events = 0;       ///< of captured: given up before a spool was known to have them
  };
  Figures figures(JournalKind journal) const;
  /// Events of the records that are here and not durable as often as required, counted one by one: with what was
  /// durable and what was voided they make up what was appended.
  std::uint64_t waiting_events(JournalKind journal) const;
  std::vector<LinkFigures> links() const;
  /// Confirmed frames that were appended or are expected require more different stores than links are open to.
  bool degraded() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
