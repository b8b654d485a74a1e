// The standard descriptors of a program that was started without them.
#pragma once

namespace legion::cli {

/// Opens those of 0, 1 and 2 that are closed, so that no socket takes their number and gets what is meant for them. Input
/// is then at its end, standard error goes nowhere, and writing to standard output fails as it would have.
/// To be called before anything else opens a descriptor. Returns false when /dev/null cannot be opened.
[[nodiscard]] bool occupy_standard_descriptors();

}  // namespace legion::cli
