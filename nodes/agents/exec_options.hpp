#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <legion/base/limits.hpp>
#include <legion/base/time.hpp>

namespace legion {

struct ExecOptions {
  std::string name{};                                    ///< LEGION_AGENT of the process
  std::vector<std::string> command{};
  std::vector<std::pair<std::string, std::string>> env{};
  std::string working_dir{};
  std::uint32_t concurrency = 1;

  Duration restart_delay = 1s;
  Duration restart_delay_max = 30s;
  Duration stable_after = 10s;  ///< up for so long: the next restart waits restart_delay again

  std::size_t line_bytes_max = limits::json_line_bytes_max;
  /// Unwritten output beyond this: no more events are encoded, and the agent's own output is not read.
  std::size_t output_bytes_max = limits::json_line_bytes_max;
  /// Publishes with a ref that are not numbered yet; one more is refused with would_block.
  std::size_t pending_refs_max = 16384;
  /// Deliveries without a final answer, besides 4 x concurrency; beyond it the oldest counts as failed.
  std::size_t open_deliveries_max = 4096;
  std::uint32_t log_lines_per_second = 100;     ///< of its standard error and "log" lines each
  std::uint32_t report_lines_per_second = 10;   ///< of our complaints about its lines
};

}  // namespace legion
