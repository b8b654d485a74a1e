// One simulated process and what its host remembers of it.
#pragma once

#include <string>

#include "sim_cluster.hpp"

namespace legion::sim {

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};

inline Endpoints endpoints_of_host(std::uint32_t host) {
  const std::string prefix = "tcp://10.0." + std::to_string(host / 250) + "." + std::to_string(host % 250 + 1) + ":";
  Endpoints endpoints;
  endpoints.control = prefix + "7400";
  for (std::size_t lane = 0; lane < endpoints.lanes.size(); ++lane) {
    endpoints.lanes[lane] = prefix + std::to_string(7401 + lane);
  }
  return endpoints;
}

struct SimCluster::Process {
  struct Lane {
    Member peer;
    std::uint64_t link = 0;
  };

  std::string label;
  NodeOptions options;
  Endpoints endpoints;
  BootId boot;
  std::unique_ptr<Membership> core;
  std::uint64_t life = 0;
  bool running = false;
  bool paused = false;
  std::optional<int> exit_code;
  std::string exit_message;

  std::map<std::string, Lane> lanes;     // connected peers by name
  std::set<std::uint64_t> calls;         // hellos under way
  std::vector<std::function<void(Process&)>> inbox;  // while paused
  std::vector<effect::CollectTails> collected;

  Incarnation kept_incarnation = 0;      // the state directory
  std::vector<Member> kept_roster;
};

}  // namespace legion::sim
