#include <legion/api/schemas.hpp>

namespace legion {

Result<SchemaTable> schemas_of(std::span<const EventSchema> types) {
  SchemaTable schemas = SchemaTable::built_in();
  for (const EventSchema& type : types) {
    if (auto added = schemas.add(type); !added) return fail(added.error().code, "types: " + added.error().message);
  }
  return schemas;
}

}  // namespace legion
