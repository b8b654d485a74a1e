#include <legion/core/group_presence.hpp>

namespace legion {

GroupMember::Presence GroupPresence::on_look(SteadyTime now, Agent agent) {
  using Presence = GroupMember::Presence;
  if (agent == Agent::Up) {
    if (!up_since_) up_since_ = now;
    if (last_ == Last::Settled || now - *up_since_ >= settled_after) presence_ = Presence::Present;
    return presence_;
  }
  if (up_since_) {
    const bool is_settled = now - *up_since_ >= settled_after;
    if (is_settled || last_ == Last::Settled) down_since_ = now;
    last_ = is_settled ? Last::Settled : Last::Short;
    up_since_.reset();
  }
  if (now - down_since_ >= grace_) presence_ = Presence::Away;
  return presence_;
}

}  // namespace legion
