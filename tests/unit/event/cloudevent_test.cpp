#include <legion/event/json.hpp>

#include <algorithm>

#include <gtest/gtest.h>

#include "samples.hpp"

namespace legion {
namespace {

using namespace samples;

EventPtr numbered(const Event& event) {
  const auto frame = Frame::decode(frame_of({event}));
  EXPECT_TRUE(frame);
  return Frame::event_ptr(*frame, 0);
}

IncomingEvent read(std::string_view json) {
  const auto event = from_cloudevent_json(json);
  EXPECT_TRUE(event) << json << ": " << event.error().message;
  return event.value_or(IncomingEvent{});
}

std::string complaint(std::string_view json) {
  const auto event = from_cloudevent_json(json);
  EXPECT_FALSE(event) << json;
  return event ? "" : event.error().message;
}

TEST(CloudEventJson, APlainEventHasTheMandatoryMembers) {
  EXPECT_EQ(
      to_cloudevent_json(*numbered(plain_event())),
      R"({"specversion":"1.0","id":"node-1:72623859790382856:0:trade.approved:0:42","source":"node-1/risk",)"
      R"("type":"trade.approved","time":"2025-11-10T17:23:53.971744500Z","priority":"critical",)"
      R"("correlationid":"node-1:72623859790382856:0:trade.approved:0:42","sequence":"42","data":{"price":1.5}})");
}

TEST(CloudEventJson, EveryAttributeHasItsMember) {
  const DeliveryAttributes delivery{7, 2};
  EXPECT_EQ(to_cloudevent_json(*numbered(full_event()), &delivery),
            R"({"specversion":"1.0","id":"node-1:72623859790382856:0:trade.approved:0:42","source":"node-1/risk",)"
            R"("type":"trade.approved","time":"2025-11-10T17:23:53.971744500Z","priority":"critical",)"
            R"("correlationid":"c1","causationid":"c2","traceparent":"tp","tracestate":"ts","partitionkey":"BTC",)"
            R"("expirytime":"2025-11-10T17:23:53.971744767Z","sequence":"42","schemaversion":2,"foreignid":"f1",)"
            R"("replayof":"o1","dataschema":"x","subject":"s","delivery":7,"attempt":2,"data":{"price":1.5}})");
}

TEST(CloudEventJson, OurOwnOutputCanBePublishedAgain) {
  const DeliveryAttributes delivery{7, 2};
  const EventPtr event = numbered(full_event());
  const IncomingEvent incoming = read(*to_cloudevent_json(*event, &delivery));
  Event expected = full_event();
  expected.foreign_id = event->id_string();
  EXPECT_TRUE(same(incoming.event, expected));
  EXPECT_TRUE(incoming.has_priority);
  EXPECT_TRUE(incoming.has_time);
  EXPECT_TRUE(incoming.has_source);
}

TEST(CloudEventJson, OnlyTheTypeIsRequired) {
  const IncomingEvent incoming = read(R"({"type":"trade.approved"})");
  EXPECT_EQ(incoming.event.type, "trade.approved");
  EXPECT_EQ(incoming.event.priority, Priority::Critical);
  EXPECT_FALSE(incoming.has_priority);
  EXPECT_FALSE(incoming.has_time);
  EXPECT_FALSE(incoming.has_source);
  EXPECT_TRUE(incoming.event.data.empty());
  EXPECT_EQ(incoming.event.schema_version, 1u);
  EXPECT_EQ(read(R"({"type":"weather.report"})").event.priority, Priority::Normal);
  EXPECT_NE(complaint("{}").find("'type'"), std::string::npos);
}

TEST(CloudEventJson, CatalogNamesBecomeTypes) { EXPECT_EQ(read(R"({"type":"RISK_ALERT"})").event.type, "risk.alert"); }

TEST(CloudEventJson, NullMembersAreAbsent) {
  const IncomingEvent incoming =
      read(R"({"type":"a","time":null,"priority":null,"correlationid":null,"x":null,"data":null})");
  EXPECT_FALSE(incoming.has_time);
  EXPECT_TRUE(incoming.event.extensions.empty());
  EXPECT_EQ(to_hex(incoming.event.data), "c0");
}

TEST(CloudEventJson, UnknownScalarsAreKeptAsText) {
  const IncomingEvent incoming = read(
      R"({"type":"a","subject":"s","n":-5,"big":18446744073709551615,"f":1.0,"yes":true,"datacontenttype":"text/plain"})");
  const std::vector<std::pair<std::string, std::string>> expected{
      {"subject", "s"}, {"n", "-5"},     {"big", "18446744073709551615"},
      {"f", "1.0"},     {"yes", "true"}, {"datacontenttype", "text/plain"}};
  auto sorted = [](auto pairs) {
    std::ranges::sort(pairs);
    return pairs;
  };
  EXPECT_EQ(sorted(incoming.event.extensions), sorted(expected));
}

TEST(CloudEventJson, JsonContentTypesGoWithoutSaying) {
  for (const char* type : {"application/json", "text/json; charset=utf-8", "application/cloudevents+json"}) {
    EXPECT_TRUE(read(R"({"type":"a","datacontenttype":")" + std::string(type) + "\"}").event.extensions.empty());
  }
}

TEST(CloudEventJson, BinaryDataMayComeTheStandardWay) {
  EXPECT_EQ(to_hex(read(R"({"type":"a","data_base64":"AAEC"})").event.data), "c403000102");
  complaint(R"({"type":"a","data_base64":"A"})");
  complaint(R"({"type":"a","data_base64":"AAEC","data":1})");
}

TEST(CloudEventJson, AForeignIdIsKept) {
  EXPECT_EQ(read(R"({"type":"a","id":"x-1"})").event.foreign_id, "x-1");
  EXPECT_EQ(read(R"({"type":"a","foreignid":"x-0"})").event.foreign_id, "x-0");
  const IncomingEvent both = read(R"({"type":"a","foreignid":"x-0","id":"x-1"})");
  EXPECT_EQ(both.event.foreign_id, "x-1");
  EXPECT_EQ(both.id, "x-1");
  EXPECT_EQ(both.foreign_id, "x-0");
}

TEST(CloudEventJson, NamesTheMemberThatIsWrong) {
  for (const auto& [json, member] : std::vector<std::pair<const char*, const char*>>{
           {R"({"type":"A b"})", "'type'"},
           {R"({"type":5})", "'type'"},
           {R"({"type":"~replay.a"})", "'type'"},
           {R"({"type":"a","specversion":"0.3"})", "'specversion'"},
           {R"({"type":"a","source":5})", "'source'"},
           {R"({"type":"a","time":"yesterday"})", "'time'"},
           {R"({"type":"a","time":5})", "'time'"},
           {R"({"type":"a","time":"1960-01-01T00:00:00Z"})", "'time'"},
           {R"({"type":"a","expirytime":"x"})", "'expirytime'"},
           {R"({"type":"a","priority":"urgent"})", "'priority'"},
           {R"({"type":"a","priority":0})", "'priority'"},
           {R"({"type":"a","correlationid":{}})", "'correlationid'"},
           {R"({"type":"a","partitionkey":{"$bin":"AA=="}})", "'partitionkey'"},
           {R"({"type":"a","schemaversion":-1})", "'schemaversion'"},
           {R"({"type":"a","schemaversion":4294967296})", "'schemaversion'"},
           {R"({"type":"a","other":[]})", "'other'"},
           {R"({"type":"a","other":{}})", "'other'"},
           {R"({"type":"a","":1})", "''"},
       }) {
    EXPECT_NE(complaint(json).find(member), std::string::npos) << json;
  }
  for (const char* bad : {"", "[]", "5", "null", R"({"$bin":"AA=="})", R"({"type":"a"} x)"}) complaint(bad);
}

TEST(CloudEventJson, DataMayBeAsDeepAsInAFrame) {
  const std::string deep = std::string(16, '[') + std::string(16, ']');
  const IncomingEvent incoming = read(R"({"type":"a","data":)" + deep + "}");
  EXPECT_EQ(incoming.event.data.size(), 16u);
  complaint(R"({"type":"a","data":[)" + deep + "]}");
}

TEST(CloudEventJson, ADefectIsNotPassedOn) {
  const EventPtr event = numbered(plain_event());
  EventView view = *event;
  view.defect = "broken";
  EXPECT_FALSE(to_cloudevent_json(view));
  EXPECT_FALSE(to_cloudevent_msgpack(view));
}

TEST(CloudEventMsgpack, CarriesTheSameMembers) {
  const EventPtr event = numbered(full_event());
  const auto bytes = to_cloudevent_msgpack(*event);
  ASSERT_TRUE(bytes);
  const auto incoming = from_cloudevent_msgpack(*bytes);
  ASSERT_TRUE(incoming) << incoming.error().message;
  Event expected = full_event();
  expected.foreign_id = event->id_string();
  EXPECT_TRUE(same(incoming->event, expected));

  // Read as JSON it is what the JSON form says, but for the times.
  const std::string json = *data_to_json(*bytes);
  EXPECT_NE(json.find(R"("time":1762795433971744500)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("id":"node-1:72623859790382856:0:trade.approved:0:42")"), std::string::npos);
}

TEST(CloudEventMsgpack, EveryTruncationIsAnErrorAndEveryMutationIsHandled) {
  const Bytes whole = *to_cloudevent_msgpack(*numbered(full_event()));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(from_cloudevent_msgpack(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes mutated = whole;
    for (int value = 0; value < 256; value += 5) {
      mutated[at] = static_cast<std::uint8_t>(value);
      if (const auto event = from_cloudevent_msgpack(mutated)) {
        Event copy = event->event;
        if (copy.source.empty()) copy.source = "x";
        EXPECT_TRUE(encode_event(copy, 0, limits::event_bytes_max)) << at << " " << value;
      }
    }
  }
}

}  // namespace
}  // namespace legion
