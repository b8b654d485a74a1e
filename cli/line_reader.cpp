#include <legion/cli/line_reader.hpp>

namespace legion::cli {

std::optional<LineReader::Line> LineReader::next() {
  using Traits = std::istream::traits_type;
  Line line;
  line.number = number_ + 1;
  std::streambuf& buffer = *in_.rdbuf();
  bool any = false;
  for (;;) {
    Traits::int_type character{};
    try {
      character = buffer.sbumpc();
    } catch (const std::ios_base::failure& failure) {
      error_ = failure.code();
      return std::nullopt;
    }
    if (Traits::eq_int_type(character, Traits::eof())) {
      if (!any) return std::nullopt;
      break;
    }
    any = true;
    const char c = Traits::to_char_type(character);
    if (c == '\n') break;
    if (line.text.size() < bytes_max_) {
      line.text += c;
    } else {
      line.too_long = true;
    }
  }
  if (line.text.ends_with('\r')) line.text.pop_back();
  ++number_;
  return line;
}

bool LineReader::ready() const { return in_.rdbuf()->in_avail() > 0; }

}  // namespace legion::cli
