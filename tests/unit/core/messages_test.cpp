#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <legion/base/rng.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

Member some_member(const std::string& name, Incarnation incarnation = 7) {
  Member member;
  member.name = name;
  member.incarnation = incarnation;
  member.boot.bytes.fill(0xab);
  member.endpoints.control = "tcp://10.0.0.1:7400";
  for (std::size_t lane = 0; lane < 4; ++lane) {
    member.endpoints.lanes[lane] = "tcp://10.0.0.1:" + std::to_string(7401 + lane);
  }
  member.roles = {"spool", "gate"};
  member.version = "0.1.0";
  member.state = MemberState::Suspect;
  return member;
}

HelloReply some_reply() {
  HelloReply reply;
  reply.self = some_member("b");
  reply.self.endpoints.spool = "tcp://[::1]:7405";
  reply.highest_incarnation = 1'800'000'000'000'000'000;
  reply.name_taken = true;
  reply.roster = {some_member("a"), reply.self};
  return reply;
}

Heartbeat some_heartbeat() {
  Heartbeat heartbeat;
  heartbeat.self = some_member("a");
  heartbeat.leaving = true;
  heartbeat.roster_hash = 0xfedcba9876543210;
  heartbeat.policy_hash = "c0ffee";
  heartbeat.interval = 1s;
  heartbeat.agents = {{"risk", "running"}, {"feed", "restarting"}};
  heartbeat.lane_depth = {1, 2, 3, 1'000'000};
  heartbeat.lost = {{"link", 5}, {"overflow", 0}};
  heartbeat.degraded = true;
  heartbeat.spool = StoreMark{StoreId{{9, 8, 7}}, 1ull << 40, true};
  return heartbeat;
}

SyncTopic some_topic() { return {.origin = "a", .receiver = "b", .nonce = 0x1f}; }

SyncPart some_part() {
  return {.origin = {"a", 7},
          .lane = Priority::Low,
          .part = 3,
          .last = true,
          .tails = {{"trade.approved", 0, 12}, {"~record", 255, 1}}};
}

TEST(Messages, AHelloSurvivesTheWire) {
  HelloRequest request{.version_min = 1, .version_max = 3, .observer = false, .self = some_member("a", 0)};
  const auto decoded = decode_hello_request(encode(request));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->self, request.self);
  EXPECT_EQ(decoded->version_min, 1);
  EXPECT_EQ(decoded->version_max, 3);
  EXPECT_FALSE(decoded->observer);
}

TEST(Messages, AnObserverSendsOnlyItsNameAndBootId) {
  HelloRequest request;
  request.observer = true;
  request.self.name = "~0a";
  request.self.boot.bytes.fill(3);
  const auto decoded = decode_hello_request(encode(request));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(decoded->observer);
  EXPECT_EQ(decoded->self.boot, request.self.boot);
}

TEST(Messages, AHelloReplySurvivesTheWire) {
  HelloReply reply = some_reply();
  reply.roster_hash = 0xfedcba9876543210;
  reply.more = true;
  const auto decoded = decode_hello_reply(encode(reply));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->self, reply.self);
  EXPECT_EQ(decoded->roster, reply.roster);
  EXPECT_EQ(decoded->roster_hash, reply.roster_hash);
  EXPECT_TRUE(decoded->more);
  EXPECT_EQ(decoded->highest_incarnation, reply.highest_incarnation);
  EXPECT_TRUE(decoded->name_taken);
}

TEST(Messages, AHeartbeatSurvivesTheWire) {
  const Heartbeat heartbeat = some_heartbeat();
  const auto decoded = decode_heartbeat(encode(heartbeat));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->self, heartbeat.self);
  EXPECT_TRUE(decoded->leaving);
  EXPECT_EQ(decoded->roster_hash, heartbeat.roster_hash);
  EXPECT_EQ(decoded->policy_hash, heartbeat.policy_hash);
  EXPECT_EQ(decoded->interval, heartbeat.interval);
  EXPECT_EQ(decoded->agents, heartbeat.agents);
  EXPECT_EQ(decoded->lane_depth, heartbeat.lane_depth);
  EXPECT_EQ(decoded->lost, heartbeat.lost);
  EXPECT_TRUE(decoded->degraded);
  EXPECT_EQ(decoded->spool, heartbeat.spool);
}

TEST(Messages, ASyncPartSurvivesTheWire) {
  const auto decoded = decode_sync_part(encode_sync_part(some_topic(), some_part()));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->topic, some_topic());
  EXPECT_EQ(decoded->part.origin, some_part().origin);
  EXPECT_EQ(decoded->part.lane, Priority::Low);
  EXPECT_EQ(decoded->part.part, 3U);
  EXPECT_TRUE(decoded->part.last);
  EXPECT_EQ(decoded->part.tails, some_part().tails);
}

