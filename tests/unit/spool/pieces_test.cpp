// The parts a store is made of.
#include <random>
#include <set>

#include <legion/spool/block_builder.hpp>
#include <legion/spool/block_codec.hpp>
#include <legion/spool/bloom.hpp>
#include <legion/spool/event_walk.hpp>
#include <legion/spool/position_set.hpp>
#include <legion/spool/varint.hpp>

#include "kit.hpp"

namespace legion {
namespace {

using namespace spool;
using namespace spool_test;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(PositionSet, IsTheSetOfWhatWasAddedAndNotRemoved) {
  std::mt19937 random(11);
  const auto number = [&](Position from, Position to) { return from + random() % (to - from + 1); };
  PositionSet set;
  std::set<Position> model;
  for (int step = 0; step < 3000; ++step) {
    const Position first = number(1, 60);
    const PositionRange range{first, first + number(0, 5)};
    const bool adds = random() % 2 == 0;
    adds ? set.add(range) : set.remove(range);
    for (Position at = range.first; at <= range.last; ++at) {
      if (adds) {
        model.insert(at);
      } else {
        model.erase(at);
      }
    }
    std::vector<PositionRange> expected;
    for (const Position at : model) {
      if (!expected.empty() && expected.back().last + 1 == at) {
        expected.back().last = at;
      } else {
        expected.push_back({at, at});
      }
    }
    ASSERT_EQ(text_of(set.ranges()), text_of(expected)) << "step " << step;
    const PositionRange asked{number(1, 60), 66};
    std::string missing, common;
    for (const PositionRange& part : set.missing(asked)) {
      for (Position at = part.first; at <= part.last; ++at) missing += std::to_string(at) + " ";
    }
    for (const PositionRange& part : set.common(asked)) {
      for (Position at = part.first; at <= part.last; ++at) common += std::to_string(at) + " ";
    }
    for (Position at = asked.first; at <= asked.last; ++at) {
      ASSERT_EQ(set.contains(at), model.contains(at));
      std::string& text = model.contains(at) ? common : missing;
      ASSERT_TRUE(text.starts_with(std::to_string(at) + " "));
      text.erase(0, text.find(' ') + 1);
    }
    ASSERT_EQ(missing + common, "");
    Position through = 10;
    while (model.contains(through + 1)) ++through;
    ASSERT_EQ(set.contiguous_from(10), through);
    ASSERT_EQ(set.last(), model.empty() ? 0 : *model.rbegin());
  }
}

TEST(Varint, ReadsWhatItWroteAndNothingElse) {
  Bytes bytes;
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, UINT64_MAX}) {
    put_varint(bytes, value);
  }
  put_varint(bytes, zigzag(-5));
  put_text(bytes, "abc");
  VarintReader in(bytes);
  EXPECT_EQ(in.number(), 0u);
  EXPECT_EQ(in.number(), 127u);
  EXPECT_EQ(in.number(), 128u);
  EXPECT_EQ(in.number(), UINT64_MAX);
  EXPECT_EQ(unzigzag(in.number()), -5);
  EXPECT_EQ(in.text(), "abc");
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(in.number(), 0u);
  EXPECT_FALSE(in.ok());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    VarintReader cut(BytesView(bytes).first(size));
    for (int i = 0; i < 5; ++i) cut.number();
    cut.text();
    EXPECT_FALSE(cut.ok());
  }
}

