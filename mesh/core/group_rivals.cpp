#include <legion/core/group_rivals.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace legion {

namespace {

const GroupHome::View* view_of(const std::vector<GroupHome::View>& views, const std::string& group) {
  const auto found = std::ranges::find(views, group, &GroupHome::View::group);
  return found == views.end() ? nullptr : &*found;
}

/// Of a member that is not gone; null: there is none.
const std::string* member_of(const GroupHome::View& view) {
  const auto found = std::ranges::find_if(view.members, [](const GroupHome::MemberView& member) {
    return member.state != GroupHome::MemberView::State::Gone;
  });
  return found == view.members.end() ? nullptr : &found->agent;
}

/// The lowest epoch of a lease that is held.
std::uint64_t age_of(const GroupHome::View* view) {
  std::uint64_t lowest = std::numeric_limits<std::uint64_t>::max();
  if (view == nullptr) return lowest;
  for (const GroupHome::ShareView& share : view->shares) {
    if (!share.holder.empty()) lowest = std::min(lowest, share.epoch);
  }
  return lowest;
}

}  // namespace

std::optional<std::string> rival_home(const std::string& group, const std::string& home,
                                      const std::map<std::string, std::vector<GroupHome::View>>& told) {
  const auto own = told.find(home);
  if (own == told.end()) return std::nullopt;
  const std::pair own_age(age_of(view_of(own->second, group)), home);
  for (const auto& [spool, views] : told) {
    const GroupHome::View* view = spool == home ? nullptr : view_of(views, group);
    const std::string* member = view == nullptr ? nullptr : member_of(*view);
    if (member == nullptr || std::pair(age_of(view), spool) > own_age) continue;
    return "home = \"" + home + "\" is said here, " + *member + " says \"" + spool + '"';
  }
  return std::nullopt;
}

}  // namespace legion
