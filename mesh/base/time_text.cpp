#include <array>
#include <cstdio>
#include <optional>

#include <legion/base/units.hpp>

namespace legion {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

// Reads what RFC 3339 calls date-time, character by character; every step says whether the text still fits.
class TimeParser {
 public:
  explicit TimeParser(std::string_view text) : rest_(text) {}

  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  bool one_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    last_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }

  // Digits beyond ns are read and dropped.
  std::optional<std::int64_t> fraction_ns() {
    std::int64_t ns = 0;
    std::int64_t weight = ns_per_second / 10;
    std::size_t length = 0;
    for (; length < rest_.size() && rest_[length] >= '0' && rest_[length] <= '9'; ++length) {
      ns += weight * (rest_[length] - '0');
      weight /= 10;
    }
    if (length == 0) return std::nullopt;
    rest_.remove_prefix(length);
    return ns;
  }

  char last() const { return last_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  char last_ = 0;
};

std::optional<std::int64_t> parse_ns(std::string_view text) {
  TimeParser parser(text);
  const auto year = parser.number(4);
  if (!year || !parser.one_of("-")) return std::nullopt;
  const auto month = parser.number(2);
  if (!month || !parser.one_of("-")) return std::nullopt;
  const auto day = parser.number(2);
  if (!day || !parser.one_of("Tt ")) return std::nullopt;
  const auto hour = parser.number(2);
  if (!hour || *hour > 23 || !parser.one_of(":")) return std::nullopt;
  const auto minute = parser.number(2);
  if (!minute || *minute > 59 || !parser.one_of(":")) return std::nullopt;
  const auto second = parser.number(2);  // 60 is a leap second: the moment after 59
  if (!second || *second > 60) return std::nullopt;
  std::int64_t ns = 0;
  if (parser.one_of(".")) {
    const auto fraction = parser.fraction_ns();
    if (!fraction) return std::nullopt;
    ns = *fraction;
  }
  std::int64_t offset_minutes = 0;
  if (!parser.one_of("Zz+-")) return std::nullopt;
  if (const char sign = parser.last(); sign == '+' || sign == '-') {
    const auto offset_hour = parser.number(2);
    if (!offset_hour || *offset_hour > 23 || !parser.one_of(":")) return std::nullopt;
    const auto offset_minute = parser.number(2);
    if (!offset_minute || *offset_minute > 59) return std::nullopt;
    offset_minutes = (sign == '-' ? -1 : 1) * (*offset_hour * 60 + *offset_minute);
  }
  if (!parser.at_end()) return std::nullopt;

  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + *hour * 3'600 + (*minute - offset_minutes) * 60 + *second;
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, ns_per_second, &total) || __builtin_add_overflow(total, ns, &total)) {
    return std::nullopt;
  }
  return total;
}

}  // namespace

std::string format_time(WallTime time) {
  using std::chrono::days;
  const std::chrono::sys_time<std::chrono::nanoseconds> moment{std::chrono::nanoseconds{time.ns}};
  const auto second = std::chrono::floor<std::chrono::seconds>(moment);
  const auto midnight = std::chrono::floor<days>(second);
  const std::chrono::year_month_day date{midnight};
  const std::chrono::hh_mm_ss clock{second - midnight};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  std::string out(text.data());

  // moment - second would overflow for the very first representable second.
  const std::int64_t ns = ((time.ns % ns_per_second) + ns_per_second) % ns_per_second;
  if (ns != 0) {
    std::string digits = std::to_string(ns_per_second + ns).substr(1);
    while (digits.ends_with("000")) digits.resize(digits.size() - 3);
    out += '.' + digits;
  }
  return out + 'Z';
}

Result<WallTime> parse_time(std::string_view text) {
  const auto ns = parse_ns(text);
  if (!ns) {
    return fail(ErrorCode::InvalidArgument, "'" + std::string(text.substr(0, 64)) +
                                                "' is not a time; write for example \"2025-11-10T17:23:53.25Z\"");
  }
  return WallTime{*ns};
}

}  // namespace legion
