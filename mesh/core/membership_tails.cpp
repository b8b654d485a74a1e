// Asking the members for the tails of origins that are gone.
//
// Each alive member is asked about each origin once, in as few questions as possible: one origin gone from a mesh of N
// costs every survivor N calls, spread over N / calls_per_round ticks, and many gone at once share them.
#include <algorithm>
#include <utility>

#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

constexpr std::size_t calls_per_round = 16;
constexpr Duration round_pause = Membership::tick_interval;
constexpr std::size_t gone_max = limits::roster_entries_max;

}  // namespace

std::optional<std::uint64_t> Membership::State::collect_tails(const Member& member) {
  if (phase != Phase::Running) return std::nullopt;
  if (gone.empty()) {
    // Whoever was asked about all earlier ones, or came later, has the number of this one as its place.
    for (auto& [name, entry] : members) entry.asked_up_to = gone_begin;
  }
  if (gone.size() >= gone_max) {
    gone_open -= gone.front().incarnation != 0 ? 1 : 0;
    gone.pop_front();
    ++gone_begin;
  }
  gone.push_back({member.name, member.incarnation});
  ++gone_open;
  changed();
  return gone_begin + gone.size() - 1;
}

/// The same life is heard again: there is nothing to ask about.
void Membership::State::cancel_tails(Entry& back) {
  const auto number = std::exchange(back.gone_as, std::nullopt);
  if (!number || *number < gone_begin) return;
  Origin& origin = gone[*number - gone_begin];
  gone_open -= std::exchange(origin.incarnation, 0) != 0 ? 1 : 0;
}

void Membership::State::ask_for_tails(Now now) {
  if (gone.empty() || members.empty()) return;
  if (gone_open == 0) return stop_asking();
  if (asked_tails_at && now.steady - *asked_tails_at < round_pause) return;
  asked_tails_at = now.steady;
  const std::uint64_t end = gone_begin + gone.size();
  std::size_t calls = 0;
  auto place = members.upper_bound(asked_last);
  for (std::size_t looked = 0; looked < members.size(); ++looked, ++place) {
    if (place == members.end()) place = members.begin();
    Entry& entry = place->second;
    if (entry.member.state != MemberState::Alive) continue;
    effect::CollectTails question;
    std::uint64_t next = std::max(entry.asked_up_to, gone_begin);
    for (; next < end && question.origins.size() < limits::tails_origins_max; ++next) {
      const Origin& origin = gone[next - gone_begin];
      if (origin.incarnation != 0) question.origins.push_back(origin);
    }
    entry.asked_up_to = next;
    if (question.origins.empty()) continue;
    question.address = entry.member.endpoints.control;
    effects.push_back(std::move(question));
    asked_last = place->first;
    if (++calls == calls_per_round) return;
  }
  const auto behind = [&](const auto& each) {
    return each.second.member.state == MemberState::Alive && each.second.asked_up_to < end;
  };
  if (!std::ranges::any_of(members, behind)) stop_asking();
}

void Membership::State::stop_asking() {
  gone_begin += gone.size();
  gone_open = 0;
  gone.clear();
}

}  // namespace legion
