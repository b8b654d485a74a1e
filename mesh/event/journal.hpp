// Names of what is journalled: every durable frame has a place in a journal of its origin.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/ids.hpp>
#include <legion/event/priority.hpp>

namespace legion {

/// The two journals of a node. The number is the wire form.
enum class JournalKind : std::uint8_t { Confirmed = 1, Captured = 2 };
inline constexpr JournalKind all_journals[] = {JournalKind::Confirmed, JournalKind::Captured};
constexpr std::size_t journal_index(JournalKind kind) { return static_cast<std::size_t>(kind) - 1; }
std::string_view to_string(JournalKind kind);  ///< "confirmed", "captured"

/// Place of a record in a journal: 1, 2, 3.. A frame takes one position, a void a range. 0: none.
using Position = std::uint64_t;

/// Both ends included; never empty.
struct PositionRange {
  Position first = 0;
  Position last = 0;
  friend auto operator<=>(const PositionRange&, const PositionRange&) = default;
};

/// A stream, by everything that names it.
struct StreamId {
  Origin origin;
  Priority lane = Priority::Normal;
  std::string type;
  std::uint8_t shard = 0;
  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

/// Sequences first .. last (both included) of one stream of an origin that is known from the context.
struct StreamSpan {
  Priority lane = Priority::Normal;
  std::string type;
  std::uint8_t shard = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend auto operator<=>(const StreamSpan&, const StreamSpan&) = default;
};

/// Bytes of a whole frame, shared by the journal, the links it waits on and the store's queue until the last is done.
using SharedBytes = std::shared_ptr<const Bytes>;

/// One entry of a journal: a frame, or the trace of frames that were given up before any spool had them.
struct JournalRecord {
  Origin origin;
  JournalKind journal = JournalKind::Captured;
  Position first = 0;
  Position last = 0;               ///< of a frame: `first`
  std::uint8_t held_for = 0;       ///< deliver = "after_confirm": so many spools must have it before anybody is given it; 0: live
  SharedBytes frame;               ///< null: a void
  std::vector<StreamSpan> spans;   ///< of a void only: what stood there
  bool is_void() const { return frame == nullptr; }
};

/// Identifies a store for ever: drawn at its creation, kept in it.
struct StoreId {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const StoreId&, const StoreId&) = default;
  std::string hex() const;  ///< 32 lower-case hex digits
};

}  // namespace legion
