// Conditions on events, as subscriptions and middleware write them. Grammar and meaning: docs/protocol.md,
// "Conditions".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <legion/base/error.hpp>
#include <legion/event/event.hpp>

namespace legion {

namespace where {
struct Program;
}

/// `data.symbol in ("BTC-USDT", "ETH-USDT") and not data.price < 100`. A function of the event alone: it says the same
/// on every node, for every attempt, and when the event is replayed.
///
/// Thread: immutable, any number of threads may ask at once. Cost: matches() allocates nothing and walks the data once
/// for each field it has to look at. Bounds: limits::where_*.
/// Ownership: copies share the program, which is why it is a shared_ptr.
class Where {
 public:
  /// Errors: InvalidArgument, "where: LINE:COLUMN: expected ..", both counted from 1, columns in characters.
  static Result<Where> parse(std::string_view text);

  /// False for an event with a defect.
  bool matches(const EventView& event) const;
  /// Of an event that is not encoded: `event` views it, and its further CloudEvents attributes are these.
  bool matches(const EventView& event, std::span<const std::pair<std::string, std::string>> extensions) const;

  /// As it was written.
  const std::string& text() const;
  friend bool operator==(const Where& a, const Where& b) { return a.text() == b.text(); }

 private:
  explicit Where(std::shared_ptr<const where::Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const where::Program> program_;
};

/// One field of an event, as a condition names it: `key`, `data.order.id`, `ext.shop`.
/// Thread, cost and bounds as Where.
class WhereField {
 public:
  /// Errors: InvalidArgument, as Where::parse() but beginning with "field:".
  static Result<WhereField> parse(std::string_view text);

  /// A hash that is the same exactly where a condition would call two values equal (hash collisions aside); nothing
  /// where the event has no such field, or it is no text, number, bool or null.
  std::optional<std::uint64_t> hash_of(const EventView& event,
                                       std::span<const std::pair<std::string, std::string>> extensions = {}) const;
  const std::string& text() const;
  friend bool operator==(const WhereField& a, const WhereField& b) { return a.text() == b.text(); }

 private:
  explicit WhereField(std::shared_ptr<const where::Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const where::Program> program_;
};

}  // namespace legion
