// The membership protocol on a simulated network.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "sim_cluster.hpp"

namespace legion::sim {
namespace {

/// "node-00", "node-01", ...: the first one knows nobody, all others join it.
std::vector<std::string> add_nodes(SimCluster& cluster, std::size_t count) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string digits = std::to_string(i);
    labels.push_back("node-" + std::string(3 - std::min<std::size_t>(3, digits.size()), '0') + digits);
    cluster.add(labels.back(), {.join = i == 0 ? std::vector<std::string>{} : std::vector{labels.front()}});
  }
  return labels;
}

std::set<std::string> set_of(const std::vector<std::string>& labels, std::size_t from, std::size_t to) {
  return {labels.begin() + static_cast<std::ptrdiff_t>(from), labels.begin() + static_cast<std::ptrdiff_t>(to)};
}

void start_all(SimCluster& cluster, const std::vector<std::string>& labels) {
  for (const std::string& label : labels) cluster.start(label);
}

/// G7: links within redial_max + connect_timeout of the end of a fault, agreement within three heartbeats after that.
Duration agreement_limit() {
  const MembershipConfig config;
  return config.redial_max + config.connect_timeout + 3 * config.heartbeat_interval;
}

TEST(MembershipSim, ALoneNodeIsOpenAtOnce) {
  SimCluster cluster(seed_or(1));
  cluster.add("a");
  cluster.start("a");
  EXPECT_TRUE(cluster.converged()) << cluster.disagreement();
}

TEST(MembershipSim, TwoNodesThatJoinEachOtherStartTogether) {
  SimCluster cluster(seed_or(2));
  cluster.add("a");
  cluster.add("b", {.join = {"a"}});
  cluster.add("c", {.join = {"d"}});
  cluster.add("d", {.join = {"c", "a"}});
  start_all(cluster, {"c", "d", "a", "b"});
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, ThirtyNodesWithOneSeedAddressConvergeInAnyStartOrder) {
  const std::uint64_t seed = seed_or(3);
  for (std::uint64_t round = 0; round < 5; ++round) {
    SimCluster cluster(seed + round);
    std::vector<std::string> labels = add_nodes(cluster, 30);
    std::shuffle(labels.begin(), labels.end(), cluster.rng());
    for (const std::string& label : labels) {
      cluster.start(label);
      cluster.run_for(Duration{static_cast<std::int64_t>(cluster.rng().below(300'000'000))});
    }
    EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << "seed " << seed + round << ": "
                                                                << cluster.disagreement();
  }
}

struct Scale {
  std::size_t nodes;
  bool through_wire;
};

/// What a large cluster costs, for docs/performance.md.
void print_cost(const char* what, std::size_t nodes, Duration took, const Traffic& now, const Traffic& before) {
  const auto per_node = [&](std::uint64_t Traffic::*figure) {
    return static_cast<double>(now.*figure - before.*figure) / static_cast<double>(nodes);
  };
  std::printf("SCALE %s nodes=%zu simulated_ms=%lld per node: hellos=%.1f roster_pages=%.1f tail_questions=%.1f "
              "heartbeats_heard=%.0f control_kib=%.0f heartbeat_kib=%.0f\n",
              what, nodes, static_cast<long long>(took / 1ms), per_node(&Traffic::hellos),
              per_node(&Traffic::roster_pages), per_node(&Traffic::tail_questions), per_node(&Traffic::heartbeats),
              per_node(&Traffic::control_bytes) / 1024, per_node(&Traffic::heartbeat_bytes) / 1024);
}

/// All join at once through the first one; half of them are cut off until both halves have declared each other dead.
class MembershipSimScale : public ::testing::TestWithParam<Scale> {};

