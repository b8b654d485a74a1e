// Event types and the grammar of subscriptions.
#pragma once

#include <string>
#include <string_view>

#include <legion/base/error.hpp>

namespace legion {

/// `[a-z0-9_]+(\.[a-z0-9_]+)*`, at most 120 bytes.
bool is_event_type(std::string_view type);

/// What may stand in the topic of a frame: an event type, or `~` or `!` and then one; at most 160 bytes.
bool is_wire_type(std::string_view type);

/// Names beginning with `!` or `~` belong to legion.
inline bool is_reserved(std::string_view name) { return !name.empty() && (name.front() == '!' || name.front() == '~'); }

/// What stands before the type of an event that is sent again into the mesh, and of one that is handed to one agent
/// again: the latter never leaves its node. The type behind it is that of the original.
inline constexpr std::string_view replay_prefix = "~replay.";
inline constexpr std::string_view replay_to_prefix = "~replay_to.";

/// The type handlers know an event by: without one of the prefixes above.
std::string_view original_type(std::string_view wire_type);
inline bool is_replayed(std::string_view wire_type) {
  return is_reserved(wire_type) && original_type(wire_type).size() != wire_type.size();
}

/// What a subscription asks for: an exact type (`trade.approved`), a family (`trade.`) or everything (`*`).
/// Upper-case catalog names (`TRADE_APPROVED`) are accepted by parse() and turned into the dotted type.
/// `*` and families never match reserved types; only the filters below do, which nobody can write.
class Filter {
 public:
  Filter() = default;
  /// Errors: InvalidArgument that says which of the three forms was expected.
  static Result<Filter> parse(std::string_view text);

  /// What matches the replays of what this one matches: `~replay.trade.approved`, `~replay.trade.`, `~replay.`.
  Filter of_replays() const;
  /// Matches every event that is handed to one agent of this node again.
  static Filter replays_to_agents();

  bool matches(std::string_view type) const;
  /// The form it is written in: `trade.approved`, `trade.`, `*`.
  const std::string& text() const { return text_; }
  /// The ZeroMQ subscription prefix: exact types end in NUL, so `worker_1` never matches `worker_10`; `*` is empty.
  std::string zmq_prefix() const;
  friend auto operator<=>(const Filter&, const Filter&) = default;

 private:
  explicit Filter(std::string text) : text_(std::move(text)) {}
  std::string text_ = "*";
};

}  // namespace legion
