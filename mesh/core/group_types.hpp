// What the members of a group and its home say to each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/ids.hpp>
#include <legion/base/time.hpp>

namespace legion {

/// How often a member says what it holds.
inline constexpr Duration group_renewal_every = 300ms;
/// Members of one group; groups of one home.
inline constexpr std::size_t group_members_max = 256;
inline constexpr std::size_t groups_max = 256;

/// A share under one of its leases. Of two leases of a share the one with the higher epoch holds.
struct ShareLease {
  std::uint32_t share = 0;
  std::uint64_t epoch = 0;
  friend auto operator<=>(const ShareLease&, const ShareLease&) = default;
};

/// What a member says of itself, again and again.
struct GroupRenewal {
  std::string group;
  std::string agent;  ///< without its node
  Origin self;
  BootId boot;
  std::string home;          ///< whom it takes for the group's home
  std::string type;          ///< filter, as configured
  std::uint32_t shares = 1;  ///< of the group
  std::uint64_t round =
      0;   ///< one more each time in a life of the member; it listens to the answer of the last one only
  std::vector<ShareLease> held;  ///< everything it may be working on, ascending
  /// Epochs found in cursors that are not below those it was given: the next have to be higher.
  std::vector<ShareLease> seen{};
  /// Away: its agent is down, so it wants nothing for now. Leave: it goes for good.
  enum class Wish : std::uint8_t { Share, Leave, Away } wish = Wish::Share;
};

struct GroupAnswer {
  std::vector<ShareLease> owned;      ///< ascending by share; whatever else the member holds is no longer its own
  std::vector<std::uint32_t> revoke;  ///< of these, ascending: finish what is under way, then hold them no more
};

}  // namespace legion
