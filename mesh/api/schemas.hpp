// The declarations that a node of a program knows. Internal.
#pragma once

#include <span>

#include <legion/event/schema.hpp>

namespace legion {

/// Those of the built-in types and these. Errors: InvalidArgument naming the type.
Result<SchemaTable> schemas_of(std::span<const EventSchema> types);

}  // namespace legion
