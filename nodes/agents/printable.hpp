#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace legion {

/// At most `bytes_max` bytes of the text, never half a UTF-8 character.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

/// The same as something that may stand in a log: control characters (but not the tab) and bytes that are not UTF-8
/// come out as \xNN, a cut is marked with "...".
std::string printable(std::string_view text, std::size_t bytes_max);

}  // namespace legion
