// The codec that a declaration makes: MessagePack into the members of a struct and back. Included by typed.hpp.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <legion/base/bytes.hpp>
#include <legion/base/limits.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/event/typed_fields.hpp>

namespace legion::typed {

// --- reading: false says only that it does not fit; schema_check.cpp finds out why
// -------------------------------------

template <DataStruct T>
bool read_fields(MsgpackReader& reader, T& out);

inline bool read_value(MsgpackReader& reader, std::string& out) {
  std::string_view text;
  if (!reader.take_string(text, limits::message_bytes_max)) return false;
  out.assign(text);
  return true;
}

inline bool read_integer(MsgpackReader& reader, std::int64_t& out) {
  const auto integer = reader.read_int();
  if (integer) out = *integer;
  return integer.has_value();
}

/// Also nan and inf.
inline bool read_number(MsgpackReader& reader, double& out) {
  if (reader.take_float(out)) return true;
  std::uint64_t natural = 0;
  if (reader.take_uint(natural)) {
    out = static_cast<double>(natural);
    return true;
  }
  std::int64_t integer = 0;
  if (!read_integer(reader, integer)) return false;
  out = static_cast<double>(integer);
  return true;
}

inline bool read_value(MsgpackReader& reader, double& out) { return read_number(reader, out) && std::isfinite(out); }
inline bool read_value(MsgpackReader& reader, std::int64_t& out) { return read_integer(reader, out); }
inline bool read_value(MsgpackReader& reader, std::uint64_t& out) { return reader.take_uint(out); }

inline bool read_value(MsgpackReader& reader, bool& out) {
  const auto flag = reader.read_bool();
  if (flag) out = *flag;
  return flag.has_value();
}

template <class List, class Read>
bool read_list(MsgpackReader& reader, List& out, Read read) {
  const auto count = reader.read_array();
  if (!count) return false;
  out.resize(*count);
  for (auto& element : out) {
    if (!read(reader, element)) return false;
  }
  return true;
}

inline bool read_value(MsgpackReader& reader, StringList& out) {
  return read_list(reader, out, [](MsgpackReader& inside, std::string& text) { return read_value(inside, text); });
}
inline bool read_value(MsgpackReader& reader, FloatList& out) { return read_list(reader, out, read_number); }
inline bool read_value(MsgpackReader& reader, FloatPairs& out) {
  return read_list(reader, out, [](MsgpackReader& inside, std::pair<double, double>& pair) {
    return inside.take_array_of(2) && read_value(inside, pair.first) && read_value(inside, pair.second);
  });
}

inline bool read_value(MsgpackReader& reader, FloatMap& out) {
  std::size_t count = 0;
  if (!reader.take_map(count)) return false;
  out.clear();
  for (std::size_t i = 0; i < count; ++i) {
    std::string_view name;
    double number = 0;
    if (!reader.take_string(name, limits::message_bytes_max) || !read_number(reader, number)) return false;
    out.insert_or_assign(std::string(name), number);
  }
  return true;
}

template <DataStruct T>
bool read_value(MsgpackReader& reader, T& out) {
  return read_fields(reader, out);
}
template <DataStruct T>
bool read_value(MsgpackReader& reader, std::vector<T>& out) {
  return read_list(reader, out, [](MsgpackReader& inside, T& element) { return read_fields(inside, element); });
}

template <class T>
bool read_value(MsgpackReader& reader, std::optional<T>& out) {
  const std::size_t begin = reader.offset();
  if (!out) out.emplace();
  if (read_value(reader, *out)) return true;
  out.reset();
  return reader.offset() == begin && reader.read_nil().has_value();  // not nil once something of a value was read
}

/// A map on its way into a struct: the keys come one by one, and are mostly those of the declaration in its order.
template <DataStruct T>
class FieldsReader {
 public:
  FieldsReader(MsgpackReader& reader, T& out) : reader_(reader), out_(out) {}

  bool read() {
    if (!reader_.take_map(left_)) return false;
    return next_name() && in_order(indexes) && the_rest() && settle_absent(indexes);
  }
  /// A map without fields.
  bool read_nothing() { return settle_absent(indexes); }

 private:
  static constexpr auto indexes = std::make_index_sequence<field_count_v<T>>{};

  template <std::size_t index>
  static constexpr auto& field() {
    return std::get<index>(T::schema.fields);
  }

  bool next_name() { return left_ == 0 || reader_.take_string(name_, limits::message_bytes_max); }

  template <std::size_t index>
  bool is_named() const {
    constexpr std::string_view name = field<index>().name;
    return name_.size() == name.size() && std::memcmp(name_.data(), name.data(), name.size()) == 0;
  }

  template <std::size_t index>
  bool take_field() {
    seen_ |= std::uint64_t{1} << index;
    if (!read_value(reader_, out_.*field<index>().member)) return false;
    --left_;
    return next_name();
  }

