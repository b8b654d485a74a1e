// Events as CloudEvents JSON.
#pragma once

#include <legion/event/json.hpp>
