#include <legion/event/data_map.hpp>

#include <algorithm>

#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {

Result<DataMap> DataMap::read(BytesView data) {
  DataMap map;
  MsgpackReader reader(data);
  if (data.empty() || (data.size() == 1 && reader.read_nil())) return map;
  const auto count = reader.read_map();
  if (!count) return std::unexpected(count.error());
  map.fields_.reserve(*count + 2);
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = reader.read_string();
    if (!name) return std::unexpected(name.error());
    const auto value = reader.read_raw();
    if (!value) return std::unexpected(value.error());
    map.fields_.push_back({*name, *value});
  }
  if (auto end = reader.expect_end(); !end) return std::unexpected(end.error());
  return map;
}

bool DataMap::has(std::string_view name) const { return find(name).has_value(); }

std::optional<BytesView> DataMap::find(std::string_view name) const {
  const auto found =
      std::find_if(fields_.rbegin(), fields_.rend(), [&](const Entry& each) { return each.name == name; });
  return found == fields_.rend() ? std::nullopt : std::optional(found->value);
}

std::optional<std::string_view> DataMap::text(std::string_view name) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  const auto text = MsgpackReader(*value).read_string();
  return text ? std::optional(*text) : std::nullopt;
}

std::optional<double> DataMap::number(std::string_view name) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  MsgpackReader reader(*value);
  if (const auto real = reader.read_float()) return *real;
  if (const auto integer = reader.read_int()) return static_cast<double>(*integer);
  if (const auto large = reader.read_uint()) return static_cast<double>(*large);
  return std::nullopt;
}

void DataMap::set_text(std::string_view name, std::string_view value) {
  MsgpackWriter writer;
  writer.str(value);
  set_raw(name, writer.take());
}

void DataMap::set_number(std::string_view name, double value) {
  MsgpackWriter writer;
  writer.float64(value);
  set_raw(name, writer.take());
}

void DataMap::set_integer(std::string_view name, std::int64_t value) {
  MsgpackWriter writer;
  writer.integer(value);
  set_raw(name, writer.take());
}

void DataMap::set_boolean(std::string_view name, bool value) {
  MsgpackWriter writer;
  writer.boolean(value);
  set_raw(name, writer.take());
}

void DataMap::set_raw(std::string_view name, Bytes value) {
  const BytesView kept = values_.emplace_back(std::move(value));
  bool found = false;
  for (Entry& each : fields_) {
    if (each.name != name) continue;
    each.value = kept;
    found = true;
  }
  if (!found) fields_.push_back({keep(name), kept});
}

bool DataMap::rename(std::string_view from, std::string_view to) {
  if (from == to) return has(from);
  if (!has(from)) return false;
  remove(to);
  const std::string_view kept = keep(to);
  for (Entry& each : fields_) {
    if (each.name == from) each.name = kept;
  }
  return true;
}

bool DataMap::remove(std::string_view name) {
  return std::erase_if(fields_, [&](const Entry& each) { return each.name == name; }) > 0;
}

Bytes DataMap::encode() const {
  MsgpackWriter writer;
  writer.map(fields_.size());
  for (const Entry& each : fields_) {
    writer.str(each.name);
    writer.raw(each.value);
  }
  return writer.take();
}

std::string_view DataMap::keep(std::string_view name) { return names_.emplace_back(name); }

}  // namespace legion
