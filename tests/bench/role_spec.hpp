// What a process of a benchmark is told to do. It travels as JSON on its command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/base/time.hpp>

namespace legion::bench {

inline constexpr const char* loopback = "127.0.0.1";

enum class Kind : std::uint8_t {
  Mesh,
  Raw,
  Spool,      ///< a node that is a spool
  Confirmed,  ///< a node that publishes confirmed events
  Repair,     ///< a node with a durable subscription whose link is cut
};

struct Pace {
  std::int64_t length_ms = 2000;
  std::uint32_t per_second = 0;  ///< of each flow; 0: as fast as it goes
  Duration length() const { return std::chrono::milliseconds(length_ms); }
};

/// What one publishing thread sends. Flows of one benchmark have different numbers.
struct FlowSpec {
  std::uint8_t number = 0;
  std::vector<std::string> types;  ///< of events, one after the other; a bare message has none
};

enum class Timing : std::uint8_t {
  Count,    ///< a counter, and the clock for every 64th arrival: for throughput
  Latency,  ///< the clock and a histogram for every arrival
};

/// One handler and what it counts.
struct MeterSpec {
  std::string agent;   ///< meters of the same name are subscriptions of one agent
  std::string filter;  ///< what it subscribes to; unlike that of any other meter of the process
  std::vector<std::uint8_t> flows;
  Timing timing = Timing::Count;
  std::int64_t work_ns = 0;  ///< busy for so long an event
};

struct RoleSpec {
  Kind kind = Kind::Mesh;
  std::string name;                  ///< of the node
  std::string state_dir;             ///< Mesh; the run fills it in
  std::vector<std::uint16_t>
      ports;  ///< of earlier processes: a node to join, sockets to connect to; the run fills it in
  std::vector<FlowSpec> flows;
  Pace pace;
  std::vector<MeterSpec> meters;
  std::string data;  ///< Confirmed: "trades" or "noise"
  std::string topics = "[[topic]]\nprefix = \"*\"\nspools = 0\n";  ///< Mesh: tables of its configuration
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Pace, length_ms, per_second)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FlowSpec, number, types)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MeterSpec, agent, filter, flows, timing, work_ns)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RoleSpec, kind, name, state_dir, ports, flows, pace, meters, data, topics)

}  // namespace legion::bench
