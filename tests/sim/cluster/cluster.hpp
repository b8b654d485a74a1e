// The nodes of a run: real legion::NodeHost objects in simulated processes, born and killed as the plan says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/runtime/node_host.hpp>

#include "agents.hpp"
#include "environment.hpp"
#include "kernel/kernel.hpp"
#include "world.hpp"

namespace legion::sim {

/// Thread: called from the scheduler, unless said otherwise.
class Cluster {
 public:
  Cluster(World& world, Environment& environment);

  void boot(std::size_t host);
  enum class Death : std::uint8_t {
    OfProcess,
    OfMachine
  };  ///< of the machine: nobody is told, what was not synced is gone
  void kill(std::size_t host, Death death);
  /// SIGTERM: drains, says goodbye, ends.
  void terminate(std::size_t host);
  void pause(std::size_t host);
  void resume(std::size_t host);
  void step_wall(std::size_t host, Duration by);
  void send_agent_away(std::size_t host, double which, Duration how_long);
  /// Whatever died on its own comes back by itself after a while; those that are killed as well, unless they are held.
  void hold_down(std::size_t host) { hosts_[host].held_down = true; }
  void release(std::size_t host);
  /// The next life of this host finds an empty disk. Between two lives.
  void wipe(std::size_t host);

  bool is_running(std::size_t host) const { return hosts_[host].life.has_value(); }
  bool all_running() const;
  LifeNo life_of(std::size_t host) const { return *hosts_[host].life; }
  bool any_running() const;
  /// No more lives begin.
  void end_of_lives() { reborn_ = false; }

 private:
  struct Host {
    std::shared_ptr<Process> process;
    std::optional<LifeNo> life;  // of the process that runs
    std::uint32_t lives = 0;
    bool held_down = false;
    int stop_fd = -1;  // readable: SIGTERM
    std::filesystem::path directory;
    Life::State files = Life::State::Lost;  // as the next life finds them
    Duration wall_offset{};
    std::vector<HandlerAgent*> agents;  // of the process that runs
  };

  void run_node(std::size_t host, LifeNo life);
  NodeHostOptions options_of(std::size_t host) const;
  void add_agents(NodeHost& node, std::size_t host, LifeNo life);
  /// Of a process that is over, however it ended.
  void bury(std::size_t host, LifeNo life, Life::End end);
  void boot_later(std::size_t host, Duration delay);
  World& world_;
  Environment& environment_;
  std::vector<Host> hosts_;
  bool reborn_ = true;
};

}  // namespace legion::sim
