// The configuration of a node: what it holds, how it is loaded, and how its effective values are shown.
// Every key with its default and meaning is in config/reference.toml.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/base/time.hpp>
#include <legion/config/agent_config.hpp>
#include <legion/config/middleware_config.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/priority.hpp>

namespace legion {

/// [node]
struct NodeSection {
  std::string name;
  Address listen{"127.0.0.1", 7400};  ///< port 0: a free run of ports below 32768
  std::optional<Address> advertise;   ///< what others connect to; port 0: the port that `listen` got
  std::vector<Address> join;
  std::string state_dir;              ///< absolute; created by the node
  Duration redial_max = 2s;
  Duration connect_timeout = 3s;
  Duration forget_after = 24h * 7;
  Duration drain_timeout = 10s;
  bool local = true;                  ///< the ipc pair for programs of the same host
  std::vector<std::string> roles;
  friend bool operator==(const NodeSection&, const NodeSection&) = default;
};

/// [heartbeat]; interval < suspect_after < dead_after holds.
struct HeartbeatConfig {
  Duration interval = 1s;
  Duration suspect_after = 3s;
  Duration dead_after = 10s;
  friend bool operator==(const HeartbeatConfig&, const HeartbeatConfig&) = default;
};

/// [dispatch]
struct DispatchConfig {
  std::uint32_t workers = 2;
  MailboxConfig mailbox;  ///< of agents that say nothing else
  friend bool operator==(const DispatchConfig&, const DispatchConfig&) = default;
};

/// [publish]
struct PublishConfig {
  PerLane<std::uint64_t> queue{8192, 8192, 8192, 8192};  ///< events that wait for the loop
  Priority priority = Priority::Normal;  ///< of types that neither the catalog nor a [[topic]] gives one
  std::optional<std::uint64_t> batch_size;  ///< accepted for its old name; without effect
  friend bool operator==(const PublishConfig&, const PublishConfig&) = default;
};

/// [journal]: memory for what the spools have not acknowledged yet.
struct JournalConfig {
  std::uint64_t confirmed_bytes = 64ull << 20;
  std::uint64_t captured_bytes = 64ull << 20;
  friend bool operator==(const JournalConfig&, const JournalConfig&) = default;
};

/// [spool]; that the table is there makes the node a spool.
struct SpoolConfig {
  std::string path;                           ///< absolute; of the SQLite file
  std::optional<Duration> retain_for;         ///< absent: no limit of age
  std::optional<std::uint64_t> retain_bytes;  ///< absent: no limit of size
  bool retention_force = false;               ///< trims even what a durable subscription still has to get
  friend bool operator==(const SpoolConfig&, const SpoolConfig&) = default;
};

enum class SecurityMode : std::uint8_t { None };
std::string_view to_string(SecurityMode mode);  ///< "none"

/// [security]
struct SecurityConfig {
  SecurityMode mode = SecurityMode::None;
  friend bool operator==(const SecurityConfig&, const SecurityConfig&) = default;
};

enum class LogFormat : std::uint8_t { Text, Json };
std::string_view to_string(LogFormat format);  ///< "text", "json"

/// [log]
struct LogConfig {
  LogLevel level = LogLevel::Info;
  LogFormat format = LogFormat::Text;
  bool events = false;              ///< a line for every event published and dispatched here
  std::optional<std::string> file;  ///< absolute; absent: standard error
  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

/// Where a value came from: "default", "demo.toml:12", "environment LEGION_NODE_LISTEN", "--set node.listen",
/// "from [dispatch]"; by key path as in "heartbeat.interval", "agent[0].subscribe[1].tier".
using ConfigOrigins = std::map<std::string, std::string, std::less<>>;

struct NodeConfig {
  NodeSection node;
  HeartbeatConfig heartbeat;
  DispatchConfig dispatch;
  RetryConfig retry;
  PublishConfig publish;
  JournalConfig journal;
  std::optional<SpoolConfig> spool;
  std::vector<TopicRule> topics;  ///< as written, in that order; see policy_rules()
  std::vector<AgentConfig> agents;
  std::vector<MiddlewareConfig> middleware;  ///< in their order
  SecurityConfig security;
  LogConfig log;

  ConfigOrigins origins;
  std::vector<std::string> notes;  ///< accepted settings without effect, each with its reason; log them at start

  /// Same settings; where they came from and the notes do not count.
  friend bool operator==(const NodeConfig& a, const NodeConfig& b);
};

/// One mistake. `file` is the path as given, or "environment NAME" or "--set KEY" (line 0) for an override.
struct ConfigProblem {
  std::string file;
  std::uint32_t line = 0;
  std::string key;      ///< key path, empty when it concerns the whole file
  std::string message;  ///< one complete sentence that names the key itself
  friend bool operator==(const ConfigProblem&, const ConfigProblem&) = default;
};
/// "file:line: message", one line.
std::string to_string(const ConfigProblem& problem);

/// What overrides the file, and what defaults depend on. Nothing is read from the process itself.
struct ConfigInputs {
  std::vector<std::pair<std::string, std::string>> environment;  ///< LEGION_*, STATE_DIRECTORY, XDG_STATE_HOME, HOME
  std::vector<std::string> sets;  ///< the arguments of --set, in order: "table.key=value"
  std::uint32_t cores = 0;                                       ///< for dispatch.workers; 0: as the system reports
};

/// Reads and checks `path`. Relative paths inside the file are taken from its own directory, those in overrides from
/// the working directory. Collects every mistake; only TOML that does not parse ends with the first one.
std::expected<NodeConfig, std::vector<ConfigProblem>> load_config(const std::string& path, const ConfigInputs& inputs);
/// The same for text that is already in memory; `name` stands for the path, also for relative paths.
std::expected<NodeConfig, std::vector<ConfigProblem>> parse_config(std::string_view text, const std::string& name,
                                                                  const ConfigInputs& inputs);

/// Valid TOML with every effective value and, as a comment, where it came from. Loading it gives the same settings.
std::string print_effective(const NodeConfig& config);
/// 16 hex digits, XXH3-64 over the effective values without comments.
std::string config_digest(const NodeConfig& config);

/// The rules for PolicyTable: `topics`; [publish] priority for types that nothing else gives one; and what keeps wide
/// rules from touching agent.heartbeat.
std::vector<TopicRule> policy_rules(const NodeConfig& config);

/// Whether a confirm is meant to need a spool: unless [[topic]] "*" says spools = 0, no other rule asks for one, and the
/// node is no spool itself.
bool expects_spools(const NodeConfig& config);

/// What is in effect for the types that `filter` matches, a value for each region of them that may differ: the rest of
/// the filter itself, the catalog's types, and the prefixes of the rules. Never empty.
std::vector<TopicPolicy> policies_within(const PolicyTable& table, const Filter& filter);

/// One key that a configuration may hold.
struct ConfigKey {
  std::string path;           ///< "heartbeat.interval", "agent.name", "agent(feed).speed", "agent.subscribe.tier"
  std::string form;           ///< "duration", "size", "text", ...
  std::string default_value;  ///< as TOML; empty: there is none
  std::string summary;
};
/// All of them, in the order of config/reference.toml.
std::vector<ConfigKey> config_keys();

}  // namespace legion
