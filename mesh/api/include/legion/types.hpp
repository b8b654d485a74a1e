// The events of the built-in catalog as structs.
#pragma once

#include <legion/event/types.hpp>
