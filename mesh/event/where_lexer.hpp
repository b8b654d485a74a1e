// The words of a condition. Internal to this layer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>

namespace legion::where {

struct Token {
  enum class Kind : std::uint8_t { End, Name, Text, Number, Sign } kind = Kind::End;
  std::size_t at = 0;         ///< offset in the condition
  std::string_view written{}; ///< as it stands there
  std::string text{};         ///< of Text: what it means
};

/// Errors: InvalidArgument, "where: LINE:COLUMN: ..".
class Lexer {
 public:
  /// `what` is the word that errors begin with.
  Lexer(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Result<Token> next();
  std::unexpected<Error> error_at(std::size_t at, std::string_view message) const;

 private:
  Result<Token> text_token();
  Token number_token();
  Token name_token();
  Result<Token> sign_token();
  void skip_blanks();

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
};

}  // namespace legion::where
