#include <legion/agents/line_splitter.hpp>

namespace legion {

void LineSplitter::push(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, newline);
    if (!discarding_ && partial_.size() + piece.size() > line_bytes_max_) {
      discarding_ = true;
      partial_ = {};
      sink({.number = number_, .kind = StreamLine::Kind::TooLong, .text = {}});
    }
    if (newline == std::string_view::npos) {
      if (!discarding_) partial_.append(piece);
      return;
    }
    if (discarding_) {
      discarding_ = false;
      ++number_;
    } else if (partial_.empty()) {
      emit(piece, sink);
    } else {
      partial_.append(piece);
      const std::string line = std::move(partial_);
      partial_ = {};
      emit(line, sink);
    }
    bytes.remove_prefix(newline + 1);
  }
}

void LineSplitter::finish(const Sink& sink) {
  if (!partial_.empty()) {
    const std::string line = std::move(partial_);
    partial_ = {};
    emit(line, sink);
  }
  discarding_ = false;
}

void LineSplitter::emit(std::string_view text, const Sink& sink) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  sink({.number = number_++, .kind = StreamLine::Kind::Whole, .text = text});
}

}  // namespace legion
