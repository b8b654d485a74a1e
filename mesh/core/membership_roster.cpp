// Who is known: the entries, the figures over all of them, pages of the roster.
#include <utility>

#include <legion/core/membership_state.hpp>

namespace legion {
namespace {

using Use = MembershipAddresses::Use;

bool is_here(MemberState state) { return state == MemberState::Alive || state == MemberState::Suspect; }

}  // namespace

Membership::State::Entry* Membership::State::find(std::string_view name) const {
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

Membership::State::Entry& Membership::State::add(const std::string& name) {
  const auto [place, fresh] = members.try_emplace(name);
  if (fresh) by_name.emplace(place->first, &place->second);
  return place->second;
}

void Membership::State::erase(const std::string& name) {
  const auto found = members.find(name);
  if (found == members.end()) return;
  uncount(found->second);
  closing.erase(name);
  by_name.erase(name);
  members.erase(found);
}

void Membership::State::recount(Entry& entry) {
  const MemberState state = entry.member.state;
  Counted next;
  if (state != MemberState::Left) {
    next.hash = entry.hash;
    next.use = entry.introduced && is_here(state) ? Use::Answers : Use::Dial;
  }
  next.alive = state == MemberState::Alive;
  next.awaited = next.alive && !entry.synced;
  count(entry, next);
}

void Membership::State::count(Entry& entry, Counted next) {
  const Counted before = std::exchange(entry.counted, next);
  members_hash += next.hash - before.hash;
  alive += std::size_t{next.alive} - std::size_t{before.alive};
  awaited += std::size_t{next.awaited} - std::size_t{before.awaited};
  if (next.use == before.use) return;
  addresses.remove(entry.member.endpoints.control, before.use);
  addresses.add(entry.member.endpoints.control, next.use);
}

template <class Visit>
void Membership::State::visit_members(Visit visit) const {
  bool own_done = false;
  for (const auto& [name, entry] : members) {
    if (!own_done && self.name < name) {
      own_done = true;
      visit(own);
    }
    visit(entry.member);
  }
  if (!own_done) visit(own);
}

RosterPage Membership::State::page(std::string_view after) const {
  RosterPage page;
  bool own_done = own.incarnation == 0 || own.name <= after;
  const auto take = [&](const Member& member) {
    page.more = page.members.size() == limits::roster_page_members;
    if (!page.more) page.members.push_back(member);
    return !page.more;
  };
  for (auto place = members.upper_bound(after); place != members.end(); ++place) {
    if (!own_done && own.name < place->first) {
      own_done = true;
      if (!take(own)) return page;
    }
    if (!take(place->second.member)) return page;
  }
  if (!own_done) take(own);
  return page;
}

std::vector<std::string> Membership::State::alive_addresses() const {
  std::vector<std::string> all;
  for (const auto& [name, entry] : members) {
    if (entry.member.state == MemberState::Alive) all.push_back(entry.member.endpoints.control);
  }
  return all;
}

std::vector<Member> Membership::roster() const {
  std::vector<Member> all;
  all.reserve(size());
  state_->visit_members([&](const Member& member) { all.push_back(member); });
  return all;
}

RosterPage Membership::roster_page(std::string_view after) const { return state_->page(after); }

std::vector<Member> Membership::roster_to_keep() const {
  std::vector<Member> kept = roster();
  for (Member& member : kept) {
    if (state_->winner && member.name == state_->self.name) member = *state_->winner;
  }
  return kept;
}

void Membership::for_each(const std::function<void(const Member&)>& visit) const { state_->visit_members(visit); }

std::vector<MemberView> Membership::view(Now now) const {
  std::vector<MemberView> views;
  views.reserve(size());
  state_->visit_members([&](const Member& member) {
    const bool is_self = member.name == state_->self.name;
    std::optional<Duration> age;
    if (!is_self) age = state_->detector.silence(now, member.name);
    views.push_back({.member = member, .heartbeat_age = age, .self = is_self});
  });
  return views;
}

const Member* Membership::find(std::string_view name) const {
  if (name == state_->self.name) return &state_->own;
  const State::Entry* entry = state_->find(name);
  return entry == nullptr ? nullptr : &entry->member;
}

const Member& Membership::self_member() const { return state_->own; }
std::size_t Membership::size() const { return state_->members.size() + 1; }
std::size_t Membership::alive() const { return state_->alive + (state_->phase == State::Phase::Left ? 0 : 1); }
std::uint64_t Membership::hash() const { return state_->hash(); }

}  // namespace legion
