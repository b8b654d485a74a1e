#include <legion/cli/map_writer.hpp>

namespace legion::cli {

void MapWriter::begin(std::string_view name) {
  entries_.str(name);
  ++count_;
}

void MapWriter::text(std::string_view name, std::string_view value) {
  begin(name);
  entries_.str(value);
}

void MapWriter::text_if_any(std::string_view name, std::string_view value) {
  if (!value.empty()) text(name, value);
}

void MapWriter::integer(std::string_view name, std::int64_t value) {
  begin(name);
  entries_.integer(value);
}

void MapWriter::uint(std::string_view name, std::uint64_t value) {
  begin(name);
  entries_.uint(value);
}

void MapWriter::boolean(std::string_view name, bool value) {
  begin(name);
  entries_.boolean(value);
}

void MapWriter::raw(std::string_view name, BytesView value) {
  begin(name);
  entries_.raw(value);
}

Bytes MapWriter::take() {
  MsgpackWriter map;
  map.map(count_);
  map.raw(entries_.bytes());
  entries_ = {};
  count_ = 0;
  return map.take();
}

}  // namespace legion::cli
