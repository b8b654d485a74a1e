#include <legion/agents/printable.hpp>

#include <legion/base/text.hpp>

namespace legion {

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  // Continuation bytes are 10xxxxxx; a character has at most three of them.
  for (int back = 0; back < 3 && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80; ++back) --end;
  return text.substr(0, end);
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  static constexpr char digits[] = "0123456789abcdef";
  const std::string_view kept = cut_text(text, bytes_max);
  const bool utf8 = is_utf8(kept);
  std::string out;
  out.reserve(kept.size());
  for (const char c : kept) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte == '\t' || (byte >= 0x20 && byte != 0x7F && (byte < 0x80 || utf8));
    if (plain) {
      out += c;
    } else {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  if (kept.size() < text.size()) out += "...";
  return out;
}

}  // namespace legion
