// What one [[agent]] of the configuration says, with everything it inherits filled in.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <legion/base/limits.hpp>
#include <legion/base/log.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/priority.hpp>
#include <legion/event/where.hpp>

namespace legion {

/// One value per lane, indexed with lane_index().
template <class T>
using PerLane = std::array<T, limits::lane_count>;

std::string_view to_string(LogLevel level);  ///< "trace", "debug", "info", "warn", "error", "off"

/// The mailbox of an agent: bounded lanes and what a plain subscription loses when one is full.
struct MailboxConfig {
  enum class Overflow : std::uint8_t { DropOldest, DropNewest };
  PerLane<std::uint64_t> capacity{10000, 10000, 10000, 10000};  ///< events
  PerLane<Overflow> overflow{};
  friend bool operator==(const MailboxConfig&, const MailboxConfig&) = default;
};
std::string_view to_string(MailboxConfig::Overflow overflow);  ///< "drop_oldest", "drop_newest"

struct RetryConfig {
  std::uint32_t max_attempts = 3;  ///< hand-overs in all, the first included
  Duration delay = 100ms;          ///< before the second attempt
  double backoff = 2.0;            ///< each further delay is this much longer
  friend bool operator==(const RetryConfig&, const RetryConfig&) = default;
};

/// A program of any language, fed JSON lines.
struct ExecConfig {
  std::vector<std::string> command;  ///< never empty
  std::vector<std::pair<std::string, std::string>> env;  ///< added to the node's own environment, sorted by name
  std::string working_dir;           ///< absolute
  Duration restart_delay = 1s;
  Duration restart_delay_max = 30s;
  Duration handler_timeout = 30s;    ///< an event not answered by then counts as a failed attempt; 0: no limit
  friend bool operator==(const ExecConfig&, const ExecConfig&) = default;
};

/// remote = true: a program that attaches over the control port and serves this agent.
struct RemoteConfig {
  bool remote = true;                ///< always
  std::uint32_t credit = 256;        ///< deliveries without an answer at the client, at most
  Duration lease = 10s;              ///< a client silent for so long is away
  Duration handler_timeout = 30s;    ///< as of ExecConfig
  friend bool operator==(const RemoteConfig&, const RemoteConfig&) = default;
};

/// How fast a feed publishes.
struct FeedPace {
  enum class Kind : std::uint8_t {
    Recorded,  ///< with the gaps of the file's time column, divided by `factor`
    Rate,      ///< `rate` events a second
    Max,       ///< as fast as publish() accepts
  };
  Kind kind = Kind::Recorded;
  double factor = 1.0;  ///< Recorded only; 1 is the original speed
  double rate = 0.0;    ///< Rate only
  friend bool operator==(const FeedPace&, const FeedPace&) = default;
};

/// A constant that a feed puts into the data of each of its events.
using FeedConstant = std::variant<bool, std::int64_t, double, std::string>;

/// builtin = "feed": publishes the rows of a CSV file, or synthetic events.
struct FeedConfig {
  std::string type = "market.data_received";
  std::optional<std::string> file;      ///< absolute path of a CSV file with a header line; absent: synthetic
  FeedPace pace;
  std::optional<std::uint64_t> count;   ///< stop after so many events
  bool repeat = false;                  ///< begin the file again at its end
  Duration start_after{0};              ///< after the node has joined and `wait_for_nodes` is met
  std::uint32_t wait_for_nodes = 1;     ///< alive nodes, this one included
  std::vector<std::pair<std::string, FeedConstant>> fields;  ///< sorted by name
  std::optional<std::string> key;       ///< the column (or constant) whose value becomes the event key
  std::optional<Priority> priority;     ///< absent: what the policy of the type says
  friend bool operator==(const FeedConfig&, const FeedConfig&) = default;
};

/// builtin = "log": writes each event to the node's log.
struct LogAgentConfig {
  LogLevel level = LogLevel::Info;
  friend bool operator==(const LogAgentConfig&, const LogAgentConfig&) = default;
};

/// builtin = "echo": answers each event with one of the same data. With `reply_type` every answer has that type,
/// otherwise its type is `prefix` followed by the type of the event. Never matches its own subscriptions.
struct EchoConfig {
  std::optional<std::string> reply_type;
  std::string prefix = "echo.";
  friend bool operator==(const EchoConfig&, const EchoConfig&) = default;
};

/// builtin = "sink": takes events and does nothing else; for measuring and for trying out failures.
struct SinkConfig {
  Duration work{0};                 ///< busy time per event
  std::optional<std::string> file;  ///< absolute; CloudEvents lines are appended to it
  std::uint64_t fail_every = 0;     ///< every N-th hand-over is answered with an error; 0: none
  friend bool operator==(const SinkConfig&, const SinkConfig&) = default;
};

/// plugin = "libx.so": handlers in a shared object, made with legion/plugin.hpp.
struct PluginConfig {
  std::string library;                  ///< absolute path
  std::vector<std::pair<std::string, FeedConstant>> settings;  ///< for the plugin; sorted by name
  Duration handler_timeout{0};          ///< of coroutines; 0: none
  friend bool operator==(const PluginConfig&, const PluginConfig&) = default;
};

/// What runs behind an agent.
using AgentHost =
    std::variant<ExecConfig, FeedConfig, LogAgentConfig, EchoConfig, SinkConfig, PluginConfig, RemoteConfig>;
/// "exec", "feed", "log", "echo", "sink", "plugin", "remote"
std::string_view host_name(const AgentHost& host);

/// Where a durable subscription begins that no spool knows yet.
struct StartConfig {
  enum class Kind : std::uint8_t { Now, Beginning, Time, Event };
  Kind kind = Kind::Now;
  WallTime time{};  ///< of Time
  EventId event;    ///< of Event
  friend bool operator==(const StartConfig&, const StartConfig&) = default;
};

struct SubscribeConfig {
  Filter type;
  Priority tier = Priority::Normal;    ///< Critical: a gate
  std::optional<std::string> durable;  ///< its name; absent: a plain subscription
  StartConfig start;                   ///< of a durable one
  std::optional<std::string> group;    ///< its name; then it is durable under this name, and `durable` is not set
  std::optional<std::string> home;     ///< of a group: the spool that says who has which share
  std::uint32_t shares = 8;            ///< of a group
  bool replay = false;                 ///< takes replayed events too
  std::optional<Where> where;          ///< what it says no to is filtered
  friend bool operator==(const SubscribeConfig&, const SubscribeConfig&) = default;
};

struct AgentConfig {
  std::string name;
  AgentHost host;
  std::uint32_t concurrency = 1;
  MailboxConfig mailbox;           ///< inherits [dispatch]
  RetryConfig retry;               ///< inherits [retry]
  std::vector<SubscribeConfig> subscribe;
  friend bool operator==(const AgentConfig&, const AgentConfig&) = default;
};

}  // namespace legion
