// How a struct declares its fields. Included by typed.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <legion/event/schema.hpp>

namespace legion {

using StringList = std::vector<std::string>;
using FloatList = std::vector<double>;
using FloatPairs = std::vector<std::pair<double, double>>;
using FloatMap = std::map<std::string, double, std::less<>>;

/// A member and the name it has in the data.
template <class Class, class Member>
struct DataField {
  std::string_view name;
  Member Class::* member;
  std::string_view docs;
};
/// `name`: 1 to 31 bytes. `docs`: unit or meaning, in one line.
template <class Class, class Member>
consteval DataField<Class, Member> data_field(std::string_view name, Member Class::* member, std::string_view docs) {
  if (name.empty() || name.size() > 31) throw "the name of a field has 1 to 31 bytes";
  return {name, member, docs};
}

/// The declaration of a map inside the data of an event.
template <class... Fields>
struct DataDeclaration {
  std::tuple<Fields...> fields;
};

/// A struct whose `schema` has fields.
template <class T>
concept DataStruct = requires { std::tuple_size<std::remove_cvref_t<decltype(T::schema.fields)>>::value; };

namespace typed {

/// An error of the declaration does not compile.
template <std::size_t count>
consteval void check_names(const std::array<std::string_view, count>& names) {
  if (count > 64) throw "a map has at most 64 declared fields";
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = i + 1; k < count; ++k) {
      if (names[i] == names[k]) throw "two fields have one name";
    }
  }
}

template <class T>
struct OptionalValue {
  using type = T;
  static constexpr bool is_optional = false;
};
template <class T>
struct OptionalValue<std::optional<T>> {
  using type = T;
  static constexpr bool is_optional = true;
};

template <class T>
struct StructList {
  static constexpr bool value = false;
};
template <DataStruct T>
struct StructList<std::vector<T>> {
  static constexpr bool value = true;
  using type = T;
};

template <class T>
consteval DataKind kind_of() {
  if constexpr (std::is_same_v<T, std::string>)
    return DataKind::String;
  else if constexpr (std::is_same_v<T, double>)
    return DataKind::Float;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return DataKind::Int;
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return DataKind::Uint;
  else if constexpr (std::is_same_v<T, bool>)
    return DataKind::Bool;
  else if constexpr (std::is_same_v<T, StringList>)
    return DataKind::StringList;
  else if constexpr (std::is_same_v<T, FloatList>)
    return DataKind::FloatList;
  else if constexpr (std::is_same_v<T, FloatPairs>)
    return DataKind::FloatPairs;
  else if constexpr (std::is_same_v<T, FloatMap>)
    return DataKind::FloatMap;
  else if constexpr (StructList<T>::value)
    return DataKind::MapList;
  else {
    static_assert(DataStruct<T>, "a field of a typed event cannot be of this type; see typed.hpp");
    return DataKind::Map;
  }
}

template <DataStruct T>
inline constexpr std::size_t field_count_v = std::tuple_size_v<std::remove_cvref_t<decltype(T::schema.fields)>>;

template <DataStruct T>
constexpr std::array<FieldInfo, field_count_v<T>> make_field_infos();

/// The fields of a struct at run time.
template <DataStruct T>
inline constexpr std::array<FieldInfo, field_count_v<T>> field_infos_v = make_field_infos<T>();

template <class T>
constexpr std::span<const FieldInfo> inner_fields() {
  if constexpr (StructList<T>::value) {
    return field_infos_v<typename StructList<T>::type>;
  } else if constexpr (kind_of<T>() == DataKind::Map) {
    return field_infos_v<T>;
  } else {
    return {};
  }
}

template <class Class, class Member>
constexpr FieldInfo field_info(const DataField<Class, Member>& field) {
  using Value = OptionalValue<Member>;
  return {field.name, kind_of<typename Value::type>(), Value::is_optional ? FieldPresence::Optional : FieldPresence::Required,
          field.docs, inner_fields<typename Value::type>()};
}

template <DataStruct T>
constexpr std::array<FieldInfo, field_count_v<T>> make_field_infos() {
  return std::apply([](const auto&... field) { return std::array<FieldInfo, sizeof...(field)>{field_info(field)...}; },
                    T::schema.fields);
}

}  // namespace typed

template <class... Fields>
consteval auto data_schema(Fields... fields) {
  typed::check_names(std::array<std::string_view, sizeof...(fields)>{fields.name...});
  return DataDeclaration<Fields...>{{fields...}};
}

}  // namespace legion
