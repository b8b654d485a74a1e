#include <legion/core/dispatcher_retry.hpp>

#include <algorithm>
#include <cmath>

namespace legion::dispatch {

Duration retry_delay(const RetryPolicy& policy, std::uint32_t attempt, double spread) {
  const double max = static_cast<double>(std::max(policy.delay_max, Duration::zero()).count());
  const double base = static_cast<double>(policy.delay.count()) * std::pow(policy.backoff, attempt - 1.0);
  const double delay = base * (1.0 + policy.jitter * spread);
  // Written so that NaN, from a nonsensical policy, ends at zero.
  if (!(delay > 0.0)) return Duration::zero();
  return Duration{static_cast<std::int64_t>(std::min(delay, max))};
}

void RetryQueue::add(SteadyTime now, const RetryPolicy& policy, std::uint32_t attempt, Index item) {
  queue_.push({now + retry_delay(policy, attempt, 2.0 * random_.uniform() - 1.0), order_++, item});
}

std::optional<Index> RetryQueue::take_due(SteadyTime now) {
  if (queue_.empty() || queue_.top().due > now) return std::nullopt;
  const Index item = queue_.top().item;
  queue_.pop();
  return item;
}

void RetryQueue::remove(Index item) {
  decltype(queue_) rest;
  for (; !queue_.empty(); queue_.pop()) {
    if (queue_.top().item != item) rest.push(queue_.top());
  }
  queue_ = std::move(rest);
}

std::optional<SteadyTime> RetryQueue::next_due() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.top().due;
}

}  // namespace legion::dispatch
