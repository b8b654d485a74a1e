#include <legion/event/where_lexer.hpp>

#include <array>

#include <legion/base/text.hpp>

namespace legion::where {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Longest first.
constexpr std::array<std::string_view, 13> signs{"==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".", "="};

char unescaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '\\':
    case '"':
    case '\'': return c;
    default: return 0;
  }
}

}  // namespace

std::unexpected<Error> Lexer::error_at(std::size_t at, std::string_view message) const {
  std::size_t line = 1;
  std::size_t column = 1;
  for (const char c : text_.substr(0, at)) {
    if (c == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0u) != 0x80u) {
      ++column;
    }
  }
  return fail(ErrorCode::InvalidArgument, std::string(what_) + ": " + std::to_string(line) + ":" +
                                              std::to_string(column) + ": " + std::string(message));
}

void Lexer::skip_blanks() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
}

Result<Token> Lexer::next() {
  skip_blanks();
  if (at_ == text_.size()) return Token{.kind = Token::Kind::End, .at = at_};
  const char first = text_[at_];
  const bool is_negative = first == '-' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
  if (is_name_start(first)) {
    const Token name = name_token();
    // A name goes on with a letter of another alphabet: that letter is what is wrong.
    if (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80) return sign_token();
    return name;
  }
  if (is_digit(first) || is_negative) return number_token();
  if (first == '"' || first == '\'') return text_token();
  return sign_token();
}

Token Lexer::name_token() {
  const std::size_t begin = at_;
  while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
  return {.kind = Token::Kind::Name, .at = begin, .written = text_.substr(begin, at_ - begin)};
}

// Takes what may belong to a number; whether it is one is decided by whoever reads its value.
Token Lexer::number_token() {
  const std::size_t begin = at_++;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    const bool is_exponent_sign = (c == '+' || c == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
    if (!is_digit(c) && !is_name_start(c) && c != '.' && !is_exponent_sign) break;
    ++at_;
  }
  return {.kind = Token::Kind::Number, .at = begin, .written = text_.substr(begin, at_ - begin)};
}

Result<Token> Lexer::text_token() {
  const std::size_t begin = at_;
  const char quote = text_[at_++];
  Token token{.kind = Token::Kind::Text, .at = begin};
  while (at_ < text_.size() && text_[at_] != quote) {
    if (text_[at_] != '\\') {
      token.text += text_[at_++];
      continue;
    }
    const char meant = at_ + 1 < text_.size() ? unescaped(text_[at_ + 1]) : '\0';
    if (meant == 0) return error_at(at_, R"(expected one of \\ \" \' \n \r \t behind the backslash)");
    token.text += meant;
    at_ += 2;
  }
  if (at_ == text_.size()) return error_at(begin, "expected a closing quote for the text that begins here");
  ++at_;
  token.written = text_.substr(begin, at_ - begin);
  return token;
}

Result<Token> Lexer::sign_token() {
  for (const std::string_view sign : signs) {
    if (!text_.substr(at_).starts_with(sign)) continue;
    const std::size_t begin = at_;
    at_ += sign.size();
    return Token{.kind = Token::Kind::Sign, .at = begin, .written = text_.substr(begin, sign.size())};
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> foreign{
      {{"&", "and"}, {"|", "or"}, {"!", "not"}}};
  for (const auto& [sign, word] : foreign) {
    if (text_.substr(at_).starts_with(sign)) {
      return error_at(at_, "unexpected '" + std::string(sign) + "'; write " + std::string(word));
    }
  }
  std::size_t bytes = 1;  // of the character
  while (at_ + bytes < text_.size() && (static_cast<unsigned char>(text_[at_ + bytes]) & 0xc0u) == 0x80u) ++bytes;
  return error_at(at_, "unexpected '" + printable(text_.substr(at_, bytes), 8) + "'");
}

}  // namespace legion::where
