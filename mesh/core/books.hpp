// The books of a subscription: where every published event ended up. Nothing is lost without an entry here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace legion {

/// Why an event that was published never reached the handler.
enum class LossReason : std::uint8_t {
  Link,          ///< published by the origin, never arrived here
  OriginDied,    ///< as Link, known only from the last tail of an origin that died
  Overflow,      ///< the mailbox of the agent was full
  GateOverflow,  ///< the mailbox of a gate was full, so the gate could not be asked
  Shutdown,      ///< still held when the drain timeout passed
  Gone,          ///< of a durable subscription: every known spool says it will never have it, or an operator skipped it
};
inline constexpr std::size_t loss_reason_count = 6;
inline constexpr std::array<LossReason, loss_reason_count> all_loss_reasons{
    LossReason::Link, LossReason::OriginDied, LossReason::Overflow, LossReason::GateOverflow, LossReason::Shutdown, LossReason::Gone};

/// "link", "origin_died", "overflow", "gate_overflow", "shutdown", "gone"
std::string_view to_string(LossReason reason);

/// Events that were deliberately not for this subscription.
struct FilteredCounts {
  std::uint64_t where = 0;      ///< the `where` condition said no
  std::uint64_t stopped = 0;    ///< a handler of an earlier tier said stop, or a gate said no
  std::uint64_t duplicate = 0;  ///< seen before
  std::uint64_t limited = 0;    ///< held back by a rate limit
  std::uint64_t total() const { return where + stopped + duplicate + limited; }
  FilteredCounts& operator+=(const FilteredCounts& other);
  friend bool operator==(const FilteredCounts&, const FilteredCounts&) = default;
};

/// published = delivered + filtered + expired + dead + lost + pending, counted per subscription from the baseline,
/// first deliveries only. Each count is kept where it happens; none is computed from the others.
struct Books {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  FilteredCounts filtered;
  std::uint64_t expired = 0;
  std::uint64_t dead = 0;
  std::array<std::uint64_t, loss_reason_count> lost{};
  std::uint64_t pending = 0;

  std::uint64_t& lost_for(LossReason reason) { return lost[static_cast<std::size_t>(reason)]; }
  std::uint64_t lost_for(LossReason reason) const { return lost[static_cast<std::size_t>(reason)]; }
  std::uint64_t lost_total() const;
  /// Everything on the right-hand side of the equation.
  std::uint64_t accounted() const;
  /// published - accounted(): positive means events without an entry, negative means an event counted twice.
  std::int64_t balance() const;

  Books& operator+=(const Books& other);
  friend bool operator==(const Books&, const Books&) = default;
};

}  // namespace legion
