// What a thread tells the operating system about itself.
#pragma once

namespace legion {

/// Shown by top -H and debuggers; at most 15 characters.
void name_this_thread(const char* name);

}  // namespace legion
