#include "plan_faults.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace legion::sim {

namespace {

Duration seconds(double value) { return Duration{static_cast<std::int64_t>(value * 1e9)}; }
double between(Rng& rng, double low, double high) { return low + rng.uniform() * (high - low); }

/// How likely a kind is in a run at all, in calm and in wild ones, how often it then comes at most, and how long it
/// lasts.
struct Habit {
  Fault kind;
  double calm, wild;
  double per_minute_max;
  double lasts_min, lasts_max;  // seconds
};

constexpr std::array<Habit, fault_count> habits{{
    {Fault::Partition, 0.15, 0.5, 3, 0.5, 15}, {Fault::OneWay, 0.1, 0.4, 3, 0.5, 15},
    {Fault::Flap, 0.05, 0.3, 2, 1, 8},         {Fault::Delay, 0.3, 0.5, 4, 1, 10},
    {Fault::Capacity, 0.1, 0.3, 3, 1, 10},     {Fault::Clog, 0.1, 0.4, 4, 0.2, 8},
    {Fault::Reset, 0.3, 0.6, 10, 0, 0},        {Fault::Crash, 0.3, 0.6, 5, 0.1, 6},
    {Fault::Wipe, 0.0, 0.15, 1, 0.1, 6},       {Fault::PowerCut, 0.1, 0.4, 2, 0.5, 15},
    {Fault::Pause, 0.15, 0.4, 4, 0.1, 12},     {Fault::WallStep, 0.1, 0.4, 3, 0, 0},
    {Fault::SlowDisk, 0.2, 0.5, 3, 0.5, 8},    {Fault::DiskError, 0.05, 0.25, 2, 0.5, 6},
    {Fault::DiskFull, 0.05, 0.25, 2, 0.5, 6},  {Fault::DamagedBlock, 0.0, 0.15, 1, 0.1, 3},
    {Fault::Restart, 0.3, 0.5, 4, 0.1, 5},     {Fault::AgentDown, 0.2, 0.5, 6, 0.1, 5},
    {Fault::Requeue, 0.3, 0.5, 6, 0, 0},       {Fault::Purge, 0.05, 0.15, 2, 0, 0},
    {Fault::Skip, 0.0, 0.1, 2, 0, 0},          {Fault::ResetCursor, 0.0, 0.08, 1, 0, 0},
    {Fault::Replay, 0.1, 0.25, 2, 0, 0},
}};

double amount_of(Rng& rng, Fault kind) {
  switch (kind) {
    case Fault::Delay: return between(rng, 0.005, 1.5);
    case Fault::Capacity: return between(rng, 2e3, 200e3);
    case Fault::WallStep: return between(rng, -20, 20);
    case Fault::SlowDisk: return between(rng, 0.02, 1.0);
    default: return rng.uniform();
  }
}

bool needs_spool(Fault kind) {
  return kind == Fault::SlowDisk || kind == Fault::DiskError || kind == Fault::DiskFull ||
         kind == Fault::DamagedBlock || is_of_operators(kind);
}

bool costs_a_store(const Plan& plan, const FaultPlan& fault) {
  return fault.kind == Fault::DamagedBlock || (fault.kind == Fault::Wipe && plan.hosts[fault.a].spool);
}

FaultPlan draw_fault(Rng& rng, const Plan& plan, const Habit& habit, Duration phase) {
  FaultPlan fault;
  fault.kind = habit.kind;
  fault.at = seconds(rng.uniform() * static_cast<double>(phase.count()) / 1e9);
  fault.lasts = seconds(between(rng, habit.lasts_min, habit.lasts_max));
  const std::size_t hosts = plan.hosts.size();
  fault.a = rng.below(needs_spool(habit.kind) ? plan.spools() : hosts);
  fault.b = (fault.a + 1 + rng.below(hosts - 1)) % hosts;
  do {
    fault.group = rng.below(1ull << hosts);
  } while (fault.group == 0 || fault.group == (1ull << hosts) - 1);
  fault.amount = amount_of(rng, habit.kind);
  return fault;
}

}  // namespace

std::vector<FaultPlan> draw_faults(Rng& rng, const Plan& plan, FaultsOf which, Duration phase) {
  std::vector<FaultPlan> faults;
  std::size_t stores_lost = 0;
  const double minutes = static_cast<double>(phase.count()) / 60e9;
  for (const Habit& habit : habits) {
    // Drawn in any case, so that one kind more does not change all the others.
    const bool in_the_run = rng.chance(plan.wild ? habit.wild : habit.calm);
    const double per_minute = rng.uniform() * rng.uniform() * habit.per_minute_max + 0.5;
    Rng own(rng.next());
    if (!in_the_run || (which == FaultsOf::Network && !is_of_network(habit.kind))) continue;
    if (needs_spool(habit.kind) && plan.spools() == 0) continue;
    const double wanted = per_minute * minutes;
    const auto count = static_cast<std::size_t>(wanted) + (own.chance(wanted - std::floor(wanted)) ? 1 : 0);
    for (std::size_t i = 0; i < count; ++i) {
      const FaultPlan fault = draw_fault(own, plan, habit, phase);
      if (costs_a_store(plan, fault) && ++stores_lost > plan.store_loss_max) continue;
      faults.push_back(fault);
    }
  }
  std::ranges::stable_sort(faults, {}, &FaultPlan::at);
  return faults;
}

}  // namespace legion::sim
