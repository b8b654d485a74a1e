// What holds for every event and every value. RapidCheck draws them; LEGION_SEED repeats a run.
#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <legion/event/event_type.hpp>
#include <legion/event/json.hpp>

#include "samples.hpp"

namespace legion {
namespace {

using namespace samples;

// RapidCheck takes its seed from RC_PARAMS when the first property runs.
class SeedEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* given = std::getenv("LEGION_SEED");
    const std::string seed = given != nullptr ? given : std::to_string(std::random_device{}());
    setenv("RC_PARAMS", ("seed=" + seed).c_str(), 1);
    std::cout << "LEGION_SEED=" << seed << std::endl;
  }
};

const ::testing::Environment* const seed_environment = ::testing::AddGlobalTestEnvironment(new SeedEnvironment);

rc::Gen<std::string> text(std::size_t bytes_max) {
  // Code points of every length in UTF-8, the ones JSON escapes among them.
  const auto piece =
      rc::gen::element<std::string>("a", "Z", "0", "\"", "\\", "\n", "\x01", "\x7f", "\xc3\xa9", "\xe2\x82\xac",
                                    "\xf0\x9f\x98\x80", " ", "$bin", "{", "\xe2\x80\xa8");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [bytes_max](const auto& pieces) {
    std::string out;
    for (const std::string& next : pieces) {
      if (out.size() + next.size() <= bytes_max) out += next;
    }
    return out;
  });
}

Bytes scalar(int kind, std::uint64_t number, const std::string& words) {
  MsgpackWriter writer;
  switch (kind) {
    case 0: writer.nil(); break;
    case 1: writer.boolean(number % 2 == 0); break;
    case 2: writer.uint(number); break;
    case 3: writer.integer(std::bit_cast<std::int64_t>(number)); break;
    case 4: {
      const double real = std::bit_cast<double>(number);
      writer.float64(std::isnan(real) ? std::numeric_limits<double>::quiet_NaN()
                                      : real);  // a NaN's payload is not kept
      break;
    }
    case 5: writer.str(words); break;
    case 6: writer.bin(as_bytes_view(words)); break;
    default: writer.ext(static_cast<std::int8_t>(number), as_bytes_view(words)); break;
  }
  return writer.take();
}

rc::Gen<Bytes> value(int levels) {
  const auto scalars = rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(0, 8), rc::gen::arbitrary<std::uint64_t>(), text(40)),
      [](const auto& parts) { return scalar(std::get<0>(parts), std::get<1>(parts), std::get<2>(parts)); });
  if (levels == 0) return scalars;
  const auto entries =
      rc::gen::scale(0.3, rc::gen::container<std::vector<Bytes>>(rc::gen::lazy([=] { return value(levels - 1); })));
  const auto arrays = rc::gen::map(entries, [](const std::vector<Bytes>& values) {
    MsgpackWriter writer;
    writer.array(values.size());
    for (const Bytes& entry : values) writer.raw(entry);
    return writer.take();
  });
  const auto maps = rc::gen::map(entries, [](const std::vector<Bytes>& values) {
    MsgpackWriter writer;
    writer.map(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      writer.str("k\xc3\xa9y" + std::to_string(i));
      writer.raw(values[i]);
    }
    return writer.take();
  });
  return rc::gen::oneOf(scalars, arrays, maps);
}

rc::Gen<Event> event() {
  return rc::gen::exec([] {
    Event out;
    out.type = *rc::gen::element<std::string>("trade.approved", "a", "weather.report_2", "~replay.trade.approved");
    out.source = "n/" + *text(100);
    out.time = WallTime{*rc::gen::inRange<std::int64_t>(0, std::numeric_limits<std::int64_t>::max())};
    out.priority = *rc::gen::elementOf(std::vector<Priority>(all_priorities.begin(), all_priorities.end()));
    out.schema_version = *rc::gen::arbitrary<std::uint32_t>();
    for (std::string Event::* member : {&Event::correlation_id, &Event::causation_id, &Event::traceparent,
                                        &Event::tracestate, &Event::key, &Event::foreign_id, &Event::original_id}) {
      out.*member = *text(200);
    }
    if (*rc::gen::arbitrary<bool>()) {
      out.expires_at = WallTime{*rc::gen::inRange<std::int64_t>(0, std::numeric_limits<std::int64_t>::max())};
    }
    const int extensions = *rc::gen::inRange(0, 4);
    for (int i = 0; i < extensions; ++i) out.extensions.emplace_back("ext" + std::to_string(i), *text(50));
    out.data = *value(3);
    return out;
  });
}

