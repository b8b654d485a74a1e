// Small questions about text: is it UTF-8, and what did the writer probably mean.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace legion {

/// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// At most `bytes_max` bytes of the text, never half a UTF-8 character.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

/// At most `bytes_max` bytes of the text as something that may stand in a log: control characters (but not the tab) and
/// bytes that are not UTF-8 come out as \xNN, a cut is marked with "...".
std::string printable(std::string_view text, std::size_t bytes_max);

/// How many insertions, removals, replacements and swaps of neighbours lead from one word to the other (optimal string
/// alignment). Costs O(a x b) time; words are cut at 64 bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, ignoring case, when it is near enough to be a slip: at most a third of the longer
/// word's length and at most 3 edits. The first of equally near ones.
std::optional<std::string> did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace legion
