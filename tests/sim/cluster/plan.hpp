// What one run is: drawn from its seed before anything happens, and printable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/limits.hpp>
#include <legion/base/time.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/priority.hpp>
#include <legion/runtime/agent.hpp>

namespace legion::sim {

/// An event type of the workload and the policy every node has for it.
struct TypePlan {
  std::string type;
  Durability durability = Durability::None;
  Deliver deliver = Deliver::Live;
  std::uint8_t spools = 0;
  std::uint8_t shards = 1;
  Priority priority = Priority::Normal;
  std::optional<Duration> ttl;
};

/// What a handler does with an event. Drawn from seed, subscription and event, so that every hand-over meets the same.
enum class Manner : std::uint8_t {
  Fine,
  Slow,
  Publishes,   ///< a consequence, then done
  FailsFirst,  ///< the first attempt, or the first two; then done
  Poison,      ///< fails for ever, until an operator requeues it after a repair
  Hangs,       ///< never answers: the time-out does
  Defers,      ///< acknowledged later
  Stops,
  Rejects,
  KillsOnce,   ///< the process, at the first hand-over
  Kills,       ///< the process, at every hand-over
};
inline constexpr std::size_t manner_count = 11;
std::string_view to_string(Manner manner);

struct SubscriptionPlan {
  std::string filter;
  Priority tier = Priority::Normal;
  std::string durable;  ///< its name; empty: a plain one
  enum class Start : std::uint8_t { Beginning, Now } start = Start::Beginning;
  bool replays = false;
  bool in_group = false;  ///< a member of Plan::group
  /// Of an event of the workload to be met with each manner.
  std::array<double, manner_count> manners{};

  // Where it is; filled in when the plan is complete.
  std::size_t host = 0;
  std::size_t agent = 0;  ///< of the host
  bool is_gate() const { return tier == Priority::Critical; }
};

struct HandlerPlan {
  std::string name;
  Agent::Answers answers = Agent::Answers::AtOnce;
  std::uint32_t concurrency = 1;
  RetryPolicy retry;
  std::optional<Duration> handler_timeout;
  std::array<LaneSpec, limits::lane_count> lanes{};
  std::size_t consequence = 0;                  ///< type of what it publishes
  std::vector<std::size_t> subscriptions;       ///< of Plan::subscriptions
};

struct PublisherPlan {
  std::string name;
  double events_per_second = 1;
  std::size_t burst = 1;             ///< events at once
  std::vector<std::size_t> types;    ///< of Plan::types
  std::size_t keys = 0;              ///< how many different ones; 0: none
  bool wants_confirms = true;
};

struct HostPlan {
  std::string name;
  std::string address;  ///< "10.0.0.1"
  bool spool = false;
  std::size_t workers = 2;
  std::array<std::size_t, limits::lane_count> queue_capacity{};
  std::uint64_t confirmed_bytes = 0, captured_bytes = 0;  ///< of its journals
  Duration wall_offset{};
  std::vector<HandlerPlan> handlers;
  std::vector<PublisherPlan> publishers;
};

enum class Fault : std::uint8_t {
  Partition,     ///< a group of hosts from the others
  OneWay,        ///< what `a` sends to `b` does not arrive
  Flap,          ///< the link of a and b goes and comes
  Delay,         ///< between a and b
  Capacity,      ///< of the link of a and b
  Clog,          ///< nothing moves between a and b, and nobody is told
  Reset,         ///< connections of a and b break
  Crash,         ///< kill -9, started again with all its files
  Wipe,          ///< killed, started again on an empty disk
  PowerCut,      ///< falls silent; what was not synced is lost
  Pause,         ///< SIGSTOP
  WallStep,
  SlowDisk,
  DiskError,     ///< EIO: the store freezes, and is started again some time later
  DiskFull,
  DamagedBlock,  ///< killed, a block of its store is found damaged
  Restart,       ///< SIGTERM, started again
  AgentDown,     ///< an agent that answers later goes away for a while
  Requeue,       ///< operators, from here on
  Purge,
  Skip,
  ResetCursor,
  Replay,
};
inline constexpr std::size_t fault_count = 23;
std::string_view to_string(Fault fault);
/// One line for --list-faults.
std::string_view describe(Fault fault);
/// Those that leave processes, clocks and disks alone.
bool is_of_network(Fault fault);
bool is_of_operators(Fault fault);

struct FaultPlan {
  Fault kind = Fault::Crash;
  Duration at{};        ///< after the phase began
  Duration lasts{};
  std::size_t a = 0, b = 0;  ///< hosts
  std::uint64_t group = 0;   ///< of Partition: a bit for each host on one side
  double amount = 0;    ///< of Delay, WallStep, SlowDisk: seconds; of Capacity: bytes a second; of others a draw
};

struct GroupPlan {
  std::string name;
  std::string home;                    ///< a spool
  std::size_t type = 0;                ///< of Plan::types
  std::uint32_t shares = 1;
  std::vector<std::uint32_t> members;  ///< of Plan::subscriptions
};

struct Plan {
  std::uint64_t seed = 0;
  std::vector<HostPlan> hosts;
  std::vector<TypePlan> types;
  std::vector<SubscriptionPlan> subscriptions;
  std::optional<GroupPlan> group;
  std::optional<Duration> retain_for;   ///< of every spool
  int mark_max = 0;                ///< of the lanes' high-water marks; 0: the product's own
  std::size_t store_loss_max = 0;  ///< how often a store may be lost or damaged

  // Of membership, everywhere alike.
  Duration heartbeat_interval = 1s, suspect_after = 3s, dead_after = 10s;
  Duration link_delay{};        ///< of a healthy link
  double link_jitter = 0;

  Duration safety = 40s;        ///< faults of every kind
  Duration books = 15s;         ///< faults of the network alone, between two looks at the books
  Duration converge_max = 120s;  ///< for each of the two times of healing
  Duration drain_max = 60s;
  std::vector<FaultPlan> faults;         ///< of the safety phase, ascending
  std::vector<FaultPlan> network_faults; ///< of the books phase, ascending
  bool wild = false;

  PolicyTable policy() const;
  std::size_t spools() const;
  const HandlerPlan& handler(const SubscriptionPlan& subscription) const {
    return hosts[subscription.host].handlers[subscription.agent];
  }
  Filter filter(std::size_t subscription) const;
  /// How many subscriptions it is at its node: a member of a group is one a share.
  std::size_t rows_of(std::size_t subscription) const {
    return subscriptions[subscription].in_group ? group->shares : 1;
  }
};

Plan draw_plan(std::uint64_t seed);
/// Many lines, for --trace.
std::string describe(const Plan& plan);

/// What a subscription does with an event, the number of which is `tag`.
Manner manner_of(const Plan& plan, std::size_t subscription, std::uint64_t tag);
/// How many attempts fail, of FailsFirst.
std::uint32_t failures_of(const Plan& plan, std::size_t subscription, std::uint64_t tag);
/// Evenly in [0, 1), from the seed and these two.
double chance_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b);

}  // namespace legion::sim
