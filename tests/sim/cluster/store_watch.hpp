// What stores have while the run goes on: what was there once stays there.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/spool/store.hpp>

#include "environment.hpp"
#include "history.hpp"
#include "plan.hpp"

namespace legion::sim {

/// Looks at the disks behind everybody's back. After a loss by a fault (History::store_losses) it begins anew with what
/// is left.
class StoreWatch {
 public:
  StoreWatch(const Plan& plan, History& history, Environment& environment);
  /// Notes what came since the last look.
  void look();
  /// By host: everything that was in its store at some look, and when first.
  using Seen = std::vector<std::map<Place, SteadyTime>>;
  const Seen& seen() const { return seen_; }

 private:
  void look_at(std::size_t host);

  const Plan& plan_;
  History& history_;
  Environment& environment_;
  std::vector<std::optional<StoreId>> stores_;
  std::vector<std::size_t> losses_;
  std::vector<CommitNumber> next_;
  Seen seen_;
};

}  // namespace legion::sim
