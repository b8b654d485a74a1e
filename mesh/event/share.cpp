#include <legion/event/share.hpp>

#include <charconv>

#include <legion/event/spool_record.hpp>

namespace legion {

namespace {

/// Digits without leading zeros, below `end`.
std::optional<std::uint32_t> number_below(std::string_view digits, std::uint32_t end) {
  std::uint32_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_whole = read.ec == std::errc{} && read.ptr == digits.data() + digits.size();
  const bool has_leading_zero = digits.size() > 1 && digits.front() == '0';
  return is_whole && !has_leading_zero && number < end ? std::optional(number) : std::nullopt;
}

}  // namespace

bool is_group_name(std::string_view name) { return name.size() <= group_name_bytes_max && is_subscription_name(name); }

std::string share_name(std::string_view group, std::uint32_t index) {
  return std::string(group) + '/' + std::to_string(index);
}

std::optional<std::string_view> group_of(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || !is_group_name(name.substr(0, slash))) return std::nullopt;
  if (!number_below(name.substr(slash + 1), group_shares_max)) return std::nullopt;
  return name.substr(0, slash);
}

bool is_cursor_name(std::string_view name) { return is_subscription_name(name) || group_of(name); }

Result<CursorFilter> CursorFilter::parse(std::string_view text) {
  const std::size_t hash = text.find('#');
  auto filter = Filter::parse(text.substr(0, hash));
  if (!filter) return std::unexpected(std::move(filter.error()));
  if (hash == std::string_view::npos) return CursorFilter{*std::move(filter), std::nullopt};
  const std::string_view numbers = text.substr(hash + 1);
  const std::size_t slash = numbers.find('/');
  const auto of =
      slash == std::string_view::npos ? std::nullopt : number_below(numbers.substr(slash + 1), group_shares_max + 1);
  const auto index = of ? number_below(numbers.substr(0, slash), *of) : std::nullopt;
  if (!index) return fail(ErrorCode::InvalidArgument, "not the share of a group: " + std::string(text.substr(hash)));
  return CursorFilter{*std::move(filter), Share{*index, *of}};
}

std::string CursorFilter::text() const {
  if (!share) return filter.text();
  return filter.text() + '#' + std::to_string(share->index) + '/' + std::to_string(share->of);
}

}  // namespace legion
