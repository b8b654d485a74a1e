#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <legion/base/bytes.hpp>

namespace legion {

/// One value of a feed's data.
using FieldValue = std::variant<bool, std::int64_t, double, std::string>;
using Fields = std::vector<std::pair<std::string, FieldValue>>;

/// A MessagePack map of the row and the constants; where both have a name, the constant stands.
Bytes encode_fields(const Fields& row, const Fields& constants);

/// As an event key: strings as they are, numbers in their shortest form.
std::string to_key(const FieldValue& value);

}  // namespace legion
