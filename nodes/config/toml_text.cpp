#include <legion/config/toml_text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <exception>

namespace legion {
namespace {

constexpr std::size_t text_bytes_max = 1024 * 1024;
constexpr std::size_t shown_bytes_max = 60;

bool is_bare_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// At most `shown_bytes_max` bytes, not cut inside a UTF-8 sequence.
std::string shortened(const std::string& text) {
  if (text.size() <= shown_bytes_max) return text;
  std::size_t end = shown_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

std::expected<toml::table, TomlSyntaxError> parse_toml(std::string_view text) {
  if (text.size() > text_bytes_max)
    return std::unexpected(TomlSyntaxError{0, "the configuration is larger than 1 MiB"});
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return std::unexpected(TomlSyntaxError{error.source().begin.line, std::string(error.description())});
  } catch (const std::exception& error) {
    return std::unexpected(TomlSyntaxError{0, error.what()});
  }
}

std::string toml_quote(std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string toml_key(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), is_bare_key_character);
  return bare ? std::string(key) : toml_quote(key);
}

std::string toml_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e15);
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                          is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), error == std::errc{} ? end : buffer.data());
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string toml_comment(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), [](char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out;
}

std::string describe(const toml::node& node) {
  if (const auto* text = node.as_string()) return toml_quote(shortened(text->get()));
  if (const auto* integer = node.as_integer()) return "the integer " + std::to_string(integer->get());
  if (const auto* number = node.as_floating_point()) return "the number " + toml_number(number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  return "a date or time";
}

}  // namespace legion