TEST(Messages, ASyncPartOfAnotherOriginThanItsTopicNamesIsRefused) {
  SyncTopic topic = some_topic();
  topic.origin = "other";
  EXPECT_EQ(decode_sync_part(encode_sync_part(topic, some_part())).error().code, ErrorCode::BadData);
}

TEST(Messages, TailsSurviveTheWireAndAreChecked) {
  const std::vector<Tail> tails{{"a.b", 1, 2}, {"~replay.a.b", 0, 9}};
  EXPECT_EQ(decode_tails(encode(tails)).value(), tails);
  EXPECT_FALSE(decode_tails(encode(std::vector<Tail>{{"A", 0, 1}})));
  EXPECT_FALSE(decode_tails(encode(std::vector<Tail>{{"a", 0, 0}})));
}

TEST(Messages, SyncTopicsAreParsedStrictly) {
  EXPECT_EQ(some_topic().to_string(), "~sync.a.b.000000000000001f");
  EXPECT_EQ(SyncTopic::parse(some_topic().to_string()).value(), some_topic());
  EXPECT_TRUE(SyncTopic::parse("~sync.a.~00ff.ffffffffffffffff"));
  for (const char* wrong : {"", "~sync.", "~sync.a.b", "~sync.a.b.1f", "~sync.A.b.000000000000001f",
                            "~sync.a.~.000000000000001f", "~sync.a.~xy.000000000000001f",
                            "~sync.a.b.00000000000000001f", "~sync.a.b.000000000000001F", "sync.a.b.000000000000001f",
                            "~sync.a.b.c.000000000000001f", "~sync..b.000000000000001f"}) {
    EXPECT_FALSE(SyncTopic::parse(wrong)) << wrong;
  }
}

TEST(Messages, RpcMessagesSurviveTheWire) {
  const RpcRequest request{.id = 77, .method = "roster", .params = {0xc0}};
  const auto read = decode_rpc_request(encode(request));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->id, 77U);
  EXPECT_EQ(read->method, "roster");
  EXPECT_EQ(read->params, request.params);

  RpcReply reply;
  reply.id = 78;
  reply.result = {0x93, 1, 2, 3};
  const auto good = decode_rpc_reply(encode(reply));
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->result, reply.result);
  EXPECT_TRUE(good->error_code.empty());

  reply.error_code = "refused";
  reply.error_message = "no";
  const auto failed = decode_rpc_reply(encode(reply));
  ASSERT_TRUE(failed) << failed.error().message;
  EXPECT_EQ(failed->error_code, "refused");
  EXPECT_EQ(failed->error_message, "no");
  EXPECT_EQ(failed->result, Bytes{0xc0});
}

TEST(Messages, RequestsAndRepliesAreNotTakenForEachOther) {
  EXPECT_FALSE(decode_rpc_reply(encode(RpcRequest{.id = 1, .method = "m", .params = {}})));
  EXPECT_FALSE(decode_rpc_request(encode(RpcReply{})));
}

TEST(Messages, NotificationsSurviveTheWireAndAreToldFromRequests) {
  const Bytes bytes = encode(RpcNotification{.method = "agent.ack", .params = {0x92, 7, 1}});
  const auto read = decode_rpc_notification(bytes);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->method, "agent.ack");
  EXPECT_EQ(read->params, (Bytes{0x92, 7, 1}));
  EXPECT_TRUE(is_rpc_notification(bytes));
  const Bytes request = encode(RpcRequest{.id = 1, .method = "m", .params = {}});
  EXPECT_FALSE(is_rpc_notification(request));
  EXPECT_FALSE(decode_rpc_notification(request));
  EXPECT_FALSE(is_rpc_notification({}));
}

