#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <legion/event/msgpack_reader.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A node that numbers what it accepts and keeps it.
class PublishedTo {
 public:
  explicit PublishedTo(FakeWorld& world) {
    world.nodes["127.0.0.1:7400"].methods["publish"] = [this](BytesView params) -> Result<Bytes> {
      if (fail_from_call != 0 && ++calls_seen >= fail_from_call) return fail(ErrorCode::Unreachable, "connection lost");
      const auto asked = json::parse(data_to_json(params).value());
      sizes.push_back(asked["events"].size());
      last_params = asked;
      json answer = json::array();
      for (const auto& event : asked["events"]) {
        const std::string status = answer_to(event);
        if (status == "queued") events.push_back(event);
        json one{{"status", status}};
        if (status == "queued") one["id"] = "alpha:7:2:" + event["type"].get<std::string>() + ":0:" + std::to_string(events.size());
        if (status == "refused") one["detail"] = "not allowed";
        if (status == "queued" && asked.value("confirm", false)) one["confirmed"] = confirms(event);
        answer.push_back(one);
      }
      return data_from_json(answer.dump());
    };
  }

  std::function<std::string(const json&)> answer_to = [](const json&) { return "queued"; };
  std::function<bool(const json&)> confirms = [](const json&) { return true; };
  json last_params;
  std::vector<json> events;
  std::vector<std::size_t> sizes;
  int fail_from_call = 0;
  int calls_seen = 0;
};

