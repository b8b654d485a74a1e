// "Did you mean": the name that would have been accepted and is nearest to the one written.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace legion {

/// `; did you mean "x"?` for a slip or for a name that was begun or continued, otherwise nothing.
std::string suggestion(std::string_view name, std::span<const std::string> candidates);

}  // namespace legion