TEST(Messages, WrongNamesAndAddressesOfMembersAreRefusedNamingTheKey) {
  struct Case {
    const char* key;
    void (*spoil)(Member&);
  };
  for (const Case& wrong : {
           Case{"name", [](Member& member) { member.name = "No Name"; }},
           Case{"name", [](Member& member) { member.name.clear(); }},
           Case{"inc", [](Member& member) { member.incarnation = 0; }},
           Case{"inc", [](Member& member) { member.incarnation = ~std::uint64_t{0}; }},
           Case{"control", [](Member& member) { member.endpoints.control = "http://10.0.0.1:7400"; }},
           Case{"control", [](Member& member) { member.endpoints.control = "tcp://*:7400"; }},
           Case{"control", [](Member& member) { member.endpoints.control = "tcp://10.0.0.1:0"; }},
           Case{"control", [](Member& member) { member.endpoints.control.clear(); }},
           Case{"lanes", [](Member& member) { member.endpoints.lanes[3] = "10.0.0.1:1"; }},
           Case{"spool", [](Member& member) { member.endpoints.spool = "tcp://a b:1"; }},
       }) {
    Member member = some_member("a");
    wrong.spoil(member);
    const auto decoded = decode_roster(encode(std::vector{some_member("b"), member}));
    ASSERT_FALSE(decoded) << wrong.key;
    EXPECT_EQ(decoded.error().code, ErrorCode::BadData);
    EXPECT_NE(decoded.error().message.find(wrong.key), std::string::npos) << decoded.error().message;
  }
}

TEST(Messages, UnknownKeysAreSkipped) {
  MsgpackWriter out;
  out.map(4);
  out.str("future");
  out.array(2);
  out.nil();
  out.str("x");
  out.str("vmin");
  out.uint(1);
  out.str("vmax");
  out.uint(2);
  const Bytes whole = encode(HelloRequest{.self = some_member("a")});
  const std::string key = "self";
  const auto self = std::search(whole.begin(), whole.end(), key.begin(), key.end());
  ASSERT_NE(self, whole.end());
  out.str("self");
  out.raw(BytesView(whole).subspan(static_cast<std::size_t>(self - whole.begin()) + key.size()));
  const auto decoded = decode_hello_request(out.take());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->version_max, 2);
}

TEST(Messages, MissingKeysAndTrailingBytesAreRefused) {
  for (const Bytes& bytes : {Bytes{0x80}, Bytes{}, Bytes{0xc0}}) {
    EXPECT_FALSE(decode_hello_request(bytes));
    EXPECT_FALSE(decode_hello_reply(bytes));
    EXPECT_FALSE(decode_heartbeat(bytes));
  }
  Bytes longer = encode(some_heartbeat());
  longer.push_back(0xc0);
  EXPECT_FALSE(decode_heartbeat(longer));
}

TEST(Messages, ARosterBeyondTheBoundIsRefused) {
  MsgpackWriter out;
  out.array(limits::roster_entries_max + 1);
  for (std::size_t i = 0; i <= limits::roster_entries_max; ++i) out.nil();
  const auto decoded = decode_roster(out.take());
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().message.find("4096"), std::string::npos) << decoded.error().message;
}

/// Every message cut short or with bytes changed decodes or is refused, and never anything else.
TEST(Messages, DamagedMessagesNeverCrash) {
  const char* given = std::getenv("LEGION_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 42;
  std::printf("LEGION_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Rng rng(seed);
  const auto decode_all = [](BytesView bytes) {
    (void)decode_hello_request(bytes);
    (void)decode_hello_reply(bytes);
    (void)decode_roster_page(bytes);
    (void)decode_heartbeat(bytes);
    (void)decode_roster(bytes);
    (void)decode_tails(bytes);
    (void)decode_sync_part(bytes);
    (void)decode_rpc_request(bytes);
    (void)decode_rpc_reply(bytes);
  };
  const std::vector<Bytes> originals{encode(HelloRequest{.self = some_member("a")}), encode(some_reply()),
                                     encode(some_heartbeat()), encode_sync_part(some_topic(), some_part()),
                                     encode(RpcRequest{.id = 1, .method = "hello", .params = {0x80}}),
                                     encode(std::vector<Tail>{{"a", 0, 1}})};
  for (const Bytes& original : originals) {
    for (std::size_t length = 0; length < original.size(); ++length) decode_all(BytesView(original).first(length));
    for (int i = 0; i < 2000; ++i) {
      Bytes damaged = original;
      for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
        damaged[rng.below(damaged.size())] = static_cast<std::uint8_t>(rng.below(256));
      }
      decode_all(damaged);
    }
  }
}

TEST(Messages, ARosterPageSurvivesTheWire) {
  const RosterPage page{.members = {some_member("a"), some_member("b")}, .more = true};
  const auto decoded = decode_roster_page(encode(page));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->members, page.members);
  EXPECT_TRUE(decoded->more);
  EXPECT_FALSE(decode_roster_page(encode(RosterPage{.members = {}, .more = true}))) << "there is nothing to go on from";
}

