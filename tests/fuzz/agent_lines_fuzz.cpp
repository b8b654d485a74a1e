// What an exec agent writes to its standard output: lines whatever the pieces they come in, each of which means
// something or has a defect that can be told.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <legion/agents/agent_line.hpp>
#include <legion/agents/line_splitter.hpp>
#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>

namespace {

using namespace legion;

constexpr std::size_t line_bytes_max = 4096;

using Lines = std::vector<std::pair<StreamLine::Kind, std::string>>;

Lines lines_of(std::string_view text, std::size_t piece_bytes) {
  Lines lines;
  LineSplitter splitter(line_bytes_max);
  const auto keep = [&](const StreamLine& line) {
    LEGION_ASSERT(line.number == lines.size() + 1 && line.text.size() <= line_bytes_max);
    lines.emplace_back(line.kind, line.text);
  };
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    splitter.push(text.substr(at, piece_bytes), keep);
    LEGION_ASSERT(splitter.held_bytes() <= line_bytes_max);
  }
  splitter.finish(keep);
  return lines;
}

void check(std::string_view text) {
  auto line = parse_agent_line(text);
  if (!line) {
    LEGION_ASSERT(!line.error().message.empty());
    LEGION_ASSERT(!line.error().ref || line.error().ref->size() <= ref_bytes_max);
    return;
  }
  if (const auto* log = std::get_if<LogTextLine>(&*line)) LEGION_ASSERT(log->text.size() <= log_text_bytes_max + 16);
  auto* publish = std::get_if<PublishLine>(&*line);
  if (publish == nullptr) return;
  if (publish->ref) {
    LEGION_ASSERT(publish->ref->size() <= ref_bytes_max);
    LEGION_ASSERT(data_from_json(published_answer(*publish->ref, "a:1:2:t:0:1")).has_value());
    LEGION_ASSERT(data_from_json(refused_answer(*publish->ref, "no \"room\"")).has_value());
  }
  if (publish->event.event.source.empty()) publish->event.event.source = "fuzz/agent";
  const auto encoded = encode_event(publish->event.event, 0, limits::event_bytes_max);
  LEGION_ASSERT(encoded.has_value() || encoded.error().code == ErrorCode::TooBig);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Lines lines = lines_of(text, std::max<std::size_t>(size, 1));
  LEGION_ASSERT(lines == lines_of(text, 7));
  for (const auto& [kind, line] : lines) {
    if (kind == StreamLine::Kind::Whole) check(line);
  }
  return 0;
}
