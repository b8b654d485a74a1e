#pragma once

#include <legion/core/messages.hpp>

namespace legion {

/// The params of the control method `tails` (docs/protocol.md): what do you know of this origin on this lane?
Bytes tails_params(const Origin& origin, Priority lane);

}  // namespace legion
