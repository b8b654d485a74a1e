// liblegion.so is made of the layers; a target needs a source of its own.
#include <legion/version.hpp>

static_assert(!legion::header_version.empty());
