#include <legion/config/checks.hpp>
#include <legion/event/types.hpp>

#include <algorithm>
#include <set>

namespace legion {
namespace {

constexpr std::uint32_t ports_in_a_run = 6;      // control, four lanes, spool
constexpr std::uint32_t ephemeral_port = 32768;  // from here on the kernel hands ports to outgoing connections
/// An ipc path has room for 107 bytes; the names of the sockets inside the state directory need the rest.
constexpr std::size_t state_dir_bytes_max = 80;
constexpr std::string_view spool_role = "spool";

void check_port_run(Reader& reader, const Address& listen) {
  if (listen.port == 0 || listen.port + ports_in_a_run <= ephemeral_port) return;
  reader.problem("node.listen",
                 "[node] listen: port " + std::to_string(listen.port) +
                     " begins a run of 6 (control, four lanes, spool) that has to stay below 32768, where "
                     "the system takes ports for outgoing connections; use 32762 or less, or 0");
}

void check_advertise(Reader& reader, const NodeSection& node) {
  if (!node.advertise) {
    if (!node.listen.is_wildcard()) return;
    reader.problem("node.listen", "[node] listen: " + node.listen.uri() +
                                      " is every interface, which others cannot connect to; write what they should use "
                                      "as advertise = \"tcp://HOST:PORT\"");
    return;
  }
  if (node.advertise->is_wildcard()) {
    reader.problem("node.advertise", "[node] advertise: " + node.advertise->uri() + " cannot be connected to");
  }
  if (node.listen.port == 0 && node.advertise->port != 0) {
    reader.problem("node.advertise",
                   "[node] advertise: listen takes any free port, so advertise cannot name one; write port 0");
  }
}

void check_join(Reader& reader, const NodeSection& node) {
  for (const Address& member : node.join) {
    if (member.port == 0) reader.problem("node.join", "[node] join: " + member.uri() + " has no port to connect to");
    if (member.is_wildcard()) reader.problem("node.join", "[node] join: " + member.uri() + " cannot be connected to");
  }
}

/// An open port is everybody's: reading the market is one thing, injecting an order another.
void check_exposure(Reader& reader, const NodeConfig& config) {
  if (reader.is_set("security.mode")) return;
  const auto check = [&](const Address& address, const std::string& key) {
    if (address.is_loopback()) return false;
    reader.problem("node." + key, "[node] " + key + ": " + address.uri() +
                                      " is not loopback, and there is no authentication: whoever reaches the port can "
                                      "read every event and inject any, orders included; if the network itself keeps "
                                      "strangers out, say so with [security] mode = \"none\"");
    return true;
  };
  if (!check(config.node.listen, "listen") && config.node.advertise) check(*config.node.advertise, "advertise");
}

void check_heartbeat(Reader& reader, const NodeConfig& config) {
  const auto compare = [&](std::string_view shorter, Duration low, std::string_view longer, Duration high) {
    if (low < high) return;
    const std::string path =
        reader.first_set({"heartbeat." + std::string(longer), "heartbeat." + std::string(shorter)});
    reader.problem(path, "[heartbeat] " + std::string(longer) + " = " + DurationForm::shown(high) +
                             " has to be longer than " + std::string(shorter) + " = " + DurationForm::shown(low));
  };
  const HeartbeatConfig& heartbeat = config.heartbeat;
  compare("interval", heartbeat.interval, "suspect_after", heartbeat.suspect_after);
  compare("suspect_after", heartbeat.suspect_after, "dead_after", heartbeat.dead_after);
  if (config.node.forget_after <= heartbeat.dead_after) {
    reader.problem(reader.first_set({"node.forget_after", "heartbeat.dead_after"}),
                   "[node] forget_after = " + DurationForm::shown(config.node.forget_after) +
                       " has to be longer than [heartbeat] dead_after = " + DurationForm::shown(heartbeat.dead_after));
  }
}

void check_roles(Reader& reader, const NodeConfig& config) {
  std::set<std::string> seen;
  for (const std::string& role : config.node.roles) {
    if (role == spool_role && !config.spool) {
      reader.problem("node.roles",
                     "[node] roles: \"spool\" is the role of a node with a [spool] table, and there is none");
    }
    if (!seen.insert(role).second)
      reader.problem("node.roles", "[node] roles: " + toml_quote(role) + " is there twice");
  }
}

void check_state_dir(Reader& reader, const NodeSection& node) {
  if (!node.local || node.state_dir.size() <= state_dir_bytes_max) return;
  reader.problem(reader.first_set({"node.state_dir", "node.local"}),
                 "[node] state_dir: " + toml_quote(node.state_dir) + " is " + std::to_string(node.state_dir.size()) +
                     " bytes long; the ipc sockets in it leave room for " + std::to_string(state_dir_bytes_max) +
                     "; choose a shorter one or write local = false");
}

std::string topic_title(const TopicRule& rule) { return "[[topic]] " + toml_quote(rule.prefix.text()); }

void note_checks_of_nothing(Reader& reader, const TopicRule& rule, const std::string& path) {
  const auto is_matched = [&](const EventSchema& schema) { return rule.prefix.matches(schema.type); };
  if (std::ranges::any_of(built_in_schemas(), is_matched)) return;
  constexpr std::string_view why = " has no effect: nothing is declared of the data of these types";
  if (rule.schema.value_or(SchemaCheck::Off) != SchemaCheck::Off) {
    reader.note(path + ".schema", topic_title(rule) + " schema = " + toml_quote(to_string(*rule.schema)) + std::string(why));
  }
  if (rule.unknown_version.value_or(UnknownVersion::Accept) != UnknownVersion::Accept) {
    reader.note(path + ".unknown_version", topic_title(rule) + " unknown_version = " +
                                               toml_quote(to_string(*rule.unknown_version)) + std::string(why));
  }
}

}  // namespace

void check_node(Reader& reader, const NodeConfig& config) {
  if (!reader.is_set("node.name")) reader.problem("node.name", "[node] has no name; every node needs one of its own");
  check_port_run(reader, config.node.listen);
  check_advertise(reader, config.node);
  check_join(reader, config.node);
  check_exposure(reader, config);
  check_heartbeat(reader, config);
  check_roles(reader, config);
  check_state_dir(reader, config.node);
}

void check_topics(Reader& reader, const NodeConfig& config) {
  std::set<std::string> seen;
  for (std::size_t index = 0; index < config.topics.size(); ++index) {
    const TopicRule& rule = config.topics[index];
    const std::string path = "topic[" + std::to_string(index) + "]";
    if (!reader.is_set(path + ".prefix")) continue;
    if (!seen.insert(rule.prefix.text()).second) {
      reader.problem(path + ".prefix", topic_title(rule) + " is there twice; write one table with all its keys");
    }
    if (rule.prefix.text() == "agent.heartbeat") {
      reader.problem(path + ".prefix",
                     topic_title(rule) + ": heartbeats carry liveness and cannot be given another policy");
    }
  }
}

void note_settings_without_effect(Reader& reader, const NodeConfig& config) {
  if (config.publish.batch_size) {
    reader.note("publish.batch_size",
                "[publish] batch_size has no effect: batches form by themselves from what is waiting to be sent");
  }
  if (config.spool && config.spool->retention_force && !config.spool->retain_for && !config.spool->retain_bytes) {
    reader.note("spool.retention_force",
                "[spool] retention_force has no effect: without retain_for or retain_bytes nothing is given up");
  }
  const PolicyTable table(policy_rules(config));
  for (std::size_t index = 0; index < config.topics.size(); ++index) {
    const TopicRule& rule = config.topics[index];
    const std::string path = "topic[" + std::to_string(index) + "]";
    note_checks_of_nothing(reader, rule, path);
    const auto policies = policies_within(table, rule.prefix);
    const auto is_confirmed = [](const TopicPolicy& policy) { return policy.durability == Durability::Confirmed; };
    if (std::ranges::any_of(policies, is_confirmed)) continue;
    constexpr std::string_view why = " has no effect: none of these types is confirmed by a spool";
    if (rule.deliver == Deliver::AfterConfirm) {
      reader.note(path + ".deliver", topic_title(rule) + " deliver = \"after_confirm\"" + std::string(why));
    }
    if (rule.spools.value_or(0) > 0) {
      reader.note(path + ".spools",
                  topic_title(rule) + " spools = " + std::to_string(*rule.spools) + std::string(why));
    }
  }
}

}  // namespace legion
