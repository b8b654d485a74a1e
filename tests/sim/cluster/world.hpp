// What the agents of a run share with its driver.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include <legion/base/bytes.hpp>

#include "history.hpp"
#include "plan.hpp"

namespace legion::sim {

/// Thread: everything runs on one real thread.
struct World {
  const Plan& plan;
  History& history;

  bool publishing = true;                     ///< the workload goes on
  bool handlers_behave = false;               ///< nobody hangs, or kills his process, any more
  std::uint32_t publishers = 0;               ///< numbers given, one for each life of each
  /// Poison an operator had repaired before the requeue.
  std::set<std::pair<std::size_t, Tag>> repaired;
  std::map<std::pair<std::size_t, Tag>, std::uint32_t> kills;
  /// How many disks have this event now, fsync included.
  std::function<std::size_t(const Place&)> durable_copies;
  /// kill -9 of the process of this life, by itself. Does not return.
  std::function<void(LifeNo)> die;
};

/// What an event of the workload carries: a map with its tag, and a filling of a size that depends on it.
Bytes data_of(Tag tag);
/// 0: it is not of the workload.
Tag tag_in(BytesView data);

}  // namespace legion::sim
