// The catalog of built-in types and the policy that belongs to a type.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/priority.hpp>

namespace legion {

enum class Durability : std::uint8_t { None, Captured, Confirmed };
enum class Deliver : std::uint8_t { Live, AfterConfirm };

std::string_view to_string(Durability durability);  ///< "none", "captured", "confirmed"
std::optional<Durability> parse_durability(std::string_view text);
std::string_view to_string(Deliver deliver);        ///< "live", "after_confirm"
std::optional<Deliver> parse_deliver(std::string_view text);

/// What becomes of an event whose data is not what its type declares (schema.hpp): where it is published and before it
/// is handed to a handler.
enum class SchemaCheck : std::uint8_t { Off, Warn, Strict };
/// What becomes of an event of a version that is not known, before it is handed to a handler.
enum class UnknownVersion : std::uint8_t {
  Accept,      ///< handed over as it is
  Quarantine,  ///< a dead letter of reason unknown_version: kept for a requeue after an upgrade
  DeadLetter,  ///< a dead letter of reason schema
};
std::string_view to_string(SchemaCheck check);      ///< "off", "warn", "strict"
std::string_view to_string(UnknownVersion policy);  ///< "accept", "quarantine", "dead_letter"

/// One row of the built-in catalog.
struct CatalogEntry {
  std::string_view type;        ///< "trade.approved"
  std::string_view upper_name;  ///< "TRADE_APPROVED"
  Priority priority;
  Durability durability;
  Deliver deliver;
};

/// All built-in types, sorted by `type`.
std::span<const CatalogEntry> catalog();
/// By dotted or upper-case name; nullptr when it is not built in.
const CatalogEntry* find_in_catalog(std::string_view name);
/// The dotted type for either form of a name; names that are not in the catalog come back unchanged.
std::string canonical_type(std::string_view name);

/// What holds for events of one type at their publisher.
struct TopicPolicy {
  Priority priority = Priority::Normal;
  Durability durability = Durability::Captured;
  Deliver deliver = Deliver::Live;
  std::uint8_t spools = 0;
  std::uint8_t shards = 1;
  std::optional<Duration> ttl{};     ///< expires_at = time + ttl where the event states none
  std::size_t max_bytes = 256 * 1024;
  SchemaCheck schema = SchemaCheck::Warn;
  UnknownVersion unknown_version = UnknownVersion::Accept;
  friend bool operator==(const TopicPolicy&, const TopicPolicy&) = default;
};

/// One `[[topic]]` of the configuration: only what is set overrides.
struct TopicRule {
  Filter prefix{};
  std::optional<Priority> priority{};
  std::optional<Durability> durability{};
  std::optional<Deliver> deliver{};
  std::optional<std::uint8_t> spools{};
  std::optional<std::uint8_t> shards{};
  std::optional<Duration> ttl{};
  std::optional<std::size_t> max_bytes{};
  std::optional<SchemaCheck> schema{};
  std::optional<UnknownVersion> unknown_version{};
};

/// Catalog defaults overlaid with the rules, shortest prefix first, so the longest match decides each key.
/// Immutable after construction; resolve() may be called from any thread.
class PolicyTable {
 public:
  explicit PolicyTable(std::vector<TopicRule> rules = {});
  /// What is in effect: `spools` is at least 1 for confirmed types (1 unless a rule says otherwise) and 0 for all
  /// others; a confirmed type whose rule says `spools = 0` comes back as captured; only confirmed types are ever
  /// delivered after the confirm; `shards` is at least 1. A replayed type (is_replayed()) has the lane, the shards and
  /// the size (and room for an id) of its original; it is never journalled and does not expire.
  TopicPolicy resolve(std::string_view type) const;
  /// Same on two nodes exactly when their rules decide alike about what travels and how; schema and unknown_version are
  /// each node's own. 16 hex digits (XXH3-64 over the decisions in canonical form).
  std::string hash() const;
  const std::vector<TopicRule>& rules() const { return rules_; }

 private:
  std::vector<TopicRule> rules_;  // sorted: shortest prefix first, `*` before all
};

/// XXH3-64 of the key (or of the source when there is no key) modulo `shards`.
std::uint8_t shard_of(std::string_view key, std::string_view source, std::uint8_t shards);

}  // namespace legion
