// The home of groups: who has which share. docs/protocol.md, "Groups".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/core/group_types.hpp>

namespace legion {

/// Gives every share of a group to one of its members, and moves no more of them than needed for everybody to have as
/// many as the others, give or take one.
///
/// What a member says it holds is the truth, as far as nobody has a higher epoch; what it does not say it does not
/// hold. A share moves when its holder has released it or is gone, never because of time. In memory only: after a
/// restart nothing is given for `grace`, within which holders say what they hold.
///
/// Thread: none of its own. Order: `now` does not go back on the steady clock. Bounds: groups_max groups of
/// group_members_max members; a group nobody is left of gives way to a new one. Errors: as renew() says.
class GroupHome {
 public:
  /// The node is dead, has left, or has a later incarnation.
  using IsGone = std::function<bool(const Origin&)>;
  struct Config {
    std::string node;  ///< of the home
    Duration grace{};  ///< after the first renewal of any group
    IsGone is_gone;
  };
  explicit GroupHome(Config config) : config_(std::move(config)) {}

  /// Errors: Refused (the group has another type or number of shares, the member names another home, or has a later
  /// life), InvalidArgument naming the member of the renewal, WouldBlock (too many).
  Result<GroupAnswer> renew(Now now, const GroupRenewal& renewal);

  struct MemberView {
    std::string agent;  ///< node/agent
    Duration silent_for{};
    std::size_t held = 0;
    enum class State : std::uint8_t { Here, Leaving, Gone, Away } state = State::Here;
  };
  struct ShareView {
    std::uint64_t epoch = 0;  ///< the highest known
    std::string holder;       ///< node/agent; empty: nobody
    enum class State : std::uint8_t { Free, Held, Revoked } state = State::Free;
  };
  struct View {
    std::string group;
    std::string type;
    std::vector<MemberView> members;  ///< by name
    std::vector<ShareView> shares;    ///< by number
    std::uint64_t moved = 0;          ///< shares that went from one member to another, in this life of the home
    Duration grants_in{};             ///< what is left of `grace`
  };
  std::vector<View> view(Now now) const;
  /// The holder of a share, as node and incarnation; nothing: nobody, or one who is gone.
  std::optional<Origin> holder(std::string_view group, std::uint32_t share) const;

 private:
  struct Member {
    Origin origin;
    BootId boot;
    std::uint64_t round = 0;
    SteadyTime heard{};
    GroupRenewal::Wish wish = GroupRenewal::Wish::Share;
  };
  struct ShareState {
    std::uint64_t epoch = 0;       // the highest known
    std::string holder;            // node/agent
    std::string last_holder;       // before it was free
    bool is_revoked = false;
  };
  struct Group {
    std::string type;
    std::vector<ShareState> shares;
    std::map<std::string, Member> members;  // by node/agent
    std::uint64_t moved = 0;
  };

  Result<Group*> group_of(const GroupRenewal& renewal, const std::string& name);
  Result<void> admit(Now now, Group& group, const GroupRenewal& renewal, const std::string& name);
  bool is_empty(const Group& group, const std::string& but) const;
  void forget_gone(Group& group);
  static void free_all(Group& group, const std::string& holder);
  static void take_report(Group& group, const GroupRenewal& renewal, const std::string& name);
  static std::size_t held_by(const Group& group, const std::string& name);
  std::size_t target_of(const Group& group, const std::string& name) const;
  void balance(Now now, Group& group, const std::string& name) const;
  void grant(Now now, Group& group, ShareState& share, const std::string& name) const;
  Duration grants_in(Now now) const;

  const Config config_;
  std::map<std::string, Group, std::less<>> groups_;
  std::optional<SteadyTime> started_at_;
};

}  // namespace legion
