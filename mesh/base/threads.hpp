// What a thread tells the operating system about itself.
#pragma once

namespace legion {

/// Shown by top -H and debuggers; at most 15 characters.
void name_this_thread(const char* name);

/// Short turns on the processor, taken soon, instead of long ones taken late: for threads that mostly pass something on
/// and sleep. Threads started from this one inherit it. Needs no privilege. A kernel before 6.12 ignores it.
void ask_for_short_turns();
/// The kernel's own length again.
void ask_for_usual_turns();

}  // namespace legion
