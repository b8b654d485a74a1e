#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/priority.hpp>

#include <gtest/gtest.h>

namespace legion {
namespace {

TEST(EventType, FollowsTheGrammar) {
  for (const char* good : {"a", "trade.approved", "a.b.c", "_", "0", "a_1.b_2"})
    EXPECT_TRUE(is_event_type(good)) << good;
  EXPECT_TRUE(is_event_type(std::string(120, 'a')));
  EXPECT_FALSE(is_event_type(std::string(121, 'a')));
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "A", "a-b", "a b", "~a", "!a", "a/b", "a*", "*"}) {
    EXPECT_FALSE(is_event_type(bad)) << bad;
  }
  EXPECT_FALSE(is_event_type(std::string_view("a\0b", 3)));
}

TEST(WireType, MayBeReserved) {
  EXPECT_TRUE(is_wire_type("trade.approved"));
  EXPECT_TRUE(is_wire_type("~replay.trade.approved"));
  EXPECT_TRUE(is_wire_type("!x"));
  EXPECT_TRUE(is_wire_type("~replay." + std::string(120, 'a')));
  for (const char* bad : {"~", "!", "~~a", "~.a", "a~", ""}) EXPECT_FALSE(is_wire_type(bad)) << bad;
  EXPECT_FALSE(is_wire_type("~" + std::string(160, 'a')));
  EXPECT_FALSE(is_wire_type(std::string(121, 'a')));
}

TEST(Filter, AnExactTypeMatchesItselfOnly) {
  const Filter filter = Filter::parse("worker_1").value();
  EXPECT_TRUE(filter.matches("worker_1"));
  EXPECT_FALSE(filter.matches("worker_10"));
  EXPECT_FALSE(filter.matches("worker_1.x"));
  EXPECT_EQ(filter.text(), "worker_1");
  EXPECT_EQ(filter.zmq_prefix(), std::string("worker_1\0", 9));
}

TEST(Filter, AFamilyMatchesWhatIsInIt) {
  const Filter filter = Filter::parse("trade.").value();
  EXPECT_TRUE(filter.matches("trade.approved"));
  EXPECT_TRUE(filter.matches("trade.a.b"));
  EXPECT_FALSE(filter.matches("trade"));
  EXPECT_FALSE(filter.matches("trader.approved"));
  EXPECT_EQ(filter.zmq_prefix(), "trade.");
}

TEST(Filter, EverythingLeavesReservedTypesOut) {
  const Filter filter = Filter::parse("*").value();
  EXPECT_TRUE(filter.matches("trade.approved"));
  EXPECT_FALSE(filter.matches("~replay.trade.approved"));
  EXPECT_FALSE(filter.matches("!x"));
  EXPECT_EQ(filter.zmq_prefix(), "");
  EXPECT_EQ(Filter(), filter);
}

TEST(Filter, OfReplaysMatchesTheReplaysOfTheSameTypes) {
  const auto of = [](const char* text) { return Filter::parse(text).value().of_replays(); };
  EXPECT_TRUE(of("trade.approved").matches("~replay.trade.approved"));
  EXPECT_FALSE(of("trade.approved").matches("~replay.trade.approved_2"));
  EXPECT_EQ(of("trade.approved").zmq_prefix(), std::string("~replay.trade.approved\0", 23));
  EXPECT_TRUE(of("trade.").matches("~replay.trade.approved"));
  EXPECT_FALSE(of("trade.").matches("~replay.risk.alert"));
  EXPECT_EQ(of("trade.").zmq_prefix(), "~replay.trade.");
  EXPECT_TRUE(of("*").matches("~replay.risk.alert"));
  EXPECT_EQ(of("*").zmq_prefix(), "~replay.");
  for (const char* text : {"trade.approved", "trade.", "*"}) {
    EXPECT_FALSE(of(text).matches("trade.approved")) << text;
    EXPECT_FALSE(of(text).matches("~replay_to.trade.approved")) << text;
    EXPECT_FALSE(of(text).matches("~record")) << text;
  }
  EXPECT_TRUE(Filter::replays_to_agents().matches("~replay_to.trade.approved"));
  EXPECT_FALSE(Filter::replays_to_agents().matches("~replay.trade.approved"));
}

