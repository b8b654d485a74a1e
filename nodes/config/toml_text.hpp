// The only place that runs the TOML parser and knows its exceptions; also how our values are written as TOML.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <toml++/toml.h>

namespace legion {

struct TomlSyntaxError {
  std::uint32_t line = 0;
  std::string message;
};

/// Bounds: the text is at most 1 MiB.
std::expected<toml::table, TomlSyntaxError> parse_toml(std::string_view text);

/// A basic string with quotes and escapes. Bytes that are not UTF-8 stay as they are and do not parse again.
std::string toml_quote(std::string_view text);
/// A bare key where possible, otherwise a quoted one.
std::string toml_key(std::string_view key);
/// With a decimal point or exponent, so that it is read back as a float.
std::string toml_number(double value);
/// Harmless inside a comment: control characters and bytes beyond ASCII become '?'.
std::string toml_comment(std::string_view text);

/// What a value is, for "found ...": `the integer 5`, `"text"`, `a table`.
std::string describe(const toml::node& node);

}  // namespace legion