TEST(Publish, OneEventPrintsItsId) {
  FakeWorld world;
  PublishedTo node(world);
  const std::string data = R"({"symbol":"XBT","action":"buy","price":1,"quantity":2})";
  const Ran ran = run(world, {"publish", "TRADE_APPROVED", data, "--key", "XBT", "--priority", "low", "--ttl", "5s"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(ran.out, "published alpha:7:2:trade.approved:0:1\n");
  ASSERT_EQ(node.events.size(), 1u);
  EXPECT_EQ(node.events[0]["type"], "trade.approved");
  EXPECT_EQ(node.events[0]["data"], json::parse(data));
  EXPECT_EQ(node.events[0]["partitionkey"], "XBT");
  EXPECT_EQ(node.events[0]["priority"], "low");
  EXPECT_EQ(node.events[0]["expirytime"], world.time.wall.ns + Duration(5s).count());
}

TEST(Publish, DataMayBeAnyJsonValue) {
  FakeWorld world;
  PublishedTo node(world);
  for (const auto* data : {"[1,2]", "{}", "\"text\"", "null", "[]"}) {
    EXPECT_EQ(run(world, {"publish", "demo.x", data}).code, exit_code::ok) << data;
    EXPECT_EQ(node.events.back()["data"], json::parse(data));
  }
  EXPECT_EQ(run(world, {"publish", "demo.x", "{not json"}).code, exit_code::bad_data);
  const std::size_t before = node.events.size();
  EXPECT_EQ(run(world, {"publish", "demo.x", ""}).code, exit_code::bad_data) << "an unset variable of a script";
  EXPECT_EQ(node.events.size(), before);
  EXPECT_EQ(run(world, {"publish", "demo.x"}).code, exit_code::ok);
}

TEST(Publish, ReadsWhatTailWrites) {
  FakeWorld tail_world;
  tail_world.turns = {[](const ObserverHandler& handler) {
    handler.on_event(make_event("trade.approved", Priority::Critical, R"({"n":1})"));
    handler.on_event(make_event("demo.x", Priority::Low, "[1]"));
  }};
  const std::string lines = run(tail_world, {"tail", "-o", "jsonl", "--duration", "1s"}).out;
  FakeWorld world;
  PublishedTo node(world);
  EXPECT_EQ(run(world, {"publish", "--file", "-"}, lines).code, exit_code::ok);
  ASSERT_EQ(node.events.size(), 2u);
  EXPECT_EQ(node.events[0]["id"], "alpha:7:0:trade.approved:0:1");
  EXPECT_EQ(node.events[1]["priority"], "low");
  EXPECT_EQ(node.events[1]["source"], "alpha/feed");
}

TEST(Publish, ASingleEventHasToBeWhatItsTypeDeclares) {
  FakeWorld world;
  PublishedTo node(world);
  const std::vector<std::string> wrong{"publish", "trade.approved", R"({"symbol":"XBT","action":"buy","price":"1"})"};
  const Ran refused = run(world, wrong);
  EXPECT_EQ(refused.code, exit_code::bad_data);
  EXPECT_THAT(refused.err, HasSubstr("trade.approved (version 1): price: expected a number, found a string"));
  EXPECT_TRUE(node.sizes.empty()) << "no node was asked";

  const auto with = [&](const std::string& mode) {
    auto arguments = wrong;
    arguments.insert(arguments.end(), {"--check", mode});
    return run(world, arguments);
  };
  EXPECT_EQ(with("off").code, exit_code::ok);
  EXPECT_EQ(with("off").err, "");
  const Ran warned = with("warn");
  EXPECT_EQ(warned.code, exit_code::ok);
  EXPECT_THAT(warned.err, HasSubstr("price: expected a number, found a string; published all the same"));
  EXPECT_EQ(with("loud").code, exit_code::usage);
  EXPECT_EQ(node.events.size(), 3u);
}

TEST(Publish, DataIsCheckedAsTheVersionItSaysItIs) {
  FakeWorld world;
  PublishedTo node(world);
  const std::string data = R"({"symbol":"XBT","action":"BUY","price":1,"confidence":0.5})";
  EXPECT_EQ(run(world, {"publish", "signal.generated", data}).code, exit_code::ok);
  const Ran second = run(world, {"publish", "signal.generated", data, "--schema-version", "2"});
  EXPECT_EQ(second.code, exit_code::bad_data);
  EXPECT_THAT(second.err, HasSubstr("signal.generated (version 2): strategy: is missing"));
  EXPECT_EQ(run(world, {"publish", "signal.generated", data, "--schema-version", "3"}).code, exit_code::ok);
  ASSERT_EQ(node.events.size(), 2u);
  EXPECT_EQ(node.events[1]["schemaversion"], 3);
  EXPECT_EQ(run(world, {"publish", "demo.x", data, "--schema-version", "4294967296"}).code, exit_code::usage);
}

TEST(Publish, LinesThatDoNotFitAreWarnedOfUnlessStrict) {
  FakeWorld world;
  PublishedTo node(world);
  std::string lines;
  for (int i = 0; i < 25; ++i) lines += "{\"type\":\"TRADE_EXECUTED\",\"data\":{\"n\":1}}\n";
  const Ran warned = run(world, {"publish", "-"}, lines);
  EXPECT_EQ(warned.code, exit_code::ok);
  EXPECT_EQ(node.events.size(), 25u);
  EXPECT_THAT(warned.err, HasSubstr("standard input:20: trade.executed (version 1): symbol: is missing"));
  EXPECT_THAT(warned.err, Not(HasSubstr("standard input:21: ")));
  EXPECT_THAT(warned.err, HasSubstr("5 further events do not fit their types either"));

  const Ran strict = run(world, {"publish", "-", "--check", "strict"}, "{\"type\":\"demo.x\"}\n" + lines);
  EXPECT_EQ(strict.code, exit_code::partial);
  EXPECT_THAT(strict.err, HasSubstr("standard input:26: refused: invalid: trade.executed (version 1): symbol: is missing"));
  EXPECT_EQ(node.events.size(), 26u);
}

TEST(Publish, NamesTheLinesThatWereRefused) {
  FakeWorld world;
  PublishedTo node(world);
  node.answer_to = [](const json& event) { return event["type"] == "demo.no" ? "refused" : "queued"; };
  const Ran ran = run(world, {"publish", "-"}, "{\"type\":\"demo.x\"}\nbroken\n\n{\"type\":\"demo.no\"}\n{\"type\":\"demo.y\"}\n");
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_EQ(node.events.size(), 2u);
  EXPECT_THAT(ran.err, HasSubstr("standard input:2: refused: invalid: "));
  EXPECT_THAT(ran.err, HasSubstr("standard input:4: refused: not allowed"));
  EXPECT_THAT(ran.err, HasSubstr("2 published, 2 not"));
}

TEST(Publish, ResultsComeInTheOrderOfTheLines) {
  FakeWorld world;
  PublishedTo node(world);
  const Ran ran = run(world, {"publish", "-", "-o", "jsonl"}, "{\"type\":\"demo.x\"}\nbroken\n{\"type\":\"demo.y\"}\n");
  std::vector<std::string> seen;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) {
    const auto result = json::parse(line);
    seen.push_back(std::to_string(result["line"].get<int>()) + " " + result["status"].get<std::string>());
  }
  EXPECT_THAT(seen, ElementsAre("1 queued", "2 invalid", "3 queued"));
}

TEST(Publish, ExitCodesTellWhyNothingWasAccepted) {
  FakeWorld world;
  PublishedTo node(world);
  EXPECT_EQ(run(world, {"publish", "-"}, "broken\n{\"n\":1}\n").code, exit_code::bad_data);
  node.answer_to = [](const json&) { return "refused"; };
  EXPECT_EQ(run(world, {"publish", "demo.x"}).code, exit_code::failed);
  EXPECT_EQ(run(world, {"publish", "-"}, "").code, exit_code::ok);
}

TEST(Publish, LargeStreamsGoOutInBoundedCalls) {
  FakeWorld world;
  PublishedTo node(world);
  std::string lines;
  for (int i = 0; i < 1200; ++i) lines += "{\"type\":\"demo.x\",\"data\":" + std::to_string(i) + "}\n";
  EXPECT_EQ(run(world, {"publish", "--file", "-"}, lines).code, exit_code::ok);
  EXPECT_THAT(node.sizes, ElementsAre(500u, 500u, 200u));
  for (int i = 0; i < 1200; ++i) ASSERT_EQ(node.events[static_cast<std::size_t>(i)]["data"], i);
}

TEST(Publish, CallsStayBelowTheSizeOfAMessage) {
  FakeWorld world;
  PublishedTo node(world);
  const std::string text(300 * 1024, 'x');
  std::string lines;
  for (int i = 0; i < 5; ++i) lines += "{\"type\":\"demo.x\",\"data\":\"" + text + "\"}\n";
  EXPECT_EQ(run(world, {"publish", "--file", "-"}, lines).code, exit_code::ok);
  EXPECT_THAT(node.sizes, ElementsAre(2u, 2u, 1u));
}

TEST(Publish, AFullQueueIsAskedAgainInOrder) {
  FakeWorld world;
  PublishedTo node(world);
  int room = 1;
  node.answer_to = [&](const json&) { return room-- > 0 ? "queued" : "would_block"; };
  std::string lines;
  for (int i = 0; i < 3; ++i) lines += "{\"type\":\"demo.x\",\"data\":" + std::to_string(i) + "}\n";
  world.interrupt_after_waits = 0;
  // Every wait makes room for one more.
  struct Refilling : FakeWorld {
    int* room = nullptr;
    void wait(Duration duration) override {
      FakeWorld::wait(duration);
      *room = 1;
    }
  } refilling;
  refilling.room = &room;
  refilling.nodes = world.nodes;
  EXPECT_EQ(run(refilling, {"publish", "--file", "-"}, lines).code, exit_code::ok);
  ASSERT_EQ(node.events.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(node.events[static_cast<std::size_t>(i)]["data"], i);
  EXPECT_EQ(refilling.waits.size(), 2u);
}

TEST(Publish, AQueueThatStaysFullIsGivenUpAfterTheTimeout) {
  FakeWorld world;
  PublishedTo node(world);
  node.answer_to = [](const json&) { return "would_block"; };
  const Ran ran = run(world, {"publish", "demo.x", "--timeout", "2s"});
  EXPECT_EQ(ran.code, exit_code::timed_out);
  EXPECT_THAT(ran.err, HasSubstr("would_block"));
  EXPECT_GE(world.time.steady.ns, Duration(2s).count());
  EXPECT_LT(world.time.steady.ns, Duration(3s).count());
}

TEST(Publish, AQueueThatDrainsSlowlyIsNotGivenUp) {
  struct Refilling : FakeWorld {
    int room = 1;
    void wait(Duration duration) override {
      FakeWorld::wait(duration);
      if (waits.size() % 4 == 0) room = 1;
    }
  } world;
  PublishedTo node(world);
  node.answer_to = [&](const json&) { return world.room-- > 0 ? "queued" : "would_block"; };
  EXPECT_EQ(run(world, {"publish", "demo.x", "1", "--count", "100", "--timeout", "200ms"}).code, exit_code::ok);
  EXPECT_EQ(node.events.size(), 100u);
  EXPECT_GT(world.time.steady.ns, Duration(2s).count());
}

TEST(Publish, AnEventNoCallHasRoomForIsRefusedByItsLine) {
  FakeWorld world;
  PublishedTo node(world);
  const std::string large = "\"" + std::string(1'100'000, 'x') + "\"";
  const Ran ran = run(world, {"publish", "demo.x", "-", "-o", "csv"}, "1\n" + large + "\n3\n");
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_THAT(ran.out, HasSubstr("\n2,too_big,,"));
  EXPECT_LT(ran.out.find("1,queued"), ran.out.find("2,too_big"));
  ASSERT_EQ(node.events.size(), 2u);
  EXPECT_EQ(node.events[1]["data"], 3);
  EXPECT_EQ(run(world, {"publish", "demo.x", large}).code, exit_code::bad_data);
}

TEST(Publish, ANodeThatShutsDownEndsTheStreamWithOneError) {
  FakeWorld world;
  PublishedTo node(world);
  node.answer_to = [&](const json&) { return node.events.size() < 2 ? "queued" : "closed"; };
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "{\"type\":\"demo.x\"}\n";
  const Ran ran = run(world, {"publish", "--file", "-"}, lines);
  EXPECT_EQ(ran.code, exit_code::unreachable);
  EXPECT_EQ(node.sizes.size(), 1u);
  EXPECT_THAT(ran.err, HasSubstr("shutting down"));
  EXPECT_THAT(ran.err, HasSubstr("from line 3 on nothing is known to be published"));
  EXPECT_LE(std::ranges::count(ran.err, '\n'), 3) << ran.err;
}

TEST(Publish, CopiesOfAnEventThatIsRefusedAreNotTried) {
  FakeWorld world;
  PublishedTo node(world);
  node.answer_to = [](const json&) { return "refused"; };
  const Ran ran = run(world, {"publish", "demo.x", "1", "--count", "1000000"});
  EXPECT_EQ(ran.code, exit_code::failed);
  EXPECT_THAT(node.sizes, ElementsAre(1u));
}

TEST(Publish, CountAndRatePaceRepeatedEvents) {
  FakeWorld world;
  PublishedTo node(world);
  EXPECT_EQ(run(world, {"publish", "demo.x", "1", "--count", "100", "--rate", "10"}).code, exit_code::ok);
  EXPECT_EQ(node.events.size(), 100u);
  EXPECT_EQ(world.time.steady.ns, Duration(9900ms).count());
}

TEST(Publish, ALostConnectionNamesTheFirstLineThatIsNotKnownToBePublished) {
  FakeWorld world;
  PublishedTo node(world);
  node.fail_from_call = 2;
  std::string lines;
  for (int i = 0; i < 700; ++i) lines += "{\"type\":\"demo.x\"}\n";
  const Ran ran = run(world, {"publish", "--file", "-"}, lines);
  EXPECT_EQ(ran.code, exit_code::unreachable);
  EXPECT_THAT(ran.err, HasSubstr("from line 501 on nothing is known to be published"));
}

TEST(Publish, AFileThatCannotBeReadIsBadDataAndNamed) {
  FakeWorld world;
  PublishedTo node(world);
  const Ran missing = run(world, {"publish", "--file", "/nonexistent/x.jsonl"});
  EXPECT_EQ(missing.code, exit_code::bad_data);
  EXPECT_THAT(missing.err, HasSubstr("/nonexistent/x.jsonl: cannot be read: No such file or directory"));
  const Ran folder = run(world, {"publish", "--file", "/"});
  EXPECT_EQ(folder.code, exit_code::bad_data);
  EXPECT_THAT(folder.err, HasSubstr("/: cannot be read: Is a directory"));
  // Opens, and then fails to read: address 0 of the own memory.
  const Ran damaged = run(world, {"publish", "--file", "/proc/self/mem"});
  EXPECT_EQ(damaged.code, exit_code::bad_data);
  EXPECT_THAT(damaged.err, HasSubstr("/proc/self/mem: cannot be read: Input/output error"));
  EXPECT_TRUE(node.events.empty());
}

TEST(Publish, AsksForConfirmsAndSaysWhatIsConfirmed) {
  FakeWorld world;
  PublishedTo node(world);
  const Ran one = run(world, {"publish", "demo.x", "1", "--confirm", "--timeout", "2s"});
  EXPECT_EQ(one.code, exit_code::ok);
  EXPECT_EQ(one.out, "confirmed alpha:7:2:demo.x:0:1\n");
  EXPECT_EQ(node.last_params["confirm"], true);
  EXPECT_EQ(node.last_params["timeout_ms"], 2000);
  const auto result = json::parse(run(world, {"publish", "demo.x", "--confirm", "-o", "jsonl"}).out);
  EXPECT_EQ(result["confirmed"], true);
  EXPECT_TRUE(run(world, {"publish", "demo.x", "--confirm", "-o", "csv"}).out.ends_with(",,true\n"));
  run(world, {"publish", "demo.x"});
  EXPECT_FALSE(node.last_params.contains("confirm"));
}

TEST(Publish, WhatIsQueuedAndNotConfirmedInTimeIsNamed) {
  FakeWorld world;
  PublishedTo node(world);
  node.confirms = [](const json& event) { return event["data"] != 2; };
  const Ran ran = run(world, {"publish", "demo.x", "-", "--confirm"}, "1\n2\n3\n");
  EXPECT_EQ(ran.code, exit_code::timed_out);
  EXPECT_EQ(ran.out, "confirmed alpha:7:2:demo.x:0:1\nconfirmed alpha:7:2:demo.x:0:3\n");
  EXPECT_THAT(ran.err, HasSubstr("alpha:7:2:demo.x:0:2: queued, not confirmed in time"));
  EXPECT_THAT(ran.err, HasSubstr("3 published, 0 not, 1 of them not confirmed in time"));
}

TEST(Publish, WithoutAnAnswerNothingIsKnownOfTheLastEvents) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].methods["publish"] = [](BytesView) { return fail(ErrorCode::TimedOut, "no answer"); };
  const Ran ran = run(world, {"publish", "demo.x", "-", "--confirm", "--timeout", "3s"}, "1\n2\n");
  EXPECT_EQ(ran.code, exit_code::timed_out);
  EXPECT_THAT(ran.err, HasSubstr("no confirm came within 3s"));
  EXPECT_THAT(ran.err, HasSubstr("from line 1 on nothing is known to be published"));
}

TEST(Publish, RefusesWhatCannotBeMeant) {
  FakeWorld world;
  EXPECT_EQ(run(world, {"publish"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"publish", "demo.x", "--file", "x.jsonl"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"publish", "Bad Type"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"publish", "-", "--count", "2"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"publish", "demo.x", "--priority", "urgent"}).code, exit_code::usage);
}

}  // namespace
}  // namespace legion::cli
