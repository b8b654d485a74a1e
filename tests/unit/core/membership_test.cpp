// What a transcript cannot say well: bounds, views, hostile members.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
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

TEST(Membership, TheFirstMemberMetIsKeptAtOnceAndManyInARowAreKeptEverMoreRarely) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  core.drain_effects();
  core.on_roster(at(20ms), {member("b", 7, 2)});
  EXPECT_TRUE(core.wants_tick());
  core.on_tick(at(20ms));
  EXPECT_EQ(count<effect::PersistRoster>(core.drain_effects()), 1U) << "killed now, it has to find b again";
  std::size_t saved = 0;
  for (int i = 0; i < 1000; ++i) {
    const Duration t = 20ms + (i + 1) * 10ms;
    core.on_roster(at(t), {member("m" + std::to_string(i), 7, static_cast<std::uint8_t>(3 + i % 200))});
    core.on_tick(at(t));
    saved += count<effect::PersistRoster>(core.drain_effects());
  }
  EXPECT_GE(saved, 10U);
  EXPECT_LE(saved, 15U) << "10 s of changes";
  core.on_tick(at(12s));
  EXPECT_EQ(count<effect::PersistRoster>(core.drain_effects()), 1U) << "the last change is kept too";
  core.on_roster(at(20s), {member("late", 7, 2)});
  core.on_tick(at(20s));
  EXPECT_EQ(count<effect::PersistRoster>(core.drain_effects()), 1U);
}

TEST(Membership, ATickIsWantedAfterAnInputThatATickHasToDecideOnAndNotOnceItHasEnded) {
  Membership core({.join = {"tcp://10.0.0.2:7400"}}, self(), 1);
  EXPECT_FALSE(core.wants_tick());
  core.start(at(0s));
  EXPECT_FALSE(core.wants_tick());
  core.on_hello_reply(at(1ms), "tcp://10.0.0.2:7400", {.self = member("b", 7, 2), .roster = {member("b", 7, 2)}});
  EXPECT_TRUE(core.wants_tick());
  for (int ticks = 0; core.wants_tick(); ++ticks) {
    ASSERT_LT(ticks, 3) << "it would never sleep";
    core.on_tick(at(1ms));
  }
  EXPECT_NE(core.incarnation(), 0U);
  core.on_receiver_synced(at(2ms), "b");
  EXPECT_TRUE(core.wants_tick());
  core.on_tick(at(2ms));
  EXPECT_TRUE(core.publishing_open());
  EXPECT_FALSE(core.wants_tick());
  core.on_goodbye(at(3ms), "b", 7);
  EXPECT_TRUE(core.wants_tick());
  core.leave(at(3ms));
  EXPECT_FALSE(core.wants_tick()) << "no tick would take it back";
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

TEST(Membership, TheRosterIsToldInPagesThatLeaveNobodyOut) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  std::vector<Member> others;
  for (std::size_t i = 0; i < 2 * limits::roster_page_members + 7; ++i) {
    others.push_back(member("m" + std::to_string(i), 7, static_cast<std::uint8_t>(2 + i % 200)));
  }
  core.on_roster(at(0s), others);
  std::vector<Member> told;
  RosterPage page;
  do {
    page = core.roster_page(told.empty() ? std::string_view() : std::string_view(told.back().name));
    ASSERT_LE(page.members.size(), limits::roster_page_members);
    ASSERT_LE(encode(page).size(), limits::message_bytes_max);
    told.insert(told.end(), page.members.begin(), page.members.end());
  } while (page.more);
  EXPECT_EQ(told, core.roster());
}

TEST(Membership, AFullPageOfTheLongestMembersFitsIntoAMessage) {
  Member longest = member("a", std::numeric_limits<std::int64_t>::max() - 1, 1);
  longest.name = std::string(limits::node_name_bytes_max, 'n');
  const std::string uri = "tcp://" + std::string(288, 'h') + ":65535";
  longest.endpoints = {.control = uri, .lanes = {uri, uri, uri, uri}, .spool = uri};
  longest.roles.assign(limits::roles_max, std::string(limits::role_bytes_max, 'r'));
  longest.version = std::string(64, 'v');
  HelloReply reply{.self = longest, .roster = std::vector(limits::roster_page_members, longest)};
  EXPECT_LE(encode(reply).size() + 64, limits::message_bytes_max);
}