/// Nodes compare these numbers: a value that changes here is a change of the protocol.
TEST(RosterHash, IsTheDocumentedOne) {
  Member member;
  member.name = "node-1";
  member.incarnation = 0x0102030405060708;
  member.endpoints.control = "tcp://10.0.0.1:7400";
  for (std::size_t lane = 0; lane < 4; ++lane) {
    member.endpoints.lanes[lane] = "tcp://10.0.0.1:" + std::to_string(7401 + lane);
  }
  EXPECT_EQ(member_hash(member), 0x238ca9c9b27343daU);
  EXPECT_EQ(roster_hash({member, member}), 2 * member_hash(member));
  EXPECT_EQ(roster_hash({}), 0U);
}

TEST(RosterHash, DependsOnNameIncarnationAndEndpointsOfThoseThatHaveNotLeft) {
  const std::vector<Member> roster{some_member("a"), some_member("b")};
  const std::uint64_t hash = roster_hash(roster);
  EXPECT_EQ(roster_hash({some_member("b"), some_member("a")}), hash);
  auto changed = roster;
  changed[0].state = MemberState::Dead;
  changed[1].roles.clear();
  EXPECT_EQ(roster_hash(changed), hash);
  changed[0].incarnation = 8;
  EXPECT_NE(roster_hash(changed), hash);
  changed = roster;
  changed[1].endpoints.lanes[2] = "tcp://10.0.0.2:1";
  EXPECT_NE(roster_hash(changed), hash);
  changed = roster;
  changed[1].state = MemberState::Left;
  EXPECT_EQ(roster_hash(changed), roster_hash({some_member("a")}));
}

TEST(Messages, AHeartbeatOfANodeThatIsNoSpoolSaysNothingOfOne) {
  Heartbeat heartbeat;
  heartbeat.self = some_member("a");
  const Bytes bytes = encode(heartbeat);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(text.find("degraded"), std::string_view::npos);

  const auto decoded = decode_heartbeat(bytes);

  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_FALSE(decoded->degraded);
  EXPECT_FALSE(decoded->spool.has_value());
}

/// A heartbeat whose map has one more entry, `spool`, with the value that `write` writes.
Bytes heartbeat_with_spool(const std::function<void(MsgpackWriter&)>& write) {
  Heartbeat heartbeat;
  heartbeat.self = some_member("a");
  Bytes bytes = encode(heartbeat);
  ++bytes[0];  // a fixmap of 8
  MsgpackWriter out(std::move(bytes));
  out.str("spool");
  write(out);
  return out.take();
}

TEST(Messages, ASpoolsMarkIsReadWithCareAndMayGrow) {
  const auto without_store = decode_heartbeat(heartbeat_with_spool([](MsgpackWriter& out) {
    out.map(1);
    out.str("mark");
    out.uint(1);
  }));
  ASSERT_FALSE(without_store.has_value());
  EXPECT_EQ(without_store.error().message, "spool: store: missing");

  const auto short_store = decode_heartbeat(heartbeat_with_spool([](MsgpackWriter& out) {
    out.map(1);
    out.str("store");
    out.bin(Bytes(15));
  }));
  ASSERT_FALSE(short_store.has_value());
  EXPECT_EQ(short_store.error().message, "spool: store: not 16 bytes");

  const auto later = decode_heartbeat(heartbeat_with_spool([](MsgpackWriter& out) {
    out.map(3);
    out.str("store");
    out.bin(Bytes(16, 5));
    out.str("of a later version");
    out.array(0);
    out.str("mark");
    out.uint(7);
  }));
  ASSERT_TRUE(later.has_value()) << later.error().message;
  ASSERT_TRUE(later->spool.has_value());
  EXPECT_EQ(later->spool->mark, 7u);
  EXPECT_EQ(later->spool->store.bytes[15], 5);
  EXPECT_FALSE(later->spool->frozen);
}

TEST(Messages, WhatOnlyInformsIsCutInsteadOfCostingTheHeartbeat) {
  Heartbeat heartbeat;
  heartbeat.self = some_member("a");
  heartbeat.self.roles.assign(40, std::string(200, 'r'));
  heartbeat.self.version = std::string(500, 'v');
  heartbeat.agents = {{std::string(300, 'n'), std::string(5000, 's')}, {"bytes", "\xff\xfe"}};

  const auto decoded = decode_heartbeat(encode(heartbeat));

  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->self.roles.size(), limits::roles_max);
  EXPECT_EQ(decoded->self.roles[0].size(), limits::role_bytes_max);
  EXPECT_EQ(decoded->self.version.size(), 64u);
  EXPECT_EQ(decoded->agents[0].second.size(), limits::agent_state_bytes_max);
  EXPECT_EQ(decoded->agents[1].second, "?");
}

}  // namespace
}  // namespace legion
