// Names that operators see in top -H and debuggers.
#pragma once

#include <pthread.h>

namespace legion {

/// At most 15 characters.
inline void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace legion
