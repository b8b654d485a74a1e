// The data of an event as a map that can be changed: what an upcast works on.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>

namespace legion {

/// The fields of one MessagePack map in their order, each value as its bytes.
///
/// Ownership: refers to the bytes it was read from, which have to outlive it; values that are set are kept inside.
/// Bounds: limits::msgpack_items_max fields.
class DataMap {
 public:
  /// No bytes and nil are an empty map. Errors: BadData.
  static Result<DataMap> read(BytesView data);
  DataMap() = default;
  DataMap(DataMap&&) = default;
  DataMap& operator=(DataMap&&) = default;

  bool has(std::string_view name) const;
  /// The MessagePack value of a field; nothing when it is absent. Of a field that stands twice, the last.
  std::optional<BytesView> find(std::string_view name) const;
  /// Nothing also where the field is of another kind.
  std::optional<std::string_view> text(std::string_view name) const;
  /// Of a float or an integer.
  std::optional<double> number(std::string_view name) const;

  /// Adds the field, or gives it this value.
  void set_text(std::string_view name, std::string_view value);
  void set_number(std::string_view name, double value);
  void set_integer(std::string_view name, std::int64_t value);
  void set_boolean(std::string_view name, bool value);
  /// `value` is one MessagePack value.
  void set_raw(std::string_view name, Bytes value);
  /// A field that is called `to` gives way. Whether `from` was there.
  bool rename(std::string_view from, std::string_view to);
  /// Whether it was there.
  bool remove(std::string_view name);

  std::size_t size() const { return fields_.size(); }
  Bytes encode() const;

 private:
  struct Entry {
    std::string_view name;
    BytesView value;
  };
  std::string_view keep(std::string_view name);

  std::vector<Entry> fields_;
  std::deque<std::string> names_;  // deque: what fields_ refers to does not move
  std::deque<Bytes> values_;
};

}  // namespace legion