TEST_P(MembershipSimScale, AllJoinAndAgreeAgainAfterHalfWereCutOff) {
  const std::size_t nodes = GetParam().nodes;
  SimCluster::Options options;
  options.through_wire = GetParam().through_wire;
  options.disk = Disk::Lost;
  if (!options.through_wire) options.slot = 5ms;
  SimCluster cluster(seed_or(4), options);
  const auto labels = add_nodes(cluster, nodes);
  start_all(cluster, labels);
  const auto joined = cluster.run_until_converged(agreement_limit());
  ASSERT_TRUE(joined) << cluster.disagreement();
  const Traffic after_join = cluster.traffic();
  print_cost("join", nodes, *joined, after_join, {});

  cluster.partition(set_of(labels, 0, nodes / 2), set_of(labels, nodes / 2, nodes));
  cluster.run_for(12s);
  EXPECT_EQ(cluster.core(labels.front()).alive(), nodes / 2);
  EXPECT_EQ(cluster.core(labels.back()).alive(), nodes - nodes / 2);
  const Traffic after_cut = cluster.traffic();
  print_cost("cut", nodes, 12s, after_cut, after_join);

  cluster.heal();
  const auto healed = cluster.run_until_converged(agreement_limit());
  ASSERT_TRUE(healed) << cluster.disagreement();
  print_cost("heal", nodes, *healed, cluster.traffic(), after_cut);
}

INSTANTIATE_TEST_SUITE_P(Nodes, MembershipSimScale,
                         ::testing::Values(Scale{80, true}, Scale{200, true}, Scale{LEGION_SIM_NODES, false}),
                         [](const auto& each) { return "Of" + std::to_string(each.param.nodes); });

TEST(MembershipSim, APartitionLongerThanDeadAfterHeals) {
  SimCluster cluster(seed_or(5));
  const auto labels = add_nodes(cluster, 7);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();

  cluster.partition(set_of(labels, 0, 3), set_of(labels, 3, 7));
  cluster.run_for(40s);
  EXPECT_EQ(cluster.state_seen_by(labels[0], labels[6]), MemberState::Dead);
  EXPECT_EQ(cluster.state_seen_by(labels[0], labels[1]), MemberState::Alive);
  cluster.heal();

  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, APartitionFromTheFirstMomentHeals) {
  SimCluster cluster(seed_or(6));
  cluster.add("a");
  cluster.add("b", {.join = {"a"}});
  cluster.partition({"a"}, {"b"});
  start_all(cluster, {"a", "b"});
  cluster.run_for(30s);
  ASSERT_FALSE(cluster.converged());
  cluster.heal();
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, AOneWayFaultHeals) {
  SimCluster cluster(seed_or(7));
  const auto labels = add_nodes(cluster, 4);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.block(labels[1], labels[2]);
  cluster.run_for(15s);
  EXPECT_EQ(cluster.state_seen_by(labels[2], labels[1]), MemberState::Dead);
  EXPECT_EQ(cluster.state_seen_by(labels[1], labels[2]), MemberState::Alive);
  EXPECT_EQ(cluster.state_seen_by(labels[3], labels[1]), MemberState::Alive);
  cluster.heal();
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, AKilledNodeIsDeclaredDeadInTimeAndItsTailsAreCollected) {
  SimCluster cluster(seed_or(8));
  const auto labels = add_nodes(cluster, 5);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  const Incarnation killed = cluster.core(labels[4]).incarnation();
  cluster.crash(labels[4]);
  cluster.run_for(2900ms);
  EXPECT_NE(cluster.state_seen_by(labels[0], labels[4]), MemberState::Dead);
  cluster.run_for(1200ms);
  EXPECT_EQ(cluster.state_seen_by(labels[0], labels[4]), MemberState::Suspect);
  cluster.run_for(6200ms);
  EXPECT_EQ(cluster.state_seen_by(labels[0], labels[4]), MemberState::Dead);
  std::set<std::string> asked;
  for (const effect::CollectTails& question : cluster.collected(labels[0])) {
    EXPECT_EQ(question.origins, (std::vector{Origin{labels[4], killed}}));
    EXPECT_TRUE(asked.insert(question.address).second) << question.address << " is asked twice";
  }
  EXPECT_EQ(asked, (std::set{cluster.control_address(labels[1]), cluster.control_address(labels[2]),
                             cluster.control_address(labels[3])}));
  EXPECT_TRUE(cluster.converged()) << cluster.disagreement();
}

