#include <legion/event/where_compare.hpp>

#include <bit>
#include <cmath>
#include <limits>

#include <legion/base/assert.hpp>
#include <legion/base/limits.hpp>

namespace legion::where {

namespace {

bool is_number(Kind kind) { return kind == Kind::Int || kind == Kind::Uint || kind == Kind::Float; }

std::partial_ordering reversed(std::partial_ordering order) {
  if (order == std::partial_ordering::less) return std::partial_ordering::greater;
  if (order == std::partial_ordering::greater) return std::partial_ordering::less;
  return order;
}

/// Exact where a conversion to double would not be.
std::partial_ordering compare_natural(std::uint64_t natural, double real) {
  if (std::isnan(real)) return std::partial_ordering::unordered;
  if (real < 0) return std::partial_ordering::greater;
  if (real >= 0x1p64) return std::partial_ordering::less;
  const double whole = std::floor(real);
  const auto floor = static_cast<std::uint64_t>(whole);
  if (natural != floor) return natural <=> floor;
  return whole == real ? std::partial_ordering::equivalent : std::partial_ordering::less;
}

std::partial_ordering compare_negative(std::int64_t integer, double real) {
  if (std::isnan(real)) return std::partial_ordering::unordered;
  if (real >= 0) return std::partial_ordering::less;
  if (real < -0x1p63) return std::partial_ordering::greater;
  const double whole = std::ceil(real);
  const auto ceil = static_cast<std::int64_t>(whole);
  if (integer != ceil) return integer <=> ceil;
  return whole == real ? std::partial_ordering::equivalent : std::partial_ordering::greater;
}

std::partial_ordering compare_numbers(const Value& left, const Value& right) {
  if (left.kind == right.kind) {
    switch (left.kind) {
      case Kind::Int: return left.integer <=> right.integer;
      case Kind::Uint: return left.natural <=> right.natural;
      case Kind::Float: return left.real <=> right.real;
      default: LEGION_UNREACHABLE();
    }
  }
  if (left.kind == Kind::Float) return reversed(compare_numbers(right, left));
  if (right.kind == Kind::Float) {
    return left.kind == Kind::Uint ? compare_natural(left.natural, right.real)
                                   : compare_negative(left.integer, right.real);
  }
  return left.kind == Kind::Int ? std::partial_ordering::less : std::partial_ordering::greater;
}

/// The character that begins at `at`, in bytes.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  std::size_t bytes = 1;
  while (at + bytes < text.size() && (static_cast<unsigned char>(text[at + bytes]) & 0xc0u) == 0x80u) ++bytes;
  return bytes;
}

}  // namespace

std::partial_ordering compare(const Value& left, const Value& right) {
  if (is_number(left.kind) && is_number(right.kind)) return compare_numbers(left, right);
  if (left.kind != right.kind) return std::partial_ordering::unordered;
  switch (left.kind) {
    case Kind::Null: return std::partial_ordering::equivalent;
    case Kind::Text: return left.text <=> right.text;
    case Kind::Bool: return left.boolean <=> right.boolean;
    case Kind::Time:
    case Kind::Urgency: return left.integer <=> right.integer;
    case Kind::Missing:
    case Kind::Other:
    case Kind::Int:
    case Kind::Uint:
    case Kind::Float: return std::partial_ordering::unordered;
  }
  LEGION_UNREACHABLE();
}

bool holds(Op op, const Value& left, const Value& right) {
  const std::partial_ordering order = compare(left, right);
  if (order == std::partial_ordering::unordered) return false;
  const bool has_order = left.kind != Kind::Bool && left.kind != Kind::Null;
  switch (op) {
    case Op::Equal: return order == std::partial_ordering::equivalent;
    case Op::NotEqual: return order != std::partial_ordering::equivalent;
    case Op::Less: return has_order && order == std::partial_ordering::less;
    case Op::LessOrEqual: return has_order && order != std::partial_ordering::greater;
    case Op::Greater: return has_order && order == std::partial_ordering::greater;
    case Op::GreaterOrEqual: return has_order && order != std::partial_ordering::less;
    default: LEGION_UNREACHABLE();
  }
}

// Only the last `*` is ever tried again: what it took for the ones before it is as good as any other choice.
bool matches_glob(std::string_view pattern, std::string_view text) {
  if (text.size() > limits::where_glob_bytes_max) return false;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = pattern.npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t += character_bytes(text, t);
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      star_text += character_bytes(text, star_text);
      t = star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace legion::where