Event event_with_everything() {
  Event event = make_event("trade.done", 3);
  event.correlation_id = "order-1";
  event.causation_id = std::string(300, 'c');
  event.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  event.tracestate = "a=b";
  event.key = "BTC";
  event.expires_at = noon;
  event.foreign_id = "f";
  event.original_id = "o";
  event.extensions = {{"x", "y"}};
  MsgpackWriter data;
  data.map(6);
  data.str("array");
  data.array(3);
  data.nil();
  data.float64(1.5);
  data.map(1);
  data.str("k");
  data.bin(Bytes(300));
  data.str("negative");
  data.integer(-70'000);
  data.str("ext");
  data.ext(5, Bytes(17));
  data.str("long");
  data.str(std::string(70'000, 't'));
  data.str("bool");
  data.boolean(true);
  data.str("many");
  data.array(20);
  for (int i = 0; i < 20; ++i) data.uint(1u << i);
  event.data = data.take();
  return event;
}

TEST(EventWalker, FindsTimesAndIdsOfEveryShapeOfEvent) {
  const std::vector<Event> events{make_event("trade.done", 1), event_with_everything(), make_event("trade.done", 9)};
  for (const bool compresses : {false, true}) {
    FrameBuilder builder;
    builder.begin(feed, Priority::Normal, "trade.done", 0, 1);
    for (const Event& event : events) builder.append(encode_event(event, 0, 1 << 20)->bytes);
    const Bytes frame = compresses ? builder.finish_compressed() : builder.finish();
    const auto header = decode_frame_header(frame);
    ASSERT_TRUE(header);
    EXPECT_EQ((header->flags & frame_flag_zstd) != 0, compresses);
    TimeRange times;
    IdSet ids;
    collect(*header, frame, times, ids);
    EXPECT_EQ(times.min, (noon + 1us).ns);
    EXPECT_EQ(times.max, (noon + 9us).ns);
    EXPECT_THAT(ids.hashes(), ElementsAre(hash_of_id("order-1"), hash_of_id(std::string(300, 'c')),
                                          hash_of_id("0af7651916cd43dd8448eb211c80319c")));
    EXPECT_TRUE(mentions(*header, frame, "order-1"));
    EXPECT_TRUE(mentions(*header, frame, "0af7651916cd43dd8448eb211c80319c"));
    EXPECT_FALSE(mentions(*header, frame, "order-2"));
    EXPECT_FALSE(mentions(*header, frame, "BTC"));
  }
}

TEST(EventWalker, PassesADefectAndReadsNothingBeyondTheEnd) {
  Bytes events = encode_event(make_event("trade.done", 1), 0, 1 << 20)->bytes;
  const Bytes defect{0x92, 0x01, 0xa1, 'x'};  // an array of two
  events.insert(events.end(), defect.begin(), defect.end());
  const Bytes last = encode_event(event_with_everything(), 0, 1 << 20)->bytes;
  events.insert(events.end(), last.begin(), last.end());
  EventWalker walker(events);
  EventFacts facts;
  EXPECT_TRUE(walker.next(facts) && !facts.is_defect);
  EXPECT_TRUE(walker.next(facts) && facts.is_defect);
  EXPECT_TRUE(walker.next(facts) && !facts.is_defect);
  EXPECT_EQ(facts.correlation, "order-1");
  EXPECT_FALSE(walker.next(facts));
  // Every cut, on the heap for the sanitizers.
  for (std::size_t size = 0; size < last.size(); size += size < 1000 ? 1 : 997) {
    const Bytes cut(last.begin(), last.begin() + static_cast<std::ptrdiff_t>(size));
    EventWalker short_walker(cut);
    EXPECT_FALSE(short_walker.next(facts)) << size;
  }
}

TEST(EventWalker, SurvivesAnyBytes) {
  std::mt19937 random(5);
  const Bytes sound = encode_event(event_with_everything(), 0, 1 << 20)->bytes;
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(sound.begin(), sound.begin() + 400);
    for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    EventWalker walker(bytes);
    EventFacts facts;
    int events = 0;
    while (walker.next(facts)) ASSERT_LE(++events, 400);
  }
}

TEST(Bloom, KnowsWhatIsInItAndLittleElse) {
  IdSet ids;
  for (int round = 0; round < 3; ++round) {
    ids.clear();
    const int count = round == 1 ? 3 : 6000;
    for (int i = 0; i < count; ++i) {
      ids.add(hash_of_id("id-" + std::to_string(i)));
      ids.add(hash_of_id("id-" + std::to_string(i / 2)));
    }
    ASSERT_EQ(ids.hashes().size(), static_cast<std::size_t>(count));
    const Bytes bloom = make_bloom(ids);
    EXPECT_LE(bloom.size(), static_cast<std::size_t>(count) * 12 / 8 + 16);
    int wrong = 0;
    for (int i = 0; i < count; ++i) ASSERT_TRUE(bloom_may_have(bloom, hash_of_id("id-" + std::to_string(i))));
    for (int i = 0; i < 10'000; ++i) wrong += bloom_may_have(bloom, hash_of_id("no-" + std::to_string(i))) ? 1 : 0;
    EXPECT_LT(wrong, 100) << "of 10,000";
  }
  Bytes bloom = make_bloom(ids);
  bloom[5] ^= 1;
  EXPECT_TRUE(bloom_may_have(bloom, 1)) << "damaged: maybe";
  ids.clear();
  EXPECT_THAT(make_bloom(ids), IsEmpty());
  EXPECT_FALSE(bloom_may_have({}, 1));
}

BlockIndex sample_index() {
  BlockIndex index;
  index.origins = {feed, desk};
  index.streams = {{0, Priority::Normal, 0, "market.tick"}, {1, Priority::Critical, 7, "trade.done"}};
  index.frames = {{.number = 10, .position = 5, .first = 100, .events = 3, .stream = 0, .recorded = noon, .bytes = 4},
                  {.number = 13, .position = 2, .first = 1, .events = 1, .stream = 1, .journal = JournalKind::Confirmed,
                   .held_for = 2, .place = BlockFrame::Place::OfVoid, .recorded = noon + -1s, .bytes = 0},
                  {.number = 14, .position = 6, .first = 90, .events = 65536, .stream = 0, .recorded = noon, .bytes = 2}};
  index.dropped = {{11, 12, {}}, {15, 15, {}}};
  index.dropped[0].chain_after[3] = 9;
  return index;
}

Bytes sample_content() {
  Bytes content;
  encode_block_head(sample_index(), content);
  for (std::uint8_t i = 0; i < 6; ++i) content.push_back(i);
  return content;
}

TEST(BlockCodec, GivesBackWhatItTook) {
  const Bytes content = sample_content();
  Compressor compressor;
  const BytesView data = compressor.compress(content);
  Bytes expanded;
  ASSERT_TRUE(decompress_block(data, content.size(), expanded));
  const auto index = decode_block(expanded, 10);
  ASSERT_TRUE(index) << index.error().message;
  const BlockIndex expected = sample_index();
  ASSERT_EQ(index->frames.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const BlockFrame &a = index->frames[i], &b = expected.frames[i];
    EXPECT_EQ(std::tuple(a.number, a.position, a.first, a.events, a.stream, a.journal, a.held_for, a.place, a.recorded, a.bytes),
              std::tuple(b.number, b.position, b.first, b.events, b.stream, b.journal, b.held_for, b.place, b.recorded, b.bytes));
  }
  EXPECT_EQ(index->origin_of(index->frames[1]), desk);
  EXPECT_EQ(index->last_number(), 15u);
  ASSERT_EQ(index->dropped.size(), 2u);
  EXPECT_EQ(index->dropped[0].chain_after, expected.dropped[0].chain_after);
  EXPECT_EQ(expanded[index->frames[2].offset], 4);
}

TEST(BlockCodec, RefusesEveryCutAndSurvivesAnyBytes) {
  const Bytes content = sample_content();
  for (std::size_t size = 0; size < content.size(); ++size) {
    EXPECT_FALSE(decode_block(BytesView(content).first(size), 10)) << size;
  }
  Bytes longer = content;
  longer.push_back(0);
  EXPECT_FALSE(decode_block(longer, 10));
  std::mt19937 random(3);
  for (int round = 0; round < 50'000; ++round) {
    Bytes bytes = content;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    const auto index = decode_block(bytes, 10);
    if (!index) continue;
    for (const BlockFrame& frame : index->frames) {
      ASSERT_LE(frame.offset + frame.bytes, bytes.size());
      ASSERT_LT(frame.stream, index->streams.size());
    }
  }
  Bytes out;
  EXPECT_FALSE(decompress_block(content, content.size(), out));
  Compressor compressor;
  EXPECT_FALSE(decompress_block(compressor.compress(content), content.size() + 1, out));
}

TEST(BlockContents, GiveBackWhatTheyTookAndRefuseTheRest) {
  const BlockContents contents{{{7, 1, 5, 4, 2, 9}, {8, 3, 3, 5, 1, 1}}, {{4, {2, 9}}, {5, {1, 1}}}};
  const Bytes bytes = encode(contents);
  const auto back = decode_contents(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), bytes);
  EXPECT_EQ(back->spans[0].position_last, 9u);
  EXPECT_EQ(back->positions[0].range, (PositionRange{2, 9}));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_contents(BytesView(bytes).first(size)));
  const std::vector<PositionRange> ranges{{1, 5}, {9, 9}};
  EXPECT_EQ(decode_ranges(encode(ranges)).value(), ranges);
  const std::vector<StreamSpan> spans{span_of(4, 9), {Priority::Critical, "trade.done", 200, 1, 1}};
  EXPECT_EQ(decode_spans(encode(spans)).value(), spans);
  EXPECT_FALSE(decode_spans(Bytes{200}));
}

TEST(AuditChain, DependsOnEverythingItRunsOver) {
  const Digest zero{}, frame = digest_of(Bytes{1, 2, 3});
  const Digest link = chain_link(zero, frame, feed, JournalKind::Captured, 5);
  EXPECT_EQ(link, chain_link(zero, frame, feed, JournalKind::Captured, 5));
  EXPECT_NE(link, chain_link(link, frame, feed, JournalKind::Captured, 5));
  EXPECT_NE(link, chain_link(zero, zero, feed, JournalKind::Captured, 5));
  EXPECT_NE(link, chain_link(zero, frame, desk, JournalKind::Captured, 5));
  EXPECT_NE(link, chain_link(zero, frame, feed, JournalKind::Confirmed, 5));
  EXPECT_NE(link, chain_link(zero, frame, feed, JournalKind::Captured, 6));
}

}  // namespace
}  // namespace legion
