#include "planted_table.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>
#include <string>

#include <legion/base/planted.hpp>

#include "farm.hpp"
#include "plan_groups.hpp"

namespace legion::planted {
Bug chosen = Bug::None;
}

namespace legion::sim {

namespace {

using planted::Bug;

struct Row {
  Bug bug;
  const char* name;
  const char* what;
  enum class Seeds { Usual, WithAGroup } seeds = Seeds::Usual;
};

constexpr Row rows[] = {
    {Bug::AckBeforeFsync, "ack_before_fsync", "a spool acknowledges before its fsync has returned"},
    {Bug::CursorBeforeLetter, "cursor_before_letter", "the cursor passes an event before its letter is written"},
    {Bug::GapIgnoredAtTheTail, "gap_ignored_at_the_tail", "a tail marker that shows a loss counts nothing"},
    {Bug::BaselineBeforeTheEcho, "baseline_before_the_echo", "the books begin before the sync echo says where"},
    {Bug::SequenceResetInTheSameLife, "sequence_reset", "a restarted node counts from 1 under its last incarnation"},
    {Bug::RequeueHandledTwice, "requeue_handled_twice", "a repeated requeue hands over what is resolved already"},
    {Bug::RetentionPastACursor, "retention_past_a_cursor", "a spool trims what a durable subscription has not read"},
    {Bug::OneTooManyInHands, "one_too_many_in_hands", "an agent is given one event beyond its credit"},
    {Bug::VoidOverAFrame, "void_over_a_frame", "a void keeps its place against the frame itself"},
    {Bug::LowStarved, "low_starved", "the lower lanes never get their turn"},
    {Bug::CrashedGateCountsAsDone, "crashed_gate_counts_as_done", "a gate that went away lets its event through"},
    {Bug::StaleRosterEntry, "stale_roster_entry", "a member that is connected is never replaced by its next life"},
    {Bug::ConfirmedByOneStore, "confirmed_by_one_store",
     "confirmed as soon as one spool has it, whatever the type asks for"},
    {Bug::HeldEventGoesLive, "held_event_goes_live", "after_confirm events are sent before they are durable"},
    {Bug::InHandsForgotten, "in_hands_forgotten", "after kill -9 nobody knows what was in hands"},
    {Bug::DeadMembersShareWaits, "dead_members_share_waits", "a home looks for dead members every 20 s only",
     Row::Seeds::WithAGroup},
    {Bug::ShareMovesUnderWay, "share_moves_under_way", "a share is released while events of it are under way",
     Row::Seeds::WithAGroup},
};

/// "G3 stores [stores]: in s1 and not .." without what comes behind the first line.
std::string first_line(const std::string& report) {
  return report.substr(0, std::min(report.find('\n'), std::size_t{70}));
}

std::uint64_t first_seed(const PlantedTable& options, Row::Seeds seeds) {
  return options.first_seed + (seeds == Row::Seeds::WithAGroup ? group_seeds_from : 0);
}

std::function<bool(std::uint64_t&)> seeds_of(const PlantedTable& options, Row::Seeds seeds,
                                             const std::set<std::uint64_t>& left_out) {
  const std::uint64_t first = first_seed(options, seeds);
  return [next = first, last = first + options.seeds_max, left_out](std::uint64_t& seed) mutable {
    while (left_out.contains(next)) ++next;
    seed = next++;
    return seed < last;
  };
}

/// What they find says nothing about the bug that is planted.
std::set<std::uint64_t> failing_without_a_bug(const PlantedTable& options, Row::Seeds seeds) {
  planted::chosen = Bug::None;
  FarmOptions farm;
  farm.workers = options.workers;
  farm.failures_max = SIZE_MAX;
  farm.next = seeds_of(options, seeds, {});
  std::set<std::uint64_t> sick;
  for (const FarmTotals::Failure& failure : run_farm(farm).failures) {
    std::printf("seed %llu fails without a planted bug and is left out: %s\n",
                static_cast<unsigned long long>(failure.seed), first_line(failure.report).c_str());
    sick.insert(failure.seed);
  }
  return sick;
}

}  // namespace

bool plant(const char* name) {
  for (const Row& row : rows) {
    if (std::string(name) != row.name) continue;
    planted::chosen = row.bug;
    return true;
  }
  return false;
}

std::size_t print_planted_table(const PlantedTable& options) {
  std::size_t missed = 0;
  std::set<std::uint64_t> sick = failing_without_a_bug(options, Row::Seeds::Usual);
  sick.merge(failing_without_a_bug(options, Row::Seeds::WithAGroup));
  std::printf("%-28s %-8s %-6s %s\n", "bug", "found by", "seeds", "how");
  for (const Row& row : rows) {
    if (options.only != nullptr && std::string(options.only) != row.name) continue;
    planted::chosen = row.bug;
    FarmOptions farm;
    farm.workers = options.workers;
    farm.block = 4;
    farm.next = seeds_of(options, row.seeds, sick);
    const FarmTotals totals = run_farm(farm);
    if (totals.interrupted) return missed + 1;
    if (totals.failures.empty()) {
      ++missed;
      std::printf("%-28s %-8s %-6s not found: %s\n", row.name, "-", std::to_string(totals.seeds).c_str(), row.what);
    } else {
      const auto& first = *std::ranges::min_element(totals.failures, {}, &FarmTotals::Failure::seed);
      std::printf("%-28s %-8llu %-6llu %s\n", row.name, static_cast<unsigned long long>(first.seed),
                  static_cast<unsigned long long>(first.seed - first_seed(options, row.seeds) + 1),
                  first_line(first.report).c_str());
    }
    std::fflush(stdout);
  }
  return missed;
}

}  // namespace legion::sim
