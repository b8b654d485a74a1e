#include <legion/config/spool_checks.hpp>

#include <algorithm>
#include <filesystem>

namespace legion {

void check_spool(Reader& reader, const NodeConfig& config) {
  if (!config.spool || reader.is_refused("spool.path")) return;
  std::error_code error;
  if (std::filesystem::is_directory(config.spool->path, error) || config.spool->path.ends_with('/')) {
    reader.problem("spool.path", "[spool] path: " + toml_quote(config.spool->path) + " is a directory, not a file");
  }
}

/// An event that never fits into its journal could never be published.
void check_journal(Reader& reader, const NodeConfig& config) {
  const PolicyTable policies(policy_rules(config));
  std::size_t largest = 0;
  for (const TopicPolicy& policy : policies_within(policies, Filter())) largest = std::max(largest, policy.max_bytes);
  const auto check = [&](std::uint64_t bytes, std::string_view key) {
    if (bytes / 2 >= largest) return;
    const std::string name(key);
    reader.problem("journal." + name, "[journal] " + name + " = " + SizeForm::shown(bytes) +
                                          " has to be at least twice the largest event: a [[topic]] has max_bytes = " +
                                          SizeForm::shown(largest));
  };
  check(config.journal.confirmed_bytes, "confirmed_bytes");
  check(config.journal.captured_bytes, "captured_bytes");
}

DurableChecks::DurableChecks(Reader& reader, const NodeConfig& config)
    : reader_(reader), policies_(policy_rules(config)), expects_spools_(expects_spools(config)) {}

bool DurableChecks::check_group(const Section& section, const SubscribeConfig& subscription) {
  const auto problem = [&](std::string_view key, const std::string& message) {
    reader_.problem(section.key_path(key), section.title + " " + std::string(key) + ": " + message);
    return false;
  };
  if (!subscription.group) {
    for (const std::string_view key : {"home", "shares"}) {
      if (reader_.is_set(section.key_path(key))) {
        return problem(key, "only a group has it; write group = \"NAME\" too");
      }
    }
    return true;
  }
  if (subscription.durable) return problem("durable", "a group is durable under its own name; remove the key");
  if (!subscription.home) {
    return problem("group", "home = \"NODE\" is missing: the spool that says who has which share");
  }
  if (subscription.tier == Priority::Critical) {
    return problem("tier", "a gate is asked on every node, so it cannot be shared by a group");
  }
  if (subscription.replay) return problem("replay", "replays reach every member, so a group cannot take them");
  return true;
}

void DurableChecks::check(const Section& section, const SubscribeConfig& subscription) {
  const auto problem = [&](std::string_view key, const std::string& message) {
    reader_.problem(section.key_path(key), section.title + " " + std::string(key) + ": " + message);
  };
  if (!check_group(section, subscription)) return;
  if (!subscription.durable && !subscription.group) {
    if (reader_.is_set(section.key_path("start"))) {
      problem("start", "only a durable subscription has a start; write durable = \"NAME\" too");
    }
    return;
  }
  const std::string_view key = subscription.group ? "group" : "durable";
  const std::string& name = subscription.group ? *subscription.group : *subscription.durable;
  const auto [first, is_new] = names_.emplace(name, reader_.source_of(section.key_path(key)).text());
  if (!is_new) problem(key, toml_quote(name) + " is already the name of the one at " + first->second);
  if (!expects_spools_) {
    return problem(key,
                   "this mesh has no spool that could remember " + toml_quote(name) +
                       ": [[topic]] \"*\" says spools = 0, nothing else asks for one, and there is no [spool]");
  }
  const auto policies = policies_within(policies_, subscription.type);
  const auto is_live_only = [](const TopicPolicy& policy) { return policy.durability == Durability::None; };
  if (!std::ranges::all_of(policies, is_live_only)) return;
  problem(key, toml_quote(subscription.type.text()) +
                         " has durability \"none\": no spool stores these events, so there is nothing to resume from");
}

}  // namespace legion