struct RestartCase {
  Disk disk;
  Place place;
};

class MembershipSimRestart : public ::testing::TestWithParam<RestartCase> {};

TEST_P(MembershipSimRestart, ARestartedNodeSucceedsItselfAtOnce) {
  SimCluster cluster(seed_or(9));
  const auto labels = add_nodes(cluster, 5);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  for (const std::string& label : {labels[3], labels[1]}) {
    const Incarnation former = cluster.core(label).incarnation();
    cluster.crash(label);
    cluster.restart(label, GetParam().disk, GetParam().place);
    EXPECT_TRUE(cluster.run_until_converged(2s)) << cluster.disagreement();
    EXPECT_GT(cluster.core(label).incarnation(), former);
  }
}

TEST_P(MembershipSimRestart, HalfOfTheNodesRestartTogether) {
  SimCluster cluster(seed_or(10));
  const auto labels = add_nodes(cluster, 10);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  for (std::size_t i = 1; i < labels.size(); i += 2) cluster.crash(labels[i]);
  for (std::size_t i = 1; i < labels.size(); i += 2) cluster.restart(labels[i], GetParam().disk, GetParam().place);
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

INSTANTIATE_TEST_SUITE_P(DiskAndPlace, MembershipSimRestart,
                         ::testing::Values(RestartCase{Disk::Kept, Place::SameAddress},
                                           RestartCase{Disk::Lost, Place::SameAddress},
                                           RestartCase{Disk::Kept, Place::NewAddress},
                                           RestartCase{Disk::Lost, Place::NewAddress}),
                         [](const auto& each) {
                           return std::string(each.param.disk == Disk::Kept ? "DiskKept" : "DiskLost") +
                                  (each.param.place == Place::SameAddress ? "SameAddress" : "NewAddress");
                         });

TEST(MembershipSim, ARestartedSeedWithoutStateLearnsTheMembersAgain) {
  SimCluster cluster(seed_or(11));
  const auto labels = add_nodes(cluster, 6);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.crash(labels[0]);
  cluster.run_for(30s);
  cluster.restart(labels[0], Disk::Lost);  // it joins nobody: the others have to find it
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, ANodeWhoseClockFellBackTakesAHigherIncarnation) {
  SimCluster cluster(seed_or(12));
  cluster.add("a");
  cluster.add("b", {.join = {"a"}, .clock_offset = std::chrono::hours(1000)});
  start_all(cluster, {"a", "b"});
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  const Incarnation former = cluster.core("b").incarnation();
  cluster.crash("b");
  cluster.add("b2", {.name = "b", .join = {"a"}, .clock_offset = -std::chrono::hours(1000)});
  cluster.start("b2");
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  EXPECT_GT(cluster.core("b2").incarnation(), former);
}

TEST(MembershipSim, APauseLongerThanDeadAfterKillsNobody) {
  SimCluster cluster(seed_or(13));
  const auto labels = add_nodes(cluster, 5);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.pause(labels[2]);
  cluster.run_for(30s);
  EXPECT_EQ(cluster.state_seen_by(labels[0], labels[2]), MemberState::Dead);
  const auto before = cluster.collected(labels[2]).size();
  cluster.resume(labels[2]);
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  EXPECT_EQ(cluster.collected(labels[2]).size(), before) << "the paused node declared somebody dead";
}

TEST(MembershipSim, ANodeThatLeavesIsGoneForAllAtOnceAndMayComeBack) {
  SimCluster cluster(seed_or(14));
  const auto labels = add_nodes(cluster, 5);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.leave(labels[1]);
  cluster.run_for(50ms);
  for (const std::size_t i : {0, 2, 3, 4}) {
    EXPECT_EQ(cluster.state_seen_by(labels[i], labels[1]), MemberState::Left);
  }
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.restart(labels[1]);
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, ANewcomerWithANameInUseIsRefusedAndGivesUp) {
  SimCluster cluster(seed_or(15));
  const auto labels = add_nodes(cluster, 3);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.add("impostor", {.name = labels[1], .join = {labels[0]}});
  cluster.start("impostor");
  cluster.run_for(19s);
  EXPECT_TRUE(cluster.running("impostor"));
  cluster.run_for(3s);
  EXPECT_EQ(cluster.exit_code("impostor"), 69);
  EXPECT_NE(cluster.exit_message("impostor").find(cluster.control_address(labels[1])), std::string::npos)
      << cluster.exit_message("impostor");
  EXPECT_TRUE(cluster.converged()) << cluster.disagreement();
}

TEST(MembershipSim, ANewcomerSucceedsAtOnceWhenTheOldLifeEnds) {
  SimCluster cluster(seed_or(16));
  const auto labels = add_nodes(cluster, 3);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.add("heir", {.name = labels[1], .join = {labels[0]}});
  cluster.start("heir");
  cluster.run_for(5s);
  EXPECT_EQ(cluster.core("heir").incarnation(), 0U);
  cluster.crash(labels[1]);
  EXPECT_TRUE(cluster.run_until_converged(4s)) << cluster.disagreement();
}

TEST(MembershipSim, ANewcomerSucceedsALifeWhoseHostIsSilent) {
  SimCluster cluster(seed_or(17));
  const auto labels = add_nodes(cluster, 3);
  start_all(cluster, labels);
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
  cluster.crash(labels[1], HostAfterCrash::Silent);
  cluster.restart(labels[1], Disk::Lost, Place::NewAddress);
  EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
}

TEST(MembershipSim, OfTwoNewcomersWithOneNameExactlyOneStarts) {
  const std::uint64_t seed = seed_or(18);
  for (std::uint64_t round = 0; round < 20; ++round) {
    SimCluster cluster(seed + round);
    cluster.add("x", {.name = "same", .join = {"y"}});
    cluster.add("y", {.name = "same", .join = {"x"}});
    cluster.add("y2", {.name = "other", .join = {"x", "y"}});
    start_all(cluster, {"x", "y", "y2"});
    cluster.run_for(30s);
    EXPECT_NE(cluster.running("x"), cluster.running("y")) << "seed " << seed + round;
    EXPECT_TRUE(cluster.converged()) << "seed " << seed + round << ": " << cluster.disagreement();
  }
}

TEST(MembershipSim, DuplicateNamesAfterAPartitionLeaveExactlyTheHigherOne) {
  const std::uint64_t seed = seed_or(19);
  for (std::uint64_t round = 0; round < 20; ++round) {
    SimCluster cluster(seed + round);
    const auto labels = add_nodes(cluster, 6);
    start_all(cluster, labels);
    ASSERT_TRUE(cluster.run_until_converged(agreement_limit())) << cluster.disagreement();
    cluster.add("twin", {.name = labels[1], .join = {labels[4]}});
    cluster.partition(set_of(labels, 0, 3), {labels[3], labels[4], labels[5], "twin"});
    cluster.run_for(Duration{static_cast<std::int64_t>(cluster.rng().below(20'000'000'000))});
    cluster.start("twin");
    cluster.run_for(20s);
    ASSERT_TRUE(cluster.running("twin"));
    const bool twin_is_higher = cluster.core("twin").incarnation() > cluster.core(labels[1]).incarnation();
    cluster.heal();
    EXPECT_TRUE(cluster.run_until_converged(agreement_limit())) << "seed " << seed + round << ": "
                                                                << cluster.disagreement();
    EXPECT_EQ(cluster.running("twin"), twin_is_higher) << "seed " << seed + round;
    EXPECT_EQ(cluster.running(labels[1]), !twin_is_higher) << "seed " << seed + round;
    EXPECT_EQ(cluster.exit_code(twin_is_higher ? labels[1] : "twin"), 70);
  }
}

/// One random thing that may happen to a cluster.
void disturb(SimCluster& cluster, const std::vector<std::string>& labels) {
  Rng& rng = cluster.rng();
  const std::string& label = labels[rng.below(labels.size())];
  const std::string& other = labels[rng.below(labels.size())];
  const Disk disk = rng.chance(0.5) ? Disk::Kept : Disk::Lost;
  switch (rng.below(9)) {
    case 0: {
      std::set<std::string> a;
      std::set<std::string> b;
      for (const std::string& each : labels) (rng.chance(0.5) ? a : b).insert(each);
      cluster.partition(a, b);
      break;
    }
    case 1:
      if (label != other) cluster.block(label, other);
      break;
    case 2:
    case 3: cluster.heal(); break;
    case 4:
      if (cluster.running(label)) {
        cluster.crash(label, rng.chance(0.5) ? HostAfterCrash::Refuses : HostAfterCrash::Silent);
      }
      break;
    case 5: {
      // The seed keeps its address: without state at a new one nobody could find it.
      const bool moves = label != labels.front() && rng.chance(0.2);
      cluster.restart(label, disk, moves ? Place::NewAddress : Place::SameAddress);
      break;
    }
    case 6:
      if (cluster.running(label)) cluster.pause(label);
      break;
    case 7: cluster.resume(label); break;
    case 8:
      if (cluster.running(label) && !cluster.paused(label)) cluster.leave(label);
      break;
  }
  cluster.set_heartbeat_loss(rng.chance(0.3) ? rng.uniform() * 0.6 : 0);
}

/// What is counted as members change is what a look at all of them gives.
void expect_figures_to_add_up(const SimCluster& cluster, const std::vector<std::string>& labels) {
  for (const std::string& label : labels) {
    if (!cluster.running(label)) continue;
    const Membership& core = cluster.core(label);
    const auto roster = core.roster();
    EXPECT_EQ(core.hash(), roster_hash(roster)) << label;
    EXPECT_EQ(core.size(), roster.size()) << label;
    const auto alive = std::ranges::count(roster, MemberState::Alive, &Member::state);
    EXPECT_EQ(core.alive(), static_cast<std::size_t>(alive)) << label;
  }
}

/// Random faults under one seed, then quiet: the cluster has to agree in time and stay so.
void survive_random_faults(std::uint64_t seed) {
  SimCluster cluster(seed);
  const auto labels = add_nodes(cluster, 3 + cluster.rng().below(5));
  for (const std::string& label : labels) {
    if (cluster.rng().chance(0.8)) cluster.start(label);
  }
  for (int i = 0; i < 25; ++i) {
    cluster.run_for(Duration{static_cast<std::int64_t>(cluster.rng().below(6'000'000'000))});
    disturb(cluster, labels);
    expect_figures_to_add_up(cluster, labels);
  }
  cluster.heal();
  cluster.set_heartbeat_loss(0);
  for (const std::string& label : labels) {
    if (!cluster.running(label)) cluster.restart(label);
    cluster.resume(label);
  }
  ASSERT_TRUE(cluster.run_until_converged(agreement_limit()))
      << "LEGION_SEED=" << seed << ": " << cluster.disagreement();
  cluster.run_for(15s);
  ASSERT_TRUE(cluster.converged()) << "LEGION_SEED=" << seed << ", later: " << cluster.disagreement();
}

/// In parts, so that each stays far below the time limit of a test. With LEGION_SEED each part runs that seed alone.
class MembershipSimRandomFaults : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(MembershipSimRandomFaults, ThenQuietAlwaysConverges) {
  const bool one_seed = std::getenv("LEGION_SEED") != nullptr;
  const std::uint64_t first = seed_or(GetParam());
  for (std::uint64_t seed = first; seed < first + (one_seed ? 1 : 20); ++seed) {
    survive_random_faults(seed);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MembershipSimRandomFaults, ::testing::Values(1000, 1020, 1040, 1060, 1080, 1100));

}  // namespace
}  // namespace legion::sim
