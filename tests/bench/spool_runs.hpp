// What the benchmarks of the spool share: processes that join each other, and the time of their disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/error.hpp>

#include "children.hpp"
#include "role_spec.hpp"
#include "temporary_folder.hpp"

namespace legion::bench {

inline constexpr const char* confirmed_type = "signal.generated";  // high lane, confirmed, delivered at once

struct Process {
  std::unique_ptr<Child> child;
  std::vector<std::uint16_t> ports;  ///< of control; of a spool also that of the spool
};

/// A spool and the nodes around it, in a folder of their own. Whatever went wrong, all have ended with the object.
class SpoolRun {
 public:
  explicit SpoolRun(const Interrupts& interrupts) : interrupts_(interrupts) {}
  /// Publishers before the spool they wait for.
  ~SpoolRun() {
    while (!processes_.empty()) processes_.pop_back();
  }
  SpoolRun(const SpoolRun&) = delete;
  SpoolRun& operator=(const SpoolRun&) = delete;
  /// With an empty store. Errors: Io, what the process answered. As start().
  Result<void> start_spool();
  /// Fills in where the role keeps its state and whom it joins: the spool. The process is this object's. Errors: as
  /// Child::start() and Child::read_line().
  Result<Child*> start(RoleSpec role);
  /// Of the spool: tcp://127.0.0.1:PORT.
  std::uint16_t spool_port() const { return processes_.front().ports.at(1); }
  /// Of control, of what was started last.
  std::uint16_t last_port() const { return processes_.back().ports.front(); }
  /// Ends all, the last one started first. Errors: as Child::end().
  Result<void> end();

 private:
  const Interrupts& interrupts_;
  const TemporaryFolder folder_;  // goes after the processes that use it
  std::vector<Process> processes_;
};

/// A publisher of confirmed events: `data` is "trades" or "noise".
RoleSpec confirmed_publisher(Pace pace, std::string data);
/// Tells it to go and returns what it says in the end.
Result<nlohmann::json> go(Child& publisher, Pace pace);

/// How long an fdatasync of 4 KiB takes in the folder the stores are in: of 200.
struct DiskTime {
  double p50_us = 0, p99_us = 0;
};
DiskTime time_fsync();

}  // namespace legion::bench
