// Shares of a group: which shards of sharded types one of its durable subscriptions takes, and what it is called.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/journal.hpp>

namespace legion {

inline constexpr std::uint32_t group_shares_max = 256;     ///< a shard is one byte
inline constexpr std::size_t group_name_bytes_max = 60;    ///< leaves room for the number of a share

/// The shards whose number modulo `of` is `index`.
struct Share {
  std::uint32_t index = 0;
  std::uint32_t of = 1;
  bool takes(std::uint8_t shard) const { return shard % of == index; }
  friend bool operator==(const Share&, const Share&) = default;
};

/// A subscription name of at most group_name_bytes_max bytes.
bool is_group_name(std::string_view name);
/// "features/3"
std::string share_name(std::string_view group, std::uint32_t index);
/// Of a group a share belongs to, "features"; nothing: it is no name of a share.
std::optional<std::string_view> group_of(std::string_view name);
/// What a cursor may be called: the name of a subscription or of a share.
bool is_cursor_name(std::string_view name);

/// What a cursor is about: the events a filter matches, or of these the shards of a share.
struct CursorFilter {
  Filter filter{};
  std::optional<Share> share{};

  /// "features.", or "features.#3/8" of a share. Errors: InvalidArgument.
  static Result<CursorFilter> parse(std::string_view text);
  std::string text() const;
  bool matches(std::string_view type, std::uint8_t shard) const {
    return (!share || share->takes(shard)) && filter.matches(type);
  }
  bool matches(const StreamId& stream) const { return matches(stream.type, stream.shard); }
};

}  // namespace legion
