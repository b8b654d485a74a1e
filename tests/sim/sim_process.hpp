// One simulated process and what its host remembers of it.
#pragma once

#include <string>

#include "sim_cluster.hpp"

namespace legion::sim {

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};

/// Addresses of usual length; or of at most 15 characters, which a std::string holds without memory of its own: a
/// thousand rosters of a thousand members are five million addresses.
inline Endpoints endpoints_of_host(std::uint32_t host, bool short_ones) {
  std::string prefix = "tcp://10.0." + std::to_string(host / 250) + "." + std::to_string(host % 250 + 1) + ":";
  if (short_ones) {
    constexpr char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    const std::string name{digits[host / 1296 % 36], digits[host / 36 % 36], digits[host % 36], 'h'};
    prefix = "tcp://" + name + ":";
  }
  Endpoints endpoints;
  endpoints.control = prefix + "7400";
  for (std::size_t lane = 0; lane < endpoints.lanes.size(); ++lane) {
    endpoints.lanes[lane] = prefix + std::to_string(7401 + lane);
  }
  return endpoints;
}

struct SimCluster::Process {
  struct Lane {
    std::string control;  // where it leads
    std::uint64_t link = 0;
  };

  std::string label;
  std::size_t index = 0;  // in the order of add()
  NodeOptions options;
  Endpoints endpoints;
  BootId boot;
  std::unique_ptr<Membership> core;
  std::uint64_t life = 0;
  bool running = false;
  bool paused = false;
  std::optional<int> exit_code;
  std::string exit_message;

  std::unordered_map<std::string, Lane> lanes;  // connected peers by name
  std::unordered_map<std::uint64_t, SteadyTime> calls;  // hellos under way: when they time out
  std::vector<std::function<void(Process&)>> inbox;  // while paused
  std::vector<effect::CollectTails> collected;
  std::vector<bool> blocked;             // towards the process of that index
  std::vector<SteadyTime> usable_from;   // the same after a heal

  Incarnation kept_incarnation = 0;      // the state directory
  std::vector<Member> kept_roster;
};

}  // namespace legion::sim
