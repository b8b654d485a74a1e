// Text from outside, made harmless for terminals and lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace legion::cli {

/// Control characters (C0, DEL, C1) and bytes that are not UTF-8 become '?', so that an event cannot move the cursor or
/// break a line.
std::string printable(std::string_view text);

/// How many columns printable text takes, counting one per character.
std::size_t columns_of(std::string_view text);

/// At most `columns` columns; what is longer ends in "…".
std::string shortened(std::string_view text, std::size_t columns);

/// One field of a CSV line (RFC 4180): quoted where it has to be.
std::string csv_field(std::string_view text);

}  // namespace legion::cli
