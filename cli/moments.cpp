#include <legion/cli/moments.hpp>

#include <algorithm>

#include <legion/base/units.hpp>
#include <legion/event/event.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t mark_name_bytes_max = 64;

bool is_mark_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::unexpected<Error> bad(std::string_view flag, std::string text) {
  return fail(ErrorCode::InvalidArgument, std::string(flag) + ": " + std::move(text));
}

/// As fine as anybody reads it.
Duration rounded(Duration age) {
  if (age < 10s) return age - age % 100ms;
  if (age < 1h) return age - age % 1s;
  return age - age % (age < 24h ? Duration(1min) : Duration(1h));
}

}  // namespace

Result<WallTime> parse_moment(std::string_view flag, const std::string& text, WallTime now) {
  if (text == "now") return now;
  if (const auto ago = parse_duration(text)) return WallTime{now.ns - std::min(ago->count(), now.ns)};
  const auto time = parse_time(text);
  if (time) return *time;
  return bad(flag, "'" + text + "' is no moment; write for example 5m (ago), 2026-11-21T10:00:00Z or now");
}

Result<void> check_mark_name(std::string_view flag, const std::string& name) {
  if (!name.empty() && name.size() <= mark_name_bytes_max && std::ranges::all_of(name, is_mark_character)) return {};
  return bad(flag, "'" + name + "' cannot name a mark; 1 to 64 letters, digits, '.', '_' and '-' can");
}

Result<std::string> parse_event_id(std::string_view flag, const std::string& text) {
  const auto id = EventId::parse(text);
  if (!id) return bad(flag, id.error().message);
  return id->to_string();
}

Duration between(WallTime from, WallTime to) {
  std::int64_t ns = 0;
  if (!__builtin_sub_overflow(to.ns, from.ns, &ns)) return Duration{ns};
  return to < from ? Duration::min() : Duration::max();
}

std::string age_text(WallTime moment, WallTime now) {
  if (moment.ns == 0) return "-";
  return format_duration(rounded(std::max(between(moment, now), Duration::zero())));
}

}  // namespace legion::cli
