// How a command ended, for scripts. docs/operations.md, "Exit codes".
#pragma once

#include <legion/base/error.hpp>

namespace legion::cli {

namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int failed = 1;
inline constexpr int partial = 3;
inline constexpr int usage = 64;
inline constexpr int bad_data = 65;
inline constexpr int nothing_found = 66;
inline constexpr int unreachable = 69;
inline constexpr int internal = 70;
inline constexpr int timed_out = 75;
inline constexpr int not_permitted = 77;
inline constexpr int configuration = 78;
inline constexpr int interrupted = 130;
}  // namespace exit_code

/// The exit code for a command that ended with this error.
int exit_code_of(const Error& error);

}  // namespace legion::cli
