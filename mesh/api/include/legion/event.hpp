// Events: what is published, what a handler sees, and events as structs.
#pragma once

#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/outcome.hpp>
#include <legion/event/priority.hpp>
#include <legion/event/publish.hpp>
#include <legion/event/typed.hpp>
