// Typed events: a struct that declares itself, and what follows from the declaration: its codec, the check of its data,
// its documentation.
//
//     struct OrderPlaced {
//       std::string symbol;
//       double quantity = 0;
//       std::optional<double> limit;  // std::optional: may be absent
//       static constexpr auto schema = legion::event_schema(
//           "shop.order_placed", 1, "Somebody wants something.",
//           legion::data_field("symbol", &OrderPlaced::symbol, "what is traded"),
//           legion::data_field("quantity", &OrderPlaced::quantity, "pieces"),
//           legion::data_field("limit", &OrderPlaced::limit, "EUR a piece; absent: at any price"));
//     };
//
// A member is a std::string, double, std::int64_t, std::uint64_t, bool, StringList, FloatList, FloatPairs, FloatMap, a
// struct with a data_schema() of its own or a std::vector of such, or a std::optional of any of these. A type whose
// version is above 1 has `static constexpr std::array upcasts{legion::Upcast{1, &from_version_1}, ...}` beside it.
#pragma once

#include <array>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <legion/event/event.hpp>
#include <legion/event/schema.hpp>
#include <legion/event/typed_codec.hpp>
#include <legion/event/typed_fields.hpp>

namespace legion {

/// A struct whose `schema` is an event_schema().
template <class T>
concept TypedEvent = DataStruct<T> && requires {
  { T::schema.type } -> std::convertible_to<std::string_view>;
  { T::schema.version } -> std::convertible_to<std::uint32_t>;
};

/// The declaration of an event type: its name, version (from 1 on), one line of what it says, and its fields.
template <class... Fields>
struct EventDeclaration {
  std::string_view type;
  std::uint32_t version;
  std::string_view docs;
  std::tuple<Fields...> fields;
};
template <class... Fields>
consteval auto event_schema(std::string_view type, std::uint32_t version, std::string_view docs, Fields... fields) {
  typed::check_names(std::array<std::string_view, sizeof...(fields)>{fields.name...});
  if (version == 0) throw "versions begin at 1";
  return EventDeclaration<Fields...>{type, version, docs, {fields...}};
}

namespace typed {

template <class T>
constexpr std::span<const Upcast> upcasts_of() {
  if constexpr (requires { T::upcasts; }) {
    return T::upcasts;
  } else {
    return {};
  }
}

template <class T>
inline constexpr EventSchema schema_v{T::schema.type, T::schema.version, T::schema.docs, field_infos_v<T>,
                                      upcasts_of<T>()};

/// The slow half of decode_data(): what has to be done first, or what is wrong.
Error decode_error(const EventSchema& schema, std::uint32_t version, BytesView data);
Error wrong_type(const EventSchema& schema, std::string_view type);

}  // namespace typed

/// The declaration at run time. It lives as long as the program (of a plug-in: as long as that is loaded).
template <TypedEvent T>
constexpr const EventSchema& schema_of() {
  return typed::schema_v<T>;
}

/// The data of an event: the fields in the order of the declaration, absent ones left out. The second form gives `out`
/// new contents and keeps its memory.
template <TypedEvent T>
void encode_data(const T& value, Bytes& out) {
  out.clear();
  MsgpackWriter writer(std::move(out));
  typed::write_fields(writer, value);
  out = writer.take();
}
template <TypedEvent T>
Bytes encode_data(const T& value) {
  Bytes out;
  encode_data(value, out);
  return out;
}

/// An event that says `value`; all other attributes are left to be filled in by publish().
template <TypedEvent T>
Event make_event(const T& value) {
  Event event;
  event.type = T::schema.type;
  event.schema_version = T::schema.version;
  event.data = encode_data(value);
  return event;
}

/// What the data of `version` says. Older versions are brought up to the declared one first; of a newer one those
/// fields are read that are known here, and what is required has to be there. Further fields are passed over. The
/// second form writes into `out`, whose strings and lists keep their memory; after an error it is partly written. Cost:
/// one pass; for numbers and short strings no allocation. Errors: BadData that names the field; InvalidArgument: the
/// event is of another type.
template <TypedEvent T>
Result<void> decode_data(std::uint32_t version, BytesView data, T& out) {
  if (version >= T::schema.version) {
    if (typed::read_data(data, out)) return {};
    return std::unexpected(typed::decode_error(schema_of<T>(), version, data));
  }
  const auto upcast = upcast_data(schema_of<T>(), version, data);
  if (!upcast) return std::unexpected(upcast.error());
  if (typed::read_data(BytesView(*upcast), out)) return {};
  return std::unexpected(typed::decode_error(schema_of<T>(), version, data));
}
template <TypedEvent T>
Result<void> decode_data(const EventView& event, T& out) {
  if (event.type != T::schema.type) return std::unexpected(typed::wrong_type(schema_of<T>(), event.type));
  return decode_data(event.schema_version, event.data, out);
}
template <TypedEvent T>
Result<T> decode_data(const EventView& event) {
  Result<T> value;
  if (auto decoded = decode_data(event, *value); !decoded) value = std::unexpected(std::move(decoded.error()));
  return value;
}

}  // namespace legion
