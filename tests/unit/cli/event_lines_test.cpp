#include <gtest/gtest.h>

#include <legion/cli/event_lines.hpp>
#include <legion/cli/publisher.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

TEST(EventLines, WithoutATypeALineIsACloudEvent) {
  const auto event = read_event_line(R"({"type":"demo.x","data":{"n":1}})", "", {}).value();
  EXPECT_EQ(event.event.type, "demo.x");
  EXPECT_EQ(data_to_json(event.event.data).value(), R"({"n":1})");
  EXPECT_FALSE(read_event_line(R"({"n":1})", "", {}));
  EXPECT_FALSE(read_event_line("not json", "", {}));
}

TEST(EventLines, WithATypeALineIsDataUnlessItIsACloudEvent) {
  EXPECT_EQ(read_event_line(R"({"n":1})", "demo.y", {}).value().event.type, "demo.y");
  EXPECT_EQ(read_event_line("[1,2]", "demo.y", {}).value().event.type, "demo.y");
  EXPECT_EQ(read_event_line(R"({"type":"limit","price":3})", "demo.y", {}).value().event.type, "demo.y");
  EXPECT_EQ(read_event_line(R"({"type":"demo.x","data":1})", "demo.y", {}).value().event.type, "demo.x");
  EXPECT_FALSE(read_event_line(R"({"specversion":"1.0","data":1})", "demo.y", {}));
}

TEST(EventLines, TheCommandLineWins) {
  EventChanges changes;
  changes.priority = Priority::High;
  changes.key = "K";
  changes.source = "ops/me";
  const auto event =
      read_event_line(R"({"type":"demo.x","priority":"low","partitionkey":"L","correlationid":"C"})", "", changes).value();
  EXPECT_EQ(event.event.priority, Priority::High);
  EXPECT_EQ(event.event.key, "K");
  EXPECT_EQ(event.event.source, "ops/me");
  EXPECT_EQ(event.event.correlation_id, "C");
}

TEST(EncodeForPublish, KeepsEveryMemberThatTheEventHas) {
  const std::string line =
      R"({"specversion":"1.0","id":"their-id","type":"demo.x","source":"a/b","time":"2025-11-10T17:23:53.25Z",)"
      R"("priority":"low","correlationid":"C","causationid":"D","traceparent":"tp","tracestate":"ts","partitionkey":"K",)"
      R"("expirytime":"2025-11-10T17:24:53Z","schemaversion":3,"color":"red","data":{"n":[1,2.5,null]}})";
  const auto event = read_event_line(line, "", {}).value();
  const auto back = from_cloudevent_msgpack(encode_for_publish(event)).value();
  EXPECT_TRUE(back.has_time && back.has_source && back.has_priority);
  EXPECT_EQ(back.event.type, event.event.type);
  EXPECT_EQ(back.event.source, "a/b");
  EXPECT_EQ(back.event.time, event.event.time);
  EXPECT_EQ(back.event.priority, Priority::Low);
  EXPECT_EQ(back.event.correlation_id, "C");
  EXPECT_EQ(back.event.causation_id, "D");
  EXPECT_EQ(back.event.traceparent, "tp");
  EXPECT_EQ(back.event.tracestate, "ts");
  EXPECT_EQ(back.event.key, "K");
  EXPECT_EQ(back.event.expires_at, event.event.expires_at);
  EXPECT_EQ(back.event.schema_version, 3u);
  EXPECT_EQ(back.event.foreign_id, "their-id");
  EXPECT_EQ(back.event.extensions, event.event.extensions);
  EXPECT_EQ(back.event.data, event.event.data);
}

TEST(EncodeForPublish, LeavesToTheNodeWhatTheEventDoesNotSay) {
  const auto back = from_cloudevent_msgpack(encode_for_publish(event_of("demo.x", "", {}).value())).value();
  EXPECT_FALSE(back.has_time || back.has_source || back.has_priority);
}

}  // namespace
}  // namespace legion::cli