RC_GTEST_PROP(Property, AnEventSurvivesAFrame, ()) {
  std::vector<Event> events = *rc::gen::container<std::vector<Event>>(rc::gen::scale(0.2, event()));
  RC_PRE(!events.empty());
  for (Event& next : events) {
    next.type = events.front().type;
    next.priority = events.front().priority;
  }
  const auto first = *rc::gen::inRange<std::uint64_t>(1, std::numeric_limits<std::uint64_t>::max() - 1000);
  const bool is_compressed = *rc::gen::arbitrary<bool>();

  const Bytes bytes = is_compressed ? compressed_frame_of(events, first) : frame_of(events, first);
  const auto frame = Frame::decode(Bytes(bytes));
  const auto header = decode_frame_header(bytes);

  RC_ASSERT(frame.has_value());
  RC_ASSERT(header.has_value());
  RC_ASSERT(header->event_count == events.size());
  RC_ASSERT((*frame)->events().size() == events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    const EventView& view = (*frame)->events()[i];
    RC_ASSERT(view.defect.empty());
    RC_ASSERT(view.sequence == first + i);
    RC_ASSERT(EventId::parse(view.id_string()).value() == view.id());
    RC_ASSERT(view.wire_type() == events[i].type);
    Event expected = events[i];
    expected.type = original_type(expected.type);
    RC_ASSERT(same(view.to_event(), expected));
  }
}

RC_GTEST_PROP(Property, DataSurvivesJson, ()) {
  const Bytes data = *value(4);
  const auto json = data_to_json(data);
  RC_ASSERT(json.has_value());
  RC_ASSERT(json->find('\n') == std::string::npos);
  const auto back = data_from_json(*json);
  RC_ASSERT(back.has_value());
  RC_ASSERT(to_hex(*back) == to_hex(data));
}

RC_GTEST_PROP(Property, AnEventSurvivesTheCloudEventForms, ()) {
  Event original = *event();
  original.type = "trade.approved";
  const auto frame = Frame::decode(frame_of({original}));
  RC_ASSERT(frame.has_value());
  const EventView& view = (*frame)->events().front();
  Event expected = original;
  expected.foreign_id = view.id_string();
  expected.correlation_id = view.correlation();

  const auto json = to_cloudevent_json(view);
  RC_ASSERT(json.has_value());
  const auto from_json = from_cloudevent_json(*json);
  RC_ASSERT(from_json.has_value());
  const auto msgpack = to_cloudevent_msgpack(view);
  RC_ASSERT(msgpack.has_value());
  const auto from_msgpack = from_cloudevent_msgpack(*msgpack);
  RC_ASSERT(from_msgpack.has_value());
  RC_ASSERT(same(from_json->event, expected));
  RC_ASSERT(same(from_msgpack->event, expected));
}

RC_GTEST_PROP(Property, AnyBytesAreHandled, (const std::vector<std::uint8_t>& bytes)) {
  const auto frame = Frame::decode(Bytes(bytes));
  const auto header = decode_frame_header(bytes);
  RC_ASSERT(!frame || header);
  if (const auto json = data_to_json(bytes))
    RC_ASSERT(data_from_json(*json).has_value() || json->find("\"$") != std::string::npos);
  const auto parsed = data_from_json(as_text(bytes));
  if (parsed) RC_ASSERT(data_to_json(*parsed).has_value());
}

}  // namespace
}  // namespace legion
