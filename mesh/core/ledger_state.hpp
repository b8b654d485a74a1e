// What a ledger knows: subscriptions, lives of origins, their streams.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <legion/core/ledger.hpp>
#include <legion/core/ledger_stream.hpp>
#include <legion/core/ledger_syncs.hpp>

namespace legion {

/// The full name of a received stream, borrowed from a frame header or from the stream itself.
struct LedgerCoordinate {
  std::string_view node;
  Incarnation incarnation = 0;
  Priority lane = Priority::Normal;
  std::string_view type;
  std::uint8_t shard = 0;
  friend bool operator==(const LedgerCoordinate&, const LedgerCoordinate&) = default;
};

struct LedgerIndexHash {
  using is_transparent = void;
  std::size_t operator()(const LedgerCoordinate& at) const;
  std::size_t operator()(const LedgerStream* stream) const;
};
struct LedgerIndexEqual {
  using is_transparent = void;
  bool operator()(const LedgerStream* a, const LedgerStream* b) const { return a == b; }
  bool operator()(const LedgerCoordinate& at, const LedgerStream* stream) const;
  bool operator()(const LedgerStream* stream, const LedgerCoordinate& at) const { return (*this)(at, stream); }
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

struct Ledger::State {
  struct Subscription {
    Filter filter;
    bool active = true;
    Books folded;  // of streams that are no longer kept
  };
  struct Name {
    std::unique_ptr<LedgerLife> present;
    std::unique_ptr<LedgerLife> previous;  // closed; kept for tails that other members may still tell
  };
  /// Why there is no stream for a frame.
  enum class Admission : std::uint8_t { Admitted, NotWanted, OldIncarnation, OutOfBounds, Implausible };

  State(std::string receiver, std::optional<Origin> own_origin, std::uint64_t seed);

  // Subscriptions
  bool wanted(std::string_view type);
  bool wanted_by_covered(std::string_view type, LedgerSubscription covered) const;
  void refresh_routes(LedgerStream& stream) const;
  void drop_subscription(LedgerSubscription subscription);

  // Lives
  bool is_own_name(std::string_view node) const { return own && own->node == node; }
  LedgerLife* present_life(std::string_view node) const;
  LedgerLife* find_life(const Origin& origin) const;
  /// The present life of this name, made or succeeded so that it has at least this incarnation; nullptr when there are
  /// too many names.
  LedgerLife* present_at_least(Now now, std::string_view node, Incarnation incarnation);
  void fold(LedgerLife& life);

  // Streams
  LedgerStream* find_stream(const LedgerCoordinate& at) const;
  Admission admit(Now now, const FrameHeader& header, LedgerStream*& stream);
  LedgerStream* make_stream(LedgerLife& life, Priority lane, std::string_view type, std::uint8_t shard,
                            std::uint64_t next);
  StreamNumber take_number();
  void drop_stream(LedgerStream& stream);
  void fold_route(LedgerStream& stream, std::size_t index);
  void apply_echo(LedgerLife& life, Priority lane, const LedgerSyncs::UnderWay& echo);

  void sync_open_since(SteadyTime since) { oldest_open_sync = std::min(oldest_open_sync, since); }
  Totals& totals_of(Priority lane) { return totals[lane_index(lane)]; }

  std::optional<Origin> own;
  std::vector<Subscription> subscriptions;
  std::vector<LedgerSubscription> active;  // ascending
  std::uint64_t generation = 1;            // of the set of active subscriptions
  std::unordered_map<std::string, bool, TextHash, std::equal_to<>> wanted_cache;
  std::map<std::string, Name, std::less<>> names;
  std::unordered_set<LedgerStream*, LedgerIndexHash, LedgerIndexEqual> index;
  StreamNumber last_number = 0;
  std::deque<StreamNumber> free_numbers;  // of streams that are over
  LedgerSyncs syncs;
  /// No sync that may become overdue is older; of none at all, the last look at them.
  SteadyTime oldest_open_sync;
  std::array<Totals, limits::lane_count> totals{};
  const std::vector<LedgerRoute> no_routes;
};

}  // namespace legion