TEST(Membership, OnlyAnAnswerToANewcomerCarriesTheRoster) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  core.on_roster(at(0s), {member("b", 7, 2)});
  const auto to_newcomer = core.on_hello(at(1s), {.self = member("c", 0, 3)});
  EXPECT_EQ(to_newcomer->roster.size(), 2U);
  const auto to_member = core.on_hello(at(1s), {.self = member("c", 9, 3)});
  EXPECT_TRUE(to_member->roster.empty());
  EXPECT_EQ(to_member->roster_hash, core.hash());
}

TEST(Membership, AMemberWhoseHashDiffersInItsAnswerIsAskedForItsRosterAndTheBarrierWaitsForIt) {
  Membership core({.join = {"tcp://10.0.0.2:7400"}}, self(), 1);
  core.start(at(0s));
  core.on_hello_reply(at(0s), "tcp://10.0.0.2:7400", {.self = member("b", 7, 2), .roster = {member("b", 7, 2)}});
  core.on_tick(at(0s));
  core.on_receiver_synced(at(0s), "b");
  core.drain_effects();
  core.on_hello_reply(at(1ms), "tcp://10.0.0.2:7400", {.self = member("b", 7, 2), .roster_hash = core.hash() + 1});
  EXPECT_EQ(count<effect::FetchRoster>(core.drain_effects()), 1U);
  Membership late({.join = {"tcp://10.0.0.2:7400"}}, self(), 1);
  late.start(at(0s));
  late.on_hello_reply(at(0s), "tcp://10.0.0.2:7400", {.self = member("b", 7, 2), .roster = {member("b", 7, 2)}});
  late.on_tick(at(0s));
  late.on_hello_reply(at(1ms), "tcp://10.0.0.2:7400", {.self = member("b", 7, 2), .roster_hash = late.hash() + 1});
  late.on_receiver_synced(at(1ms), "b");
  late.on_tick(at(1ms));
  EXPECT_FALSE(late.publishing_open()) << "it does not know yet for whom to wait";
  late.on_roster(at(2ms), {member("c", 7, 3)}, Membership::RosterPart::Last);
  late.on_tick(at(2ms));
  EXPECT_FALSE(late.publishing_open()) << "c has no sync yet";
  late.on_receiver_synced(at(3ms), "c");
  late.on_tick(at(3ms));
  EXPECT_TRUE(late.publishing_open());
}

TEST(Membership, ARosterOfSeveralPagesIsFetchedAndTheBarrierWaitsForItsEnd) {
  Membership core({.join = {"tcp://10.0.0.2:7400"}}, self(), 1);
  core.start(at(0s));
  const HelloReply first{.self = member("b", 7, 2), .roster = {member("b", 7, 2)}, .more = true};
  core.on_hello_reply(at(0s), "tcp://10.0.0.2:7400", first);
  core.on_hello_reply(at(0s), "tcp://10.0.0.2:7400", first);
  EXPECT_EQ(count<effect::FetchRoster>(core.drain_effects()), 1U);
  core.on_tick(at(0s));
  core.on_receiver_synced(at(0s), "b");
  core.on_tick(at(0s));
  EXPECT_FALSE(core.publishing_open()) << "the rest of the roster may name more";
  core.on_roster(at(1ms), {member("c", 7, 3)}, Membership::RosterPart::More);
  core.on_receiver_synced(at(1ms), "c");
  core.on_tick(at(1ms));
  EXPECT_FALSE(core.publishing_open()) << "that was not the last page";
  core.on_roster(at(2ms), {}, Membership::RosterPart::Last);
  core.on_tick(at(2ms));
  EXPECT_TRUE(core.publishing_open());
}

/// More than the bound are gone before anybody could be asked: the oldest are no longer asked about, the rest are.
TEST(Membership, OriginsThatAreGoneAreAskedAboutUpToABound) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  constexpr std::size_t gone = limits::roster_entries_max + 10;
  for (Incarnation life = 1; life <= gone + 1; ++life) {
    Member b = member("b", life, 2);
    b.boot.bytes[1] = static_cast<std::uint8_t>(life);
    Heartbeat heartbeat;
    heartbeat.self = b;
    core.on_heartbeat(at(0s), heartbeat);
  }
  core.drain_effects();
  std::set<Incarnation> asked;
  for (Duration t = 0s; t < 60s; t += Membership::tick_interval) {
    Heartbeat heartbeat;
    heartbeat.self = member("b", gone + 1, 2);
    heartbeat.self.boot.bytes[1] = static_cast<std::uint8_t>(gone + 1);
    core.on_heartbeat(at(t), heartbeat);
    core.on_tick(at(t));
    for (const MembershipEffect& any : core.drain_effects()) {
      const auto* question = std::get_if<effect::CollectTails>(&any);
      if (question == nullptr) continue;
      for (const Origin& origin : question->origins) EXPECT_TRUE(asked.insert(origin.incarnation).second);
    }
  }
  EXPECT_EQ(asked.size(), limits::roster_entries_max);
  EXPECT_EQ(*asked.begin(), 11U);
  EXPECT_EQ(*asked.rbegin(), gone);
}

