#include <legion/agents/json_members.hpp>

#include <algorithm>
#include <optional>

namespace legion {
namespace {

constexpr std::size_t members_max = 16;
constexpr auto npos = std::string_view::npos;

/// Position behind the string that begins with the quote at `at`.
std::optional<std::size_t> skip_string(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::nullopt;
}

/// Position behind the object or array that begins at `at`. Which bracket closes which is left to who reads it.
std::optional<std::size_t> skip_nested(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (std::size_t i = at; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      const auto end = skip_string(text, i);
      if (!end) return std::nullopt;
      i = *end;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return i + 1;
    ++i;
  }
  return std::nullopt;
}

std::optional<std::size_t> skip_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return std::nullopt;
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] == '{' || text[at] == '[') return skip_nested(text, at);
  const std::size_t end = std::min(text.find_first_of(",}] \t\r\n", at), text.size());
  if (end == at) return std::nullopt;
  return end;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  const std::size_t next = text.find_first_not_of(" \t\r\n", at);
  return next == npos ? text.size() : next;
}

bool has(std::string_view text, std::size_t at, char c) { return at < text.size() && text[at] == c; }

}  // namespace

Result<std::vector<JsonMember>> json_members(std::string_view text) {
  std::vector<JsonMember> members;
  std::size_t at = skip_space(text, 0);
  if (!has(text, at, '{')) return fail(ErrorCode::BadData, "not a JSON object");
  at = skip_space(text, at + 1);
  while (!has(text, at, '}')) {
    if (!members.empty()) {
      if (!has(text, at, ',')) return fail(ErrorCode::BadData, "not JSON: expected ',' or '}'");
      at = skip_space(text, at + 1);
    }
    if (members.size() == members_max) return fail(ErrorCode::BadData, "too many members");
    if (!has(text, at, '"')) return fail(ErrorCode::BadData, "not JSON: expected a member name");
    const auto name_end = skip_string(text, at);
    if (!name_end) return fail(ErrorCode::BadData, "not JSON: a string does not end");
    const std::string_view name = text.substr(at + 1, *name_end - at - 2);
    at = skip_space(text, *name_end);
    if (!has(text, at, ':')) return fail(ErrorCode::BadData, "not JSON: expected ':'");
    at = skip_space(text, at + 1);
    const auto value_end = skip_value(text, at);
    if (!value_end) return fail(ErrorCode::BadData, "not JSON: a value is missing or does not end");
    members.push_back({name, text.substr(at, *value_end - at)});
    at = skip_space(text, *value_end);
  }
  if (skip_space(text, at + 1) != text.size()) return fail(ErrorCode::BadData, "text after the JSON object");
  return members;
}

}  // namespace legion
