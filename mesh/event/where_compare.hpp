// How two values compare. Internal to this layer.
#pragma once

#include <compare>
#include <string_view>

#include <legion/event/where_program.hpp>

namespace legion::where {

/// Numbers compare by their exact value, whatever their form; texts by their bytes; times and urgencies among
/// themselves; bools and nulls are equal or not. Everything else (a kind that differs, a value that is missing or a
/// container, a NaN) has no order: every comparison with it is false, `!=` too.
std::partial_ordering compare(const Value& left, const Value& right);

/// What an operator makes of it; Equal to GreaterOrEqual only.
bool holds(Op op, const Value& left, const Value& right);

/// `*` stands for any characters, `?` for one, everything else for itself; a character is one of UTF-8.
/// Bounds: false for texts of more than limits::where_glob_bytes_max; costs at most pattern x text.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace legion::where
