// What surrounds the nodes, in the words of the plan: hosts by their number, links between them, disks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "disk/disk.hpp"
#include "kernel/kernel.hpp"

#include "plan.hpp"

namespace legion::sim {

/// What the real process of that number keeps of its nodes' files.
std::string folder_of(int pid);
inline void remove_files_of(int pid) {
  std::error_code ignored;
  std::filesystem::remove_all(folder_of(pid), ignored);
}

/// Thread: the one there is. Operators have a host of their own that no fault touches.
class Environment {
 public:
  explicit Environment(const Plan& plan);
  ~Environment();
  /// Removes the real files of runs that were killed.
  static void sweep();
  /// The real files of the nodes.
  void remove_files();

  // --- processes
  /// From now on what this process does happens at that host, which has power. Right after it was spawned.
  void place(Process& process, std::size_t host);
  void place_operator(Process& process);
  /// Before its process is killed: nobody is told.
  void power_off(std::size_t host);

  // --- links, one way each
  enum class Way : std::uint8_t { Open, Cut };
  void set_link(std::size_t from, std::size_t to, Way way);
  void clog(std::size_t from, std::size_t to, Duration how_long);
  void set_delay(std::size_t from, std::size_t to, Duration extra);
  /// 0: no limit.
  void set_capacity(std::size_t from, std::size_t to, double bytes_per_second);
  void reset_connections(std::size_t a, std::size_t b);
  void heal_links();
  /// Is told of every message of a lane what became of it at the queue for a host.
  enum class Queue : std::uint8_t { Took, WasFull };
  void watch_lanes(std::function<void(std::size_t to, std::string_view message, Queue queue)> watcher);

  // --- disks
  Disk& disk(std::size_t host);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion::sim
