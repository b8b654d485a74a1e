#include <legion/event/typed.hpp>

#include <legion/event/schema_check.hpp>

namespace legion::typed {

Error decode_error(const EventSchema& schema, std::uint32_t version, BytesView data) {
  const std::string title = std::string(schema.type) + " (version " + std::to_string(version) + "): ";
  // Of a newer version what is known here is looked at all the same.
  if (version <= schema.version) {
    if (auto checked = check_data(schema, version, data); !checked) return std::move(checked.error());
  }
  return {ErrorCode::BadData, title + misfit_of(schema.fields, data).value_or("the data does not fit")};
}

Error wrong_type(const EventSchema& schema, std::string_view type) {
  return {ErrorCode::InvalidArgument,
          "the event is of type " + std::string(type) + " and not " + std::string(schema.type)};
}

}  // namespace legion::typed
