#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>

namespace legion {

struct JsonMember {
  std::string_view name;   ///< as written between the quotes; escapes are not accepted in names
  std::string_view value;  ///< JSON text; where it is an object or array, its inside is unchecked
};

/// The top-level members of one JSON object, in order, as pieces of the text. Values are not decoded, so that large
/// ones can be read by whom they concern, exactly as written. Errors: BadData.
Result<std::vector<JsonMember>> json_members(std::string_view object);

}  // namespace legion
