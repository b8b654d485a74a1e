#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/config/config.hpp>

namespace legion {
namespace {

constexpr std::string_view heartbeat_type = "agent.heartbeat";

Filter filter_of(std::string_view text) {
  auto filter = Filter::parse(text);
  LEGION_ASSERT(filter.has_value());
  return std::move(*filter);
}

/// What `*` and `agent.` say must not change how heartbeats travel: the exact type is the longest match.
TopicRule heartbeat_rule(bool limits_age) {
  TopicRule rule;
  rule.prefix = filter_of(heartbeat_type);
  rule.priority = Priority::Critical;
  rule.durability = Durability::None;
  rule.deliver = Deliver::Live;
  rule.shards = 1;
  rule.max_bytes = limits::event_bytes_max;
  if (limits_age) rule.ttl = 24h * 365;
  return rule;
}

}  // namespace

std::vector<TopicRule> policy_rules(const NodeConfig& config) {
  std::vector<TopicRule> rules;

  if (config.publish.priority != Priority::Normal) {
    TopicRule everything;
    everything.priority = config.publish.priority;
    // A `*` rule outranks the catalog, so the catalog's own types get theirs back unless a [[topic]] decides.
    rules.push_back(std::move(everything));
    for (const CatalogEntry& entry : catalog()) {
      const bool decided = std::ranges::any_of(config.topics, [&](const TopicRule& rule) {
        return rule.priority && rule.prefix.matches(entry.type);
      });
      if (decided) continue;
      TopicRule rule;
      rule.prefix = filter_of(entry.type);
      rule.priority = entry.priority;
      rules.push_back(std::move(rule));
    }
  }
  rules.insert(rules.end(), config.topics.begin(), config.topics.end());

  const auto touches = [](const TopicRule& rule) { return rule.prefix.matches(heartbeat_type); };
  if (std::ranges::any_of(config.topics, touches)) {
    const bool limits_age = std::ranges::any_of(config.topics, [&](const TopicRule& rule) {
      return rule.ttl && touches(rule);
    });
    rules.push_back(heartbeat_rule(limits_age));
  }
  return rules;
}

bool expects_spools(const NodeConfig& config) {
  const auto asks = [](const TopicRule& rule) { return rule.spools.value_or(0) > 0; };
  const auto declines_all = [](const TopicRule& rule) {
    return rule.prefix.text() == "*" && rule.spools == std::uint8_t{0};
  };
  return config.spool || std::ranges::any_of(config.topics, asks) || std::ranges::none_of(config.topics, declines_all);
}

std::vector<TopicPolicy> policies_within(const PolicyTable& table, const Filter& filter) {
  const std::string& text = filter.text();
  const auto covers = [&](std::string_view region) {
    return text == "*" || region == text || (text.ends_with('.') && region.starts_with(text));
  };
  std::vector<TopicPolicy> policies{table.resolve(text)};
  for (const CatalogEntry& entry : catalog()) {
    if (covers(entry.type) && entry.type != heartbeat_type) policies.push_back(table.resolve(entry.type));
  }
  for (const TopicRule& rule : table.rules()) {
    const std::string& region = rule.prefix.text();
    if (covers(region) && region != heartbeat_type) policies.push_back(table.resolve(region));
  }
  return policies;
}

}  // namespace legion
