#include <legion/core/membership_dialer.hpp>

#include <algorithm>
#include <utility>

namespace legion {
namespace {

/// Between half and all of it, so that nodes which lost the same peer at once do not dial it in step.
Duration jittered(Duration delay, Rng& rng) {
  const auto half = static_cast<std::uint64_t>(delay.count() / 2);
  return Duration{static_cast<std::int64_t>(half + rng.below(half + 1))};
}

}  // namespace

void MembershipDialer::move_to(Dials::value_type& dial, SteadyTime due) {
  auto& [address, entry] = dial;
  waiting_.erase({entry.due, address});
  entry.due = due;
  if (entry.wanted && !entry.under_way) waiting_.emplace(due, address);
}

void MembershipDialer::want(Now now, const std::string& address) {
  const auto [found, fresh] = dials_.try_emplace(address, Dial{.due = now.steady});
  if (std::exchange(found->second.wanted, true)) return;
  move_to(*found, found->second.due);
}

void MembershipDialer::drop(const std::string& address) {
  const auto found = dials_.find(address);
  if (found == dials_.end()) return;
  found->second.wanted = false;
  waiting_.erase({found->second.due, found->first});
  if (!found->second.under_way) dials_.erase(found);
}

std::vector<std::string> MembershipDialer::take_due(Now now) {
  std::vector<std::string> due;
  while (!waiting_.empty() && waiting_.begin()->first <= now.steady) {
    due.emplace_back(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    dials_.find(due.back())->second.under_way = true;
  }
  std::ranges::sort(due);
  return due;
}

void MembershipDialer::on_done(Now now, const std::string& address, Outcome outcome, Rng& rng) {
  const auto found = dials_.find(address);
  if (found == dials_.end()) return;
  Dial& dial = found->second;
  dial.under_way = false;
  if (outcome == Outcome::Answered) {
    dial.delay = redial_max_;
  } else {
    dial.delay = std::min(redial_max_, dial.delay == Duration::zero() ? delay_min : 2 * dial.delay);
  }
  const Duration wait = std::exchange(dial.again_at_once, false) ? Duration::zero() : jittered(dial.delay, rng);
  if (outcome == Outcome::Answered) dial.delay = Duration::zero();
  if (dial.wanted) {
    move_to(*found, now.steady + wait);
  } else {
    dials_.erase(found);
  }
}

void MembershipDialer::hurry(Now now, const std::string& address) {
  const auto found = dials_.find(address);
  if (found == dials_.end()) return;
  found->second.delay = Duration::zero();
  found->second.again_at_once = found->second.under_way;
  move_to(*found, now.steady);
}

}  // namespace legion
