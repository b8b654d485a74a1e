// What a transcript cannot say well: bounds, views, hostile members.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <variant>

#include <legion/core/membership.hpp>

namespace legion {
namespace {

Now at(Duration since_start, std::int64_t wall = 0) { return {SteadyTime{1'000} + since_start, WallTime{wall}}; }

Member member(const std::string& name, Incarnation incarnation, std::uint8_t host) {
  Member made;
  made.name = name;
  made.incarnation = incarnation;
  made.boot.bytes[0] = host;
  const std::string prefix = "tcp://10.0.0." + std::to_string(host) + ":";
  made.endpoints.control = prefix + "7400";
  for (std::size_t lane = 0; lane < 4; ++lane) made.endpoints.lanes[lane] = prefix + std::to_string(7401 + lane);
  return made;
}

Membership::Self self(Incarnation kept = 0) {
  const Member own = member("a", 0, 1);
  return {.name = own.name,
          .boot = own.boot,
          .endpoints = own.endpoints,
          .roles = {},
          .version = "0",
          .kept_incarnation = kept,
          .kept_roster = {}};
}

template <class Effect>
std::size_t count(const std::vector<MembershipEffect>& effects) {
  return static_cast<std::size_t>(std::count_if(
      effects.begin(), effects.end(), [](const auto& each) { return std::holds_alternative<Effect>(each); }));
}

TEST(Membership, TheIncarnationIsTheClockWithRandomLowBits) {
  const std::int64_t wall = 1'800'000'000'000'000'000;
  std::set<Incarnation> low;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Membership core({}, self(), seed);
    core.start(at(0s, wall));
    EXPECT_EQ(core.incarnation() >> 16, static_cast<std::uint64_t>(wall) >> 16);
    low.insert(core.incarnation() & 0xffff);
  }
  EXPECT_GT(low.size(), 15U);
}

TEST(Membership, TheIncarnationIsAboveTheKeptOneWhenTheClockIsBehind) {
  for (const Incarnation kept : {Incarnation{5'000'000}, Incarnation{0xffff}, Incarnation{0x1fffe}}) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      Membership core({}, self(kept), seed);
      core.start(at(0s, 1000));
      EXPECT_GT(core.incarnation(), kept);
      EXPECT_LE(core.incarnation(), kept + 0x20000);
    }
  }
}

TEST(Membership, TheRosterIsBoundedAndTheRefusalLoggedOnce) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  core.drain_effects();
  for (std::size_t i = 0; i < limits::roster_entries_max + 100; ++i) {
    core.on_roster(at(0s), {member("m" + std::to_string(i), 7, static_cast<std::uint8_t>(2 + i % 200))});
  }
  EXPECT_EQ(core.roster().size(), limits::roster_entries_max);
  EXPECT_EQ(count<effect::LogLine>(core.drain_effects()), 1U);
}

TEST(Membership, TheRosterIsWrittenOnlyWhenSomethingChanged) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  EXPECT_EQ(count<effect::PersistRoster>(core.drain_effects()), 1U);
  core.on_roster(at(2s), {member("b", 7, 2)});
  core.on_tick(at(2s));
  EXPECT_EQ(count<effect::PersistRoster>(core.drain_effects()), 1U);
  for (Duration t = 2s; t < 30s; t += 50ms) {
    core.on_roster(at(t), {member("b", 7, 2)});
    core.on_tick(at(t));
  }
  EXPECT_EQ(count<effect::PersistRoster>(core.drain_effects()), 0U);
}

TEST(Membership, TheViewTellsSelfAndHeartbeatAges) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  core.on_roster(at(1s), {member("b", 7, 2), member("c", 7, 3)});
  Heartbeat heartbeat;
  heartbeat.self = member("c", 7, 3);
  core.on_heartbeat(at(2s), heartbeat);
  const auto view = core.view(at(3s));
  ASSERT_EQ(view.size(), 3U);
  EXPECT_TRUE(view[0].self);
  EXPECT_FALSE(view[0].heartbeat_age);
  EXPECT_FALSE(view[1].heartbeat_age);
  EXPECT_EQ(view[2].heartbeat_age, 1s);
  EXPECT_EQ(core.find("c")->incarnation, 7U);
  EXPECT_EQ(core.hash(), roster_hash(core.roster()));
}

TEST(Membership, NonsenseFromOthersIsIgnored) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  core.drain_effects();
  core.on_roster(at(0s), {member("Bad Name", 7, 2), member("b", 0, 2), Member{}});
  core.on_goodbye(at(0s), "nobody", 7);
  core.on_receiver_synced(at(0s), "~observer");
  core.on_hello_reply(at(0s), "tcp://10.9.9.9:1", HelloReply{});
  core.on_hello_failed(at(0s), "nowhere", Membership::HelloFailure::Refused);
  core.on_heartbeat(at(0s), Heartbeat{});
  core.on_tick(at(0s));
  EXPECT_EQ(core.roster().size(), 1U);
}

}  // namespace
}  // namespace legion
