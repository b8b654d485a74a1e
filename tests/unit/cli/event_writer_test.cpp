#include <gtest/gtest.h>

#include <sstream>

#include <legion/cli/event_writer.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

std::string written(const EventWriterOptions& options, const std::vector<EventPtr>& events,
                    Paint::Mode mode = Paint::Mode::Off) {
  std::ostringstream out;
  const auto writer = make_event_writer(out, Paint(mode), options).value();
  writer->begin();
  for (const auto& event : events) writer->write(*event);
  writer->end();
  return out.str();
}

EventPtr approved() { return make_event("trade.approved", Priority::Critical, R"({"symbol":"XBT"})", "alpha/risk", "XBT"); }
EventPtr low() { return make_event("backtest.result", Priority::Low, "[1,2]"); }

TEST(EventWriter, PrintsOneAlignedLinePerEvent) {
  EXPECT_EQ(written({}, {approved(), low()}),
            "17:23:53.971  critical  trade.approved            alpha/risk        {\"symbol\":\"XBT\"}\n"
            "17:23:53.971  low       backtest.result           alpha/feed        [1,2]\n");
}

TEST(EventWriter, CutsLinesAtTheWidthOfTheTerminalAndColoursByPriority) {
  EXPECT_EQ(written({.width = 48}, {approved()}), "17:23:53.971  critical  trade.approved  {\"symbo…\n");
  EXPECT_EQ(written({.width = 54}, {approved()}, Paint::Mode::On),
            "\033[1;31m17:23:53.971  critical  trade.approved\033[0m  {\"symbol\":\"XB…\n");
  EXPECT_EQ(written({.width = 20}, {low()}, Paint::Mode::On), "\033[2m17:23:53.971  low  …\033[0m\n");
}

TEST(EventWriter, TheSourceGivesWayToTheDataOnANarrowTerminal) {
  const auto event = make_event("trade.approved", Priority::Critical, "\"" + std::string(200, 'x') + "\"", "alpha/risk-checks");
  EXPECT_EQ(written({.width = 80}, {event}),
            "17:23:53.971  critical  trade.approved    \"" + std::string(36, 'x') + "…\n");
  EXPECT_EQ(written({.width = 90}, {event}),
            "17:23:53.971  critical  trade.approved      alpha/risk-…  \"" + std::string(30, 'x') + "…\n");
  EXPECT_EQ(written({.width = 120}, {event}),
            "17:23:53.971  critical  trade.approved            alpha/risk-checks  \"" + std::string(49, 'x') + "…\n");
}

TEST(EventWriter, FillsTheFormatOfTheUser) {
  EXPECT_EQ(written({.format = "[%T] %p\\t%t %s %n %k %d %%"}, {approved()}),
            "[2025-11-10T17:23:53.971Z] critical\ttrade.approved alpha/risk alpha XBT {\"symbol\":\"XBT\"} %\n");
  EXPECT_EQ(written({.format = "%i|%c"}, {approved()}), "alpha:7:0:trade.approved:0:1|alpha:7:0:trade.approved:0:1\n");
}

TEST(EventWriter, RefusesFormatsWithUnknownEscapes) {
  std::ostringstream out;
  for (const auto* format : {"%x", "%", "\\q", "abc\\"}) {
    EXPECT_FALSE(make_event_writer(out, Paint(Paint::Mode::Off), {.format = format})) << format;
  }
}

TEST(EventWriter, AnEventCannotBreakALine) {
  const auto event = make_event("demo.x", Priority::Normal, R"({"text":"a\nb\u001b[2J"})", "evil\033[1m\n/x");
  const std::string table = written({}, {event});
  EXPECT_EQ(std::ranges::count(table, '\n'), 1);
  EXPECT_EQ(table.find('\033'), std::string::npos);
  EXPECT_EQ(written({.format = "%s"}, {event}), "evil?[1m?/x\n");
}

TEST(EventWriter, WritesCloudEventsThatCanBeReadBack) {
  const std::string lines = written({.output = Output::Jsonl}, {approved(), low()});
  std::istringstream in(lines);
  std::string line;
  std::vector<std::string> types;
  while (std::getline(in, line)) types.push_back(from_cloudevent_json(line).value().event.type);
  EXPECT_THAT(types, testing::ElementsAre("trade.approved", "backtest.result"));
}

TEST(EventWriter, WritesAnArrayThatIsValidWhateverItHolds) {
  EXPECT_EQ(written({.output = Output::Json}, {}), "[]\n");
  EXPECT_EQ(written({.output = Output::Json, .types_only = true}, {approved(), low()}),
            "[\n{\"type\":\"trade.approved\"},\n{\"type\":\"backtest.result\"}\n]\n");
}

TEST(EventWriter, WritesCsvWithAHeader) {
  EXPECT_EQ(written({.output = Output::Csv}, {approved()}),
            "time,priority,type,source,id,correlation,key,data\n"
            "2025-11-10T17:23:53.971Z,critical,trade.approved,alpha/risk,alpha:7:0:trade.approved:0:1,"
            "alpha:7:0:trade.approved:0:1,XBT,\"{\"\"symbol\"\":\"\"XBT\"\"}\"\n");
}

TEST(EventWriter, AnEventThatDoesNotDecodeIsShownByItsIdAndDefect) {
  auto broken = std::make_shared<EventView>(*approved());
  broken->type = "demo.x";
  broken->source = {};
  broken->key = {};
  broken->data = {};
  broken->defect = "attributes: bad key";
  EXPECT_THAT(written({.output = Output::Jsonl}, {broken}), testing::HasSubstr("\"defect\":\"attributes: bad key\""));
  EXPECT_THAT(written({}, {broken}), testing::HasSubstr("does not decode"));
}

}  // namespace
}  // namespace legion::cli
