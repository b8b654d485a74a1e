// How fast the simulator is: the same calm mesh again and again.
#pragma once

namespace legion::sim {

/// Prints a JSON object for each of two meshes, one with the two spools beside the five nodes and one with the spools
/// among them: simulated cluster-hours a minute of the wall clock with so many processes at once, and what the measured
/// runs were. Returns an exit code.
int measure(unsigned workers);

}  // namespace legion::sim
