// Data against the fields that are declared of it. Internal to this layer.
#pragma once

#include <optional>
#include <span>
#include <string>

#include <legion/event/msgpack_reader.hpp>
#include <legion/event/schema.hpp>

namespace legion {

/// Fields of one map; a bit of a word each while data is walked.
inline constexpr std::size_t declared_fields_max = 64;

/// Whether the map at the reader's position fits; the reader is then behind it.
bool fields_fit(std::span<const FieldInfo> fields, MsgpackReader& reader);
/// Whether all of `data` fits; no data and nil are a map without fields.
bool data_fits(std::span<const FieldInfo> fields, BytesView data);

/// Why it does not fit: "price: expected a float, found a string". Nothing when it fits.
std::optional<std::string> misfit_of(std::span<const FieldInfo> fields, BytesView data);

}  // namespace legion
