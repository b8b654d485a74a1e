#include <legion/event/policy.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <utility>

#include <xxhash.h>

#include <legion/base/assert.hpp>
#include <legion/base/limits.hpp>

namespace legion {
namespace {

bool is_all(std::string_view prefix) { return prefix == "*"; }

bool is_exact(std::string_view prefix) { return !is_all(prefix) && !prefix.ends_with('.'); }

std::size_t prefix_length(const TopicRule& rule) { return is_all(rule.prefix.text()) ? 0 : rule.prefix.text().size(); }

// Whether every type of `region` (a filter text) is matched by `prefix` (another).
bool covers(std::string_view prefix, std::string_view region) {
  if (is_all(prefix) || prefix == region) return true;
  return prefix.ends_with('.') && region.starts_with(prefix);
}

template <class T>
void overlay(T& value, const std::optional<T>& set) {
  if (set) value = *set;
}

// What holds for the types of a region that no smaller region singles out.
TopicPolicy policy_of_region(std::string_view region, const std::vector<TopicRule>& rules) {
  TopicPolicy policy;
  const CatalogEntry* entry = is_exact(region) ? find_in_catalog(region) : nullptr;
  if (entry != nullptr) {
    policy.priority = entry->priority;
    policy.durability = entry->durability;
    policy.deliver = entry->deliver;
  }
  std::optional<std::uint8_t> spools;
  for (const TopicRule& rule : rules) {
    if (!covers(rule.prefix.text(), region)) continue;
    overlay(policy.priority, rule.priority);
    overlay(policy.durability, rule.durability);
    overlay(policy.deliver, rule.deliver);
    overlay(policy.shards, rule.shards);
    overlay(policy.max_bytes, rule.max_bytes);
    overlay(policy.schema, rule.schema);
    overlay(policy.unknown_version, rule.unknown_version);
    if (rule.spools) spools = rule.spools;
    if (rule.ttl) policy.ttl = rule.ttl;
  }
  policy.shards = std::max<std::uint8_t>(policy.shards, 1);
  // A confirm that no spool has to give is none: the type is then captured and goes out at once.
  if (policy.durability == Durability::Confirmed && spools.value_or(1) == 0) policy.durability = Durability::Captured;
  policy.spools = policy.durability == Durability::Confirmed ? spools.value_or(1) : 0;
  if (policy.durability != Durability::Confirmed) policy.deliver = Deliver::Live;
  return policy;
}

std::string describe(const TopicPolicy& policy) {
  std::string out;
  out += to_string(policy.priority);
  out += '|';
  out += to_string(policy.durability);
  out += '|';
  out += to_string(policy.deliver);
  out += '|' + std::to_string(policy.spools) + '|' + std::to_string(policy.shards) + '|';
  out += policy.ttl ? std::to_string(policy.ttl->count()) : "-";
  out += '|' + std::to_string(policy.max_bytes);
  return out;
}

}  // namespace

std::string_view to_string(Durability durability) {
  switch (durability) {
    case Durability::None: return "none";
    case Durability::Captured: return "captured";
    case Durability::Confirmed: return "confirmed";
  }
  LEGION_UNREACHABLE();
}

std::optional<Durability> parse_durability(std::string_view text) {
  for (const Durability durability : {Durability::None, Durability::Captured, Durability::Confirmed}) {
    if (text == to_string(durability)) return durability;
  }
  return std::nullopt;
}

std::string_view to_string(Deliver deliver) {
  switch (deliver) {
    case Deliver::Live: return "live";
    case Deliver::AfterConfirm: return "after_confirm";
  }
  LEGION_UNREACHABLE();
}

std::optional<Deliver> parse_deliver(std::string_view text) {
  for (const Deliver deliver : {Deliver::Live, Deliver::AfterConfirm}) {
    if (text == to_string(deliver)) return deliver;
  }
  return std::nullopt;
}

std::string_view to_string(SchemaCheck check) {
  switch (check) {
    case SchemaCheck::Off: return "off";
    case SchemaCheck::Warn: return "warn";
    case SchemaCheck::Strict: return "strict";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(UnknownVersion policy) {
  switch (policy) {
    case UnknownVersion::Accept: return "accept";
    case UnknownVersion::Quarantine: return "quarantine";
    case UnknownVersion::DeadLetter: return "dead_letter";
  }
  LEGION_UNREACHABLE();
}

PolicyTable::PolicyTable(std::vector<TopicRule> rules) : rules_(std::move(rules)) {
  // Stable: of two rules with one prefix the later wins.
  std::ranges::stable_sort(rules_, {}, prefix_length);
}

namespace {

// The id of the original comes on top of an event, and its correlation id where it was its own.
constexpr std::size_t replay_overhead = 2 * (limits::attribute_bytes_max + 4);

}  // namespace

TopicPolicy PolicyTable::resolve(std::string_view type) const {
  TopicPolicy policy = policy_of_region(original_type(type), rules_);
  if (!is_replayed(type)) return policy;
  policy.durability = Durability::None;
  policy.deliver = Deliver::Live;
  policy.spools = 0;
  policy.ttl.reset();
  policy.max_bytes += replay_overhead;
  return policy;
}

// The decision is a value per region (everything, families, exact types), nested by prefix. A region that decides as
// the next larger one around it says nothing; without those, equal decisions have exactly one form.
std::string PolicyTable::hash() const {
  std::set<std::string, std::less<>> regions{"*"};
  for (const TopicRule& rule : rules_) regions.insert(rule.prefix.text());
  for (const CatalogEntry& entry : catalog()) regions.emplace(entry.type);

  std::string canonical;
  for (const std::string& region : regions) {
    const std::string decision = describe(policy_of_region(region, rules_));
    std::string_view around;
    for (const std::string& other : regions) {
      const bool is_closer = around.empty() || is_all(around) || (!is_all(other) && other.size() > around.size());
      if (other != region && covers(other, region) && is_closer) around = other;
    }
    if (!around.empty() && describe(policy_of_region(around, rules_)) == decision) continue;
    canonical += region + ' ' + decision + '\n';
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(canonical.data(), canonical.size())));
  return text.data();
}

std::uint8_t shard_of(std::string_view key, std::string_view source, std::uint8_t shards) {
  if (shards <= 1) return 0;
  const std::string_view text = key.empty() ? source : key;
  return static_cast<std::uint8_t>(XXH3_64bits(text.data(), text.size()) % shards);
}

}  // namespace legion
