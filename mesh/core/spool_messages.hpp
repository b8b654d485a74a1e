// What nodes and spools tell each other on the spool port. Wire form: docs/protocol.md, "Spool link".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/core/sequence.hpp>
#include <legion/event/journal.hpp>

namespace legion {

/// Draws a line between what was said before and after a (re)connection: the node draws it, the spool repeats it.
using LinkSession = std::uint64_t;  ///< never 0

inline constexpr std::uint8_t spool_link_version = 1;
inline constexpr std::uint8_t required_spools_max = 4;          ///< the highest `spools` of a type
inline constexpr std::size_t void_spans_max = 1024;             ///< in one AppendVoid
inline constexpr std::size_t have_ranges_max = 64;              ///< beyond `through`, in one LinkOpened
inline constexpr Position position_max = sequence_max;
/// What a record counts against the window besides its frame; a void this and as much again for each span.
inline constexpr std::uint64_t record_window_bytes = 64;

// --- node to spool --------------------------------------------------------------------------------------------------
struct OpenLink {
  std::uint8_t version_min = 1, version_max = 1;
  LinkSession session = 0;
  Origin origin;
  BootId boot;
  /// Otherwise only the versions and the session are known.
  bool speaks_our_version() const { return version_min <= spool_link_version && spool_link_version <= version_max; }
  friend bool operator==(const OpenLink&, const OpenLink&) = default;
};
/// One part for this head, one for the frame.
struct AppendFrame {
  LinkSession session = 0;
  JournalKind journal = JournalKind::Captured;
  Position position = 0;
  std::uint8_t held_for = 0;
  SharedBytes frame;           ///< the second part; sent without copying
  friend bool operator==(const AppendFrame&, const AppendFrame&) = default;
};
struct AppendVoid {
  LinkSession session = 0;
  JournalKind journal = JournalKind::Captured;
  PositionRange range;
  std::vector<StreamSpan> spans;  ///< may begin before the range
  friend bool operator==(const AppendVoid&, const AppendVoid&) = default;
};
/// The node has these positions no more although they are no void: a hole that other spools can fill.
struct SkipRange {
  LinkSession session = 0;
  JournalKind journal = JournalKind::Captured;
  PositionRange range;
  friend bool operator==(const SkipRange&, const SkipRange&) = default;
};
/// Every frame up to `through` that asked for `spools` or more of them is on that many stores.
struct Released {
  LinkSession session = 0;
  JournalKind journal = JournalKind::Confirmed;
  std::uint8_t spools = 1;
  Position through = 0;
  friend bool operator==(const Released&, const Released&) = default;
};
struct CloseLink {             ///< goodbye, with the final positions
  LinkSession session = 0;
  Position confirmed = 0, captured = 0;
  friend bool operator==(const CloseLink&, const CloseLink&) = default;
};

// --- spool to node --------------------------------------------------------------------------------------------------
struct LinkOpened {
  std::uint8_t version = 1;
  LinkSession session = 0;
  StoreId store;
  struct Have {
    Position through = 0;      ///< durable, trimmed or skipped from 1 to here: send what follows
    std::uint64_t window = 0;  ///< bytes of records that may be sent beyond the last acknowledged one
    std::vector<PositionRange> beyond;  ///< durable too: ascending, apart; at most have_ranges_max
    friend bool operator==(const Have&, const Have&) = default;
  };
  std::array<Have, 2> journals{};  ///< by journal_index()
  friend bool operator==(const LinkOpened&, const LinkOpened&) = default;
};
struct LinkRefused {
  LinkSession session = 0;
  std::string code;            ///< as ErrorCode: refused, wrong_version, io (frozen), closed (no such link), ..
  std::string message;
  friend bool operator==(const LinkRefused&, const LinkRefused&) = default;
};
/// Cumulative: everything up to `through` is durable here or was skipped.
struct Acknowledged {
  LinkSession session = 0;
  JournalKind journal = JournalKind::Confirmed;
  Position through = 0;
  std::uint64_t window = 0;
  friend bool operator==(const Acknowledged&, const Acknowledged&) = default;
};
/// Something is missing behind `through`: go on from there.
struct Rewind {
  LinkSession session = 0;
  JournalKind journal = JournalKind::Confirmed;
  Position through = 0;
  friend bool operator==(const Rewind&, const Rewind&) = default;
};

using ToSpool = std::variant<OpenLink, AppendFrame, AppendVoid, SkipRange, Released, CloseLink>;
using FromSpool = std::variant<LinkOpened, LinkRefused, Acknowledged, Rewind>;

/// The parts of a message; the second one only of AppendFrame.
struct SpoolMessageParts {
  Bytes head;
  SharedBytes frame;
};
SpoolMessageParts encode(const ToSpool& message);
Bytes encode(const FromSpool& message);
/// The frame of an AppendFrame is not filled in: the caller knows its bytes. Errors: BadData naming the member,
/// NotFound where the kind is none of these, WrongVersion of LinkOpened.
Result<ToSpool> decode_to_spool(BytesView head, bool has_frame);
Result<FromSpool> decode_from_spool(BytesView head);

}  // namespace legion