  template <std::size_t index>
  bool take_if_next() {
    return left_ == 0 || !is_named<index>() || take_field<index>();
  }

  template <std::size_t... index>
  bool in_order(std::index_sequence<index...>) {
    return (take_if_next<index>() && ...);
  }

  /// Fields in another order, twice, or of no declaration.
  bool the_rest() {
    while (left_ > 0) {
      if (!take_any(indexes)) return false;
    }
    return true;
  }

  template <std::size_t... index>
  bool take_any(std::index_sequence<index...>) {
    bool fits = true;
    const bool found = ((is_named<index>() && ((fits = take_field<index>()), true)) || ...);
    if (found) return fits;
    if (!reader_.skip()) return false;
    --left_;
    return next_name();
  }

  template <std::size_t index>
  bool settle_if_absent() {
    using Member = std::remove_cvref_t<decltype(out_.*field<index>().member)>;
    if ((seen_ >> index & 1) != 0) return true;
    if constexpr (OptionalValue<Member>::is_optional) {
      (out_.*field<index>().member).reset();
      return true;
    } else {
      return false;
    }
  }

  template <std::size_t... index>
  bool settle_absent(std::index_sequence<index...>) {
    return (settle_if_absent<index>() && ...);
  }

  MsgpackReader& reader_;
  T& out_;
  std::string_view name_;
  std::size_t left_ = 0;
  std::uint64_t seen_ = 0;
};

template <DataStruct T>
bool read_fields(MsgpackReader& reader, T& out) {
  return FieldsReader<T>(reader, out).read();
}

/// The whole of `data`. No bytes and nil are a map without fields.
template <DataStruct T>
bool read_data(BytesView data, T& out) {
  MsgpackReader reader(data);
  if (data.empty() || data[0] == 0xc0) return data.size() <= 1 && FieldsReader<T>(reader, out).read_nothing();
  return read_fields(reader, out) && reader.at_end();
}

// --- writing
// ----------------------------------------------------------------------------------------------------------

template <DataStruct T>
void write_fields(MsgpackWriter& writer, const T& value);

inline void write_value(MsgpackWriter& writer, const std::string& value) { writer.str(value); }
inline void write_value(MsgpackWriter& writer, double value) { writer.float64(value); }
inline void write_value(MsgpackWriter& writer, std::int64_t value) { writer.integer(value); }
inline void write_value(MsgpackWriter& writer, std::uint64_t value) { writer.uint(value); }
inline void write_value(MsgpackWriter& writer, bool value) { writer.boolean(value); }
inline void write_value(MsgpackWriter& writer, const std::pair<double, double>& value) {
  writer.array(2);
  writer.float64(value.first);
  writer.float64(value.second);
}
template <DataStruct T>
void write_value(MsgpackWriter& writer, const T& value) {
  write_fields(writer, value);
}
template <class T>
void write_value(MsgpackWriter& writer, const std::vector<T>& value) {
  writer.array(value.size());
  for (const T& element : value) write_value(writer, element);
}
inline void write_value(MsgpackWriter& writer, const FloatMap& value) {
  writer.map(value.size());
  for (const auto& [name, number] : value) {
    writer.str(name);
    writer.float64(number);
  }
}

template <class T>
bool is_there(const T&) {
  return true;
}
template <class T>
bool is_there(const std::optional<T>& value) {
  return value.has_value();
}

template <class T>
const T& value_of(const T& value) {
  return value;
}
template <class T>
const T& value_of(const std::optional<T>& value) {
  return *value;
}

/// The name as MessagePack: it is short and known when the program is built.
template <DataStruct T, std::size_t index>
inline constexpr auto packed_name_v = [] {
  constexpr std::string_view name = std::get<index>(T::schema.fields).name;
  std::array<std::uint8_t, name.size() + 1> packed{static_cast<std::uint8_t>(0xa0 | name.size())};
  for (std::size_t i = 0; i < name.size(); ++i) packed[i + 1] = static_cast<std::uint8_t>(name[i]);
  return packed;
}();

template <DataStruct T, std::size_t index>
void write_field(MsgpackWriter& writer, const T& value) {
  const auto& member = value.*std::get<index>(T::schema.fields).member;
  if (!is_there(member)) return;
  writer.raw(packed_name_v<T, index>);
  write_value(writer, value_of(member));
}

template <DataStruct T>
void write_fields(MsgpackWriter& writer, const T& value) {
  [&]<std::size_t... index>(std::index_sequence<index...>) {
    writer.map((std::size_t{0} + ... + (is_there(value.*std::get<index>(T::schema.fields).member) ? 1 : 0)));
    (write_field<T, index>(writer, value), ...);
  }(std::make_index_sequence<field_count_v<T>>{});
}

}  // namespace legion::typed
