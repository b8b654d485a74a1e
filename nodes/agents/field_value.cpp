#include <legion/agents/field_value.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

struct WriteValue {
  MsgpackWriter& writer;
  void operator()(bool value) const { writer.boolean(value); }
  void operator()(std::int64_t value) const { writer.integer(value); }
  void operator()(double value) const { writer.float64(value); }
  void operator()(const std::string& value) const { writer.str(value); }
};

struct KeyText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return value; }
};

}  // namespace

Bytes encode_fields(const Fields& row, const Fields& constants) {
  const auto overridden = [&](const auto& field) {
    return std::ranges::any_of(constants, [&](const auto& constant) { return constant.first == field.first; });
  };
  const auto hidden = static_cast<std::size_t>(std::ranges::count_if(row, overridden));
  MsgpackWriter writer;
  writer.map(row.size() - hidden + constants.size());
  for (const auto& field : row) {
    if (hidden != 0 && overridden(field)) continue;
    writer.str(field.first);
    std::visit(WriteValue{writer}, field.second);
  }
  for (const auto& [name, value] : constants) {
    writer.str(name);
    std::visit(WriteValue{writer}, value);
  }
  return writer.take();
}

std::string to_key(const FieldValue& value) { return std::visit(KeyText{}, value); }

}  // namespace legion
