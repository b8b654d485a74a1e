#include <legion/core/membership_dialer.hpp>

#include <algorithm>

namespace legion {
namespace {

/// Between half and all of it, so that nodes which lost the same peer at once do not dial it in step.
Duration jittered(Duration delay, Rng& rng) {
  const auto half = static_cast<std::uint64_t>(delay.count() / 2);
  return Duration{static_cast<std::int64_t>(half + rng.below(half + 1))};
}

}  // namespace

std::vector<std::string> MembershipDialer::take_due(Now now, const std::set<std::string>& wanted) {
  std::erase_if(dials_, [&](const auto& entry) { return !entry.second.under_way && !wanted.contains(entry.first); });
  std::vector<std::string> due;
  for (const std::string& address : wanted) {
    Dial& dial = dials_.try_emplace(address, Dial{.due = now.steady}).first->second;
    if (dial.under_way || dial.due > now.steady) continue;
    dial.under_way = true;
    due.push_back(address);
  }
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
  dial.due = now.steady + (dial.again_at_once ? Duration::zero() : jittered(dial.delay, rng));
  if (outcome == Outcome::Answered) dial.delay = Duration::zero();
  dial.again_at_once = false;
}

void MembershipDialer::hurry(Now now, const std::string& address) {
  Dial& dial = dials_.try_emplace(address, Dial{.due = now.steady}).first->second;
  dial.due = now.steady;
  dial.delay = Duration::zero();
  dial.again_at_once = dial.under_way;
}

}  // namespace legion
