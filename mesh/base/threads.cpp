#include <legion/base/threads.hpp>

#include <pthread.h>

namespace legion {

void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace legion