TEST(OriginalType, IsWhatStandsBehindThePrefix) {
  EXPECT_EQ(original_type("~replay.trade.approved"), "trade.approved");
  EXPECT_EQ(original_type("~replay_to.trade.approved"), "trade.approved");
  for (const char* type : {"trade.approved", "~record", "!x", "~replayed.x", "replay.x", ""}) {
    EXPECT_EQ(original_type(type), type);
    EXPECT_FALSE(is_replayed(type)) << type;
  }
  EXPECT_TRUE(is_replayed("~replay.a"));
}

TEST(Filter, UnderstandsCatalogNames) {
  EXPECT_EQ(Filter::parse("TRADE_APPROVED"), Filter::parse("trade.approved").value());
}

TEST(Filter, RefusesOtherText) {
  for (const char* bad : {"", ".", "trade.*", "*.", "a..", "Trade", "TRADE_UNKNOWN", "~replay.", "~a", "!a", "a b"}) {
    const auto filter = Filter::parse(bad);
    ASSERT_FALSE(filter) << bad;
    EXPECT_EQ(filter.error().code, ErrorCode::InvalidArgument);
  }
}

TEST(Priority, HasNamesInAnyCase) {
  for (const Priority priority : all_priorities) EXPECT_EQ(parse_priority(to_string(priority)), priority);
  EXPECT_EQ(parse_priority("CRITICAL"), Priority::Critical);
  EXPECT_EQ(parse_priority("Low"), Priority::Low);
  EXPECT_EQ(parse_priority("urgent"), std::nullopt);
  EXPECT_EQ(parse_priority(""), std::nullopt);
}

TEST(EventId, PrintsAndParses) {
  const EventId id{"risk-1", 77, Priority::High, "trade.approved", 3, 12};
  EXPECT_EQ(id.to_string(), "risk-1:77:1:trade.approved:3:12");
  EXPECT_EQ(EventId::parse(id.to_string()), id);
  const EventId replayed{"a", 18446744073709551615u, Priority::Low, "~replay.a.b", 255, 18446744073709551615u};
  EXPECT_EQ(EventId::parse(replayed.to_string()), replayed);
}

TEST(EventId, NamesThePartThatDoesNotParse) {
  const auto complaint = [](std::string_view text) {
    const auto id = EventId::parse(text);
    EXPECT_FALSE(id) << text;
    return id ? std::string() : id.error().message;
  };
  EXPECT_NE(complaint("A:1:0:t:0:1").find("the node "), std::string::npos);
  EXPECT_NE(complaint("a:x:0:t:0:1").find("the incarnation "), std::string::npos);
  EXPECT_NE(complaint("a:01:0:t:0:1").find("the incarnation "), std::string::npos);
  EXPECT_NE(complaint("a:1:4:t:0:1").find("the lane "), std::string::npos);
  EXPECT_NE(complaint("a:1:high:t:0:1").find("the lane "), std::string::npos);
  EXPECT_NE(complaint("a:1:0:T:0:1").find("the type "), std::string::npos);
  EXPECT_NE(complaint("a:1:0:t:256:1").find("the shard "), std::string::npos);
  EXPECT_NE(complaint("a:1:0:t:0:0").find("the sequence "), std::string::npos);
  EXPECT_NE(complaint("a:1:0:t:0:-1").find("the sequence "), std::string::npos);
  EXPECT_NE(complaint("a:1:0:t:0:18446744073709551616").find("the sequence "), std::string::npos);
  for (const char* bad : {"", ":", "a:1:0:t:0", "a:1:0:t:0:1:2", ":::::"}) EXPECT_FALSE(EventId::parse(bad)) << bad;
}

}  // namespace
}  // namespace legion
