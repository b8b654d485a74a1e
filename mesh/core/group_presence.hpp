// Whether the agent of a member can work.
#pragma once

#include <cstdint>
#include <optional>

#include <legion/base/time.hpp>
#include <legion/core/group_member.hpp>

namespace legion {

/// An agent that is down for as long as `grace` is away; one that is started again before that is not. Whoever comes up
/// and is down again within a second has not been up at all, so that a program that fails whenever it is started does
/// not keep its shares, nor get them again each time. Away at first.
///
/// Thread: none of its own. Order: `now` does not go back.
class GroupPresence {
 public:
  explicit GroupPresence(Duration grace) : grace_(grace) {}

  enum class Agent : std::uint8_t { Down, Up };
  GroupMember::Presence on_look(SteadyTime now, Agent agent);

 private:
  static constexpr Duration settled_after = 1s;

  const Duration grace_;
  GroupMember::Presence presence_ = GroupMember::Presence::Away;
  std::optional<SteadyTime> up_since_;
  SteadyTime down_since_{};  // the last time it was settled
  enum class Last : std::uint8_t { Settled, Short } last_ = Last::Settled;  // how long it was up the last time
};

}  // namespace legion