/// 40 members cannot all be asked at once; b comes back when the first have been.
TEST(Membership, NobodyIsAskedAnyMoreAboutOneThatIsHeardAgain) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  const auto heard = [&](Duration t, const std::string& name, std::uint8_t host) {
    Heartbeat heartbeat;
    heartbeat.self = member(name, 7, host);
    core.on_heartbeat(at(t), heartbeat);
  };
  const auto questions = [&](Duration t) {
    core.on_tick(at(t));
    return count<effect::CollectTails>(core.drain_effects());
  };
  heard(0s, "b", 2);
  std::size_t asked = 0;
  Duration t = 0s;
  for (; asked == 0; t += Membership::tick_interval) {
    ASSERT_LT(t, 1min) << "b has to die";
    for (std::uint8_t i = 0; t % 1s == 0s && i < 40; ++i) {
      heard(t, "m" + std::to_string(i), static_cast<std::uint8_t>(3 + i));
    }
    asked += questions(t);
  }
  EXPECT_EQ(asked, 16U);
  EXPECT_EQ(core.find("b")->state, MemberState::Dead);
  heard(t, "b", 2);
  for (const Duration end = t + 500ms; t < end; t += Membership::tick_interval) EXPECT_EQ(questions(t), 0U);
}

/// Of a newcomer that heard of a sync of b, and `later` of another life of b.
bool opens_after_sync_and_new_life(Duration later) {
  Membership core({.join = {"tcp://10.0.0.2:7400"}}, self(), 1);
  core.start(at(0s));
  core.on_hello_reply(at(0s), "tcp://10.0.0.2:7400", {.self = member("b", 7, 2), .roster = {member("b", 7, 2)}});
  core.on_tick(at(0s));
  core.on_receiver_synced(at(0s), "b");
  Member successor = member("b", 8, 2);
  successor.boot.bytes[1] = 1;
  core.on_hello(at(later), {.self = successor});
  core.on_tick(at(later));
  return core.publishing_open();
}

TEST(Membership, ASyncCountsForALifeThatIsHeardOfALittleLater) {
  EXPECT_TRUE(opens_after_sync_and_new_life(5ms)) << "its links were faster than its hello";
  EXPECT_FALSE(opens_after_sync_and_new_life(2s)) << "that was the life before";
}

TEST(Membership, EveryMemberIsAskedOnceAboutEachOfManyThatAreGoneAFewAtATime) {
  Membership core({}, self(), 1);
  core.start(at(0s));
  std::vector<Member> others;
  for (int i = 0; i < 150; ++i) {
    others.push_back(member("m" + std::to_string(i), 7, static_cast<std::uint8_t>(2 + i)));
  }
  core.on_roster(at(0s), others);
  core.drain_effects();
  for (int i = 0; i < 50; ++i) core.on_goodbye(at(1s), others[static_cast<std::size_t>(i)].name, 7);
  std::map<std::string, std::multiset<std::string>> asked;
  for (Duration t = 1s; t < 3s; t += Membership::tick_interval) {
    core.on_tick(at(t));
    std::size_t calls = 0;
    for (const MembershipEffect& any : core.drain_effects()) {
      const auto* question = std::get_if<effect::CollectTails>(&any);
      if (question == nullptr) continue;
      ++calls;
      EXPECT_LE(question->origins.size(), limits::tails_origins_max);
      for (const Origin& origin : question->origins) asked[question->address].insert(origin.node);
    }
    EXPECT_LE(calls, 16U);
  }
  EXPECT_EQ(asked.size(), 100U);
  for (const auto& [address, origins] : asked) {
    EXPECT_EQ(origins.size(), 50U) << address;
    EXPECT_EQ(std::set(origins.begin(), origins.end()).size(), 50U) << address;
  }
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
