// JSON text and MessagePack, one into the other, without a tree in between. Internal to this layer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {

/// One JSON value as MessagePack, nested at most `depth_max` deep. Errors: BadData with line and column where the text
/// is not JSON; TooBig above limits::json_line_bytes_max.
Result<Bytes> json_to_msgpack(std::string_view json, std::size_t depth_max);

/// Appends the value at the reader's position. `out` may hold a part of it after an error. Errors: BadData.
Result<void> append_json(std::string& out, MsgpackReader& reader);

/// Appends a JSON string. `text` is UTF-8.
void append_json_string(std::string& out, std::string_view text);

/// The shortest digits that give the same double back; always with a point or an exponent. `value` is finite.
std::string float_text(double value);

}  // namespace legion
