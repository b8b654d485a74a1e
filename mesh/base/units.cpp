#include <legion/base/units.hpp>

#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <optional>

namespace legion {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first.
constexpr std::array<Unit, 7> duration_units{{{"d", 86'400'000'000'000},
                                              {"h", 3'600'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"s", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"us", 1'000},
                                              {"ns", 1}}};

constexpr std::array<Unit, 9> size_units{{{"TiB", 1ull << 40},
                                          {"TB", 1'000'000'000'000},
                                          {"GiB", 1ull << 30},
                                          {"GB", 1'000'000'000},
                                          {"MiB", 1ull << 20},
                                          {"MB", 1'000'000},
                                          {"KiB", 1ull << 10},
                                          {"kB", 1'000},
                                          {"B", 1}}};

constexpr std::uint64_t duration_max = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// Cuts the leading digits off. nullopt when there are none or they exceed 64 bits.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && !is_digit(text[length]) && text[length] != '.') ++length;
  const std::string_view letters = text.substr(0, length);
  text.remove_prefix(length);
  return letters;
}

std::optional<std::uint64_t> multiply_add(std::uint64_t a, std::uint64_t b, std::uint64_t plus) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out) || __builtin_add_overflow(out, plus, &out)) return std::nullopt;
  return out;
}

// Cuts a leading ".25" off: the number 25, and its digits because 0.5 is not 0.05.
std::optional<std::uint64_t> take_fraction(std::string_view& text, std::string_view& digits) {
  if (text.empty() || text.front() != '.') return std::nullopt;
  text.remove_prefix(1);
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  digits = text.substr(0, length);
  text.remove_prefix(length);
  std::string_view copy = digits;
  return length <= 15 ? take_number(copy) : std::nullopt;
}

std::unexpected<Error> bad_duration(std::string_view text) {
  return fail(ErrorCode::InvalidArgument, "'" + std::string(text.substr(0, 64)) +
                                              "' is not a duration; write for example \"250ms\", \"1.5s\" or \"1d3h\"");
}

std::unexpected<Error> bad_size(std::string_view text) {
  return fail(ErrorCode::InvalidArgument,
              "'" + std::string(text.substr(0, 64)) + "' is not a size; write for example \"64MiB\" or \"512B\"");
}

// "1.5" for 1500 of 1000; the factor is a power of ten.
std::string decimal(std::uint64_t value, std::uint64_t factor) {
  std::string out = std::to_string(value / factor);
  std::uint64_t rest = value % factor;
  if (rest == 0) return out;
  out += '.';
  while (rest != 0) {
    factor /= 10;
    out += static_cast<char>('0' + rest / factor);
    rest %= factor;
  }
  return out;
}

void keep_shorter(std::string& best, std::string candidate) {
  if (best.empty() || candidate.size() < best.size()) best = std::move(candidate);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  std::string_view rest = text;
  std::uint64_t total = 0;
  std::uint64_t smallest_factor = std::numeric_limits<std::uint64_t>::max();
  do {
    const auto whole = take_number(rest);
    if (!whole) return bad_duration(text);
    std::string_view fraction_digits;
    const bool has_fraction = !rest.empty() && rest.front() == '.';
    const auto fraction = take_fraction(rest, fraction_digits);
    if (has_fraction && !fraction) return bad_duration(text);
    const Unit* unit = find_unit(duration_units, take_letters(rest));
    if (unit == nullptr || unit->factor >= smallest_factor) return bad_duration(text);
    smallest_factor = unit->factor;

    const auto sum = multiply_add(*whole, unit->factor, total);
    if (!sum) return bad_duration(text);
    total = *sum;
    if (has_fraction) {
      // Exact or refused: 1.5us is 1500 ns, 1.5ns is nothing.
      std::uint64_t scale = 1;
      for (std::size_t i = 0; i < fraction_digits.size(); ++i) scale *= 10;
      const std::uint64_t common = std::gcd(scale, unit->factor);
      if (*fraction % (scale / common) != 0) return bad_duration(text);
      total += *fraction / (scale / common) * (unit->factor / common);
    }
    if (total > duration_max) return bad_duration(text);
  } while (!rest.empty());
  return Duration{static_cast<std::int64_t>(total)};
}

Result<std::uint64_t> parse_size(std::string_view text) {
  if (text == "0") return std::uint64_t{0};
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number) return bad_size(text);
  const Unit* unit = find_unit(size_units, rest);
  if (unit == nullptr) return bad_size(text);
  const auto bytes = multiply_add(*number, unit->factor, 0);
  if (!bytes) return bad_size(text);
  return *bytes;
}

std::string format_duration(Duration value) {
  if (value == Duration::zero()) return "0s";
  const bool negative = value < Duration::zero();
  const auto magnitude = static_cast<std::uint64_t>(value.count());
  const std::uint64_t ns = negative ? 0 - magnitude : magnitude;

  std::string best;
  constexpr std::size_t seconds = 3;
  for (std::size_t i = 0; i < duration_units.size(); ++i) {
    const Unit& unit = duration_units[i];
    if (ns < unit.factor) continue;
    const std::uint64_t rest = ns % unit.factor;
    if (rest == 0) keep_shorter(best, std::to_string(ns / unit.factor) + std::string(unit.name));
    if (i >= seconds) keep_shorter(best, decimal(ns, unit.factor) + std::string(unit.name));
    for (std::size_t k = i + 1; k <= seconds && rest != 0; ++k) {
      const Unit& lower = duration_units[k];
      if (rest % lower.factor != 0) continue;
      keep_shorter(best, std::to_string(ns / unit.factor) + std::string(unit.name) +
                             std::to_string(rest / lower.factor) + std::string(lower.name));
    }
  }
  return negative ? "-" + best : best;
}

std::string format_size(std::uint64_t bytes) {
  if (bytes == 0) return "0B";
  std::string best;
  for (const Unit& unit : size_units) {
    if (bytes % unit.factor == 0) keep_shorter(best, std::to_string(bytes / unit.factor) + std::string(unit.name));
  }
  return best;
}

}  // namespace legion
