#include <array>
#include <utility>

#include <legion/event/types.hpp>

namespace legion {
namespace {

template <std::size_t... index>
constexpr auto schemas_of(std::index_sequence<index...>) {
  return std::array{schema_of<std::tuple_element_t<index, BuiltInEvents>>()...};
}

constexpr auto schemas = schemas_of(std::make_index_sequence<std::tuple_size_v<BuiltInEvents>>{});

}  // namespace

std::span<const EventSchema> built_in_schemas() { return schemas; }

}  // namespace legion
