// Any sequence of append, crash, reopen, merge, trim and read equals the plain store in memory.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include <rapidcheck/gtest.h>

#include "faulty_vfs.hpp"
#include "kit.hpp"

namespace legion {
namespace {

using namespace spool_test;
namespace fs = std::filesystem;

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

constexpr Position positions = 60;
// A type belongs to one journal.
const std::vector<std::string> captured_types{"market.tick", "market.book", "trade.quote"};
const std::vector<std::string> confirmed_types{"market.close", "trade.done", "trade.order"};
const std::vector<std::string>& types_of(JournalKind journal) {
  return journal == JournalKind::Captured ? captured_types : confirmed_types;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// What one origin has in one journal: for each position a frame, and the void that may stand for it.
class Truth {
 public:
  Truth(Origin origin, JournalKind journal, std::mt19937& random) : origin_(origin), journal_(journal) {
    const std::vector<std::string>& types = types_of(journal);
    std::vector<std::uint64_t> next(types.size(), 1);
    for (Position position = 1; position <= positions; ++position) {
      const std::size_t type = random() % types.size();
      if (random() % 4 == 0) next[type] += random() % 3;  // sequences that were of no journal
      const int events = 1 + static_cast<int>(random() % 4);
      const auto held_for = static_cast<std::uint8_t>(journal == JournalKind::Confirmed ? random() % 3 : 0);
      frames_.push_back(record(origin, journal, position, plain_frame(origin, types[type], next[type], events), held_for));
      spans_.push_back(span_of(next[type], next[type] + static_cast<std::uint64_t>(events) - 1, types[type]));
      next[type] += static_cast<std::uint64_t>(events);
    }
  }

  const JournalRecord& frame(Position position) const { return frames_[position - 1]; }

  JournalRecord make_void(PositionRange range) const {
    std::vector<StreamSpan> spans;
    for (Position position = range.first; position <= range.last; ++position) {
      const StreamSpan& next = spans_[position - 1];
      const auto same = std::ranges::find(spans, next.type, &StreamSpan::type);
      if (same == spans.end()) {
        spans.push_back(next);
      } else {
        same->last = next.last;
      }
    }
    return void_of(origin_, range, spans, journal_);
  }

 private:
  Origin origin_;
  JournalKind journal_;
  std::vector<JournalRecord> frames_;
  std::vector<StreamSpan> spans_;
};

struct Step {
  int kind = 0;
  unsigned a = 0, b = 0, c = 0;
};
std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << step.kind << ":" << step.a << ":" << step.b << ":" << step.c;
}

/// Both stores, and what happens to them.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (const Origin& origin : {feed, desk}) {
      for (const JournalKind journal : all_journals) truths_.emplace_back(origin, journal, random_);
    }
    vfs_.skip_syncs();
    path_ = folder_.file("spool0");
    open();
  }

  void run(const Step& step) {
    now_ = now_ + 10min;
    switch (step.kind) {
      case 0: case 1: case 2: case 3: return both(batch(step));
      case 4: return both(record_batch(step));
      case 5: return reopen();
      case 6: return crash();
      case 7: return merge(step);
      case 8: return trim(step);
      case 9: return tell(step);
      case 10: return tear(step);
    }
  }

  void compare() {
    RC_ASSERT(journals(*sqlite_) == journals(model_));
    StoreReader* const ours = reader_.get();
    auto plain = model_.open_reader().value();
    RC_ASSERT(frames(*ours, {}) == frames(*plain, {}));
    RC_ASSERT(frames(*ours, {.types = {*Filter::parse("trade.")}}) == frames(*plain, {.types = {*Filter::parse("trade.")}}));
    RC_ASSERT(frames(*ours, {.since = noon + 8us, .before = noon + 20us}) ==
              frames(*plain, {.since = noon + 8us, .before = noon + 20us}));
    for (const Origin& origin : {feed, desk}) {
      for (const JournalKind journal : all_journals) {
        for (const std::string& type : types_of(journal)) compare_stream(*ours, *plain, stream(origin, type));
        RC_ASSERT(records(*ours, origin, journal) == records(*plain, origin, journal));
      }
    }
    const auto tails = [](StoreReader& reader) {
      std::string out;
      const auto all = reader.tails(*Filter::parse("*"), std::nullopt, 1000).value();
      for (const StreamTail& tail : all) out += tail.stream.origin.node + tail.stream.type + std::to_string(tail.next) + " ";
      return out;
    };
    RC_ASSERT(tails(*ours) == tails(*plain));
    RC_ASSERT(ours->marks().value() == plain->marks().value());
    const auto cursor = ours->cursor("audit").value(), expected = plain->cursor("audit").value();
    RC_ASSERT(cursor.has_value() == expected.has_value());
    if (cursor) RC_ASSERT(cursor->merged == expected->merged && cursor->updated == expected->updated);
    RC_ASSERT(ours->attempts("audit").value() == plain->attempts("audit").value());
    RC_ASSERT(ours->letters({}).value() == plain->letters({}).value());
    RC_ASSERT(sqlite_->figures().dead_letters == model_.figures().dead_letters);
    const auto report = ours->verify(StoreReader::Depth::Full, nullptr).value();
    const auto plain_report = plain->verify(StoreReader::Depth::Full, nullptr).value();
    RC_ASSERT(report.damage.empty());
    RC_ASSERT(report.chain == plain_report.chain);
    RC_ASSERT(report.holes == plain_report.holes);
  }

 private:
  void compare_stream(StoreReader& ours, StoreReader& plain, const StreamId& id) {
    const std::uint64_t first = 1 + random_() % 30;
    for (const StreamQuery& query :
         {StreamQuery{.stream = id}, StreamQuery{.stream = id, .first = first, .last = first + 9}}) {
      RC_ASSERT(parts(ours, query) == parts(plain, query));
    }
  }

  void open() {
    auto opened = SqliteStore::open(path_, {.block_bytes = 2048, .page_bytes = 4096, .log_bytes = 100'000, .vfs = vfs_.name()});
    RC_ASSERT(opened.has_value());
    sqlite_ = std::move(*opened);
    RC_ASSERT(sqlite_->findings().empty());
    // One for all that follows: what it remembers must not grow old.
    reader_ = sqlite_->open_reader().value();
  }
  void close() {
    reader_.reset();
    sqlite_.reset();
  }

  void both(const std::vector<JournalRecord>& batch) {
    RC_ASSERT(sqlite_->append(batch, now_).has_value());
    RC_ASSERT(model_.append(batch, now_).has_value());
  }

  // A piece of one journal, or of two: frames and voids; some of it sent before, some beyond a hole.
  std::vector<JournalRecord> batch(const Step& step) {
    std::vector<JournalRecord> batch;
    for (int piece = 0; piece <= step.kind % 4 / 2; ++piece) {
      const Truth& truth = truths_[(step.a + static_cast<unsigned>(piece)) % truths_.size()];
      const Position first = 1 + step.b % positions;
      const Position last = std::min<Position>(positions, first + step.c % 12);
      for (Position position = first; position <= last; ++position) {
        const unsigned choice = random_() % 8;
        if (choice == 0) continue;
        if (choice == 1) {
          const Position end = std::min<Position>(last, position + random_() % 3);
          batch.push_back(truth.make_void({position, end}));
          position = end;
        } else {
          batch.push_back(truth.frame(position));
        }
      }
    }
    return batch;
  }

  std::vector<JournalRecord> record_batch(const Step& step) {
    const Origin by{"audit-1", 7};
    CursorRecord cursor{"audit", {1 + step.a % 3, "audit-1"}, "market.", CursorRecord::Form::Delta, {}};
    if (step.b % 3 == 0) cursor.form = CursorRecord::Form::Whole;
    if (step.b % 11 == 0) cursor.form = CursorRecord::Form::Removed;
    for (const std::string& type : {captured_types[0], captured_types[1]}) {
      StreamCursor done{stream(feed, type), random_() % 40, {}};
      if (random_() % 2 == 0) done.ahead.emplace_back(done.done + 2, done.done + 2 + random_() % 5);
      if (cursor.form != CursorRecord::Form::Removed) cursor.streams.push_back(done);
    }
    const std::string event = "feed-1:1000001:2:market.tick:0:" + std::to_string(1 + step.c % 20);
    LetterRecord letter;
    letter.event = event;
    letter.agent = "audit-1/a";
    letter.round = 1 + step.b % 2;
    letter.state = static_cast<LetterState>(step.c % 4);
    if (letter.state == LetterState::Dead) {
      letter.deaths.push_back({letter.agent, "rejected", 1, "no", now_, now_});
      letter.frame = *truths_[0].frame(1).frame;
    }
    const AttemptRecord attempt{"audit", event, 2 + step.a % 3, "e", now_, now_};
    ++records_;
    return {record(by, JournalKind::Confirmed, records_,
                   record_frame(by, records_ * 3, {cursor, attempt, letter}, now_))};
  }

  void reopen() {
    close();
    open();
  }

  // What kill -9 leaves: the files as they are now.
  void crash() {
    const std::string image = folder_.file("spool" + std::to_string(++images_));
    fs::copy_file(path_, image);
    if (fs::exists(path_ + "-wal")) fs::copy_file(path_ + "-wal", image + "-wal");
    close();
    path_ = image;
    open();
  }

  // A crash amid a commit: a part of what it writes to the log is there. Nothing of it counts.
  void tear(const Step& step) {
    const bool is_record = step.c % 3 == 0;
    const auto lost = is_record ? record_batch(step) : batch(step);
    const std::string before = read_file(path_ + "-wal");
    RC_ASSERT(sqlite_->append(lost, now_).has_value());
    if (is_record) --records_;
    const std::string after = read_file(path_ + "-wal");
    const std::string image = folder_.file("spool" + std::to_string(++images_));
    fs::copy_file(path_, image);
    std::ofstream(image + "-wal", std::ios::binary) << torn(before, after, step);
    close();
    path_ = image;
    open();
  }

  static std::string torn(const std::string& before, const std::string& after, const Step& step) {
    constexpr std::size_t head = 32;
    const auto differ = [&](std::size_t at) { return at >= before.size() || before[at] != after[at]; };
    std::size_t first = 0, end = after.size();
    while (first < end && !differ(first)) ++first;
    while (end > first && !differ(end - 1)) --end;
    if (first == end) return after;
    // A log that began anew: what its head was before is not known here.
    if (before.size() >= head && first < head) first = head;
    const std::size_t cut = first + (step.a * 10'007u + step.b) % (end - first);
    std::string out = after.substr(0, cut);
    if (step.c % 2 == 0 && cut < before.size()) out += before.substr(cut);
    return out;
  }

  void merge(const Step& step) {
    for (unsigned i = 0; i < 1 + step.a % 5; ++i) {
      const auto more = sqlite_->maintain(now_, {});
      RC_ASSERT(more.has_value());
      if (!*more) return;
    }
  }

  void trim(const Step& step) {
    const RetentionPolicy policy{.retain_for = 10min * (1 + static_cast<int>(step.a % 30)),
                                 .cursors = step.b % 3 == 0 ? RetentionPolicy::Cursors::Ignore
                                                            : RetentionPolicy::Cursors::Respect};
    // What may go, by the plain store's rules for single frames: the other takes whole blocks, so never more.
    auto before = model_.open_reader().value();
    const auto present = all(*before, {});
    for (Result<bool> more = true; more.value();) {
      more = sqlite_->maintain(now_, policy);
      RC_ASSERT(more.has_value());
    }
    auto reader = sqlite_->open_reader().value();
    const auto left = all(*reader, {});
    const CommitNumber first = left.empty() ? sqlite_->figures().next_commit : left.front().first;
    for (const auto& [number, recorded] : present) {
      if (number < first) RC_ASSERT(now_ - recorded > *policy.retain_for);
    }
    if (policy.cursors == RetentionPolicy::Cursors::Respect) check_cursor(*before, first);
    model_.trim_before(first);
  }

  // Nothing the subscription still needs lies before `first`.
  void check_cursor(StoreReader& before, CommitNumber first) {
    const auto cursor = before.cursor("audit").value();
    if (!cursor || cursor->merged.form == CursorRecord::Form::Removed) return;
    const auto page = before.scan({.until = first - 1, .types = {*Filter::parse("market.")}, .bytes_max = 1 << 20}).value();
    for (const StoredFrame& frame : page.frames) {
      const auto header = decode_frame_header(frame.frame).value();
      const StreamId id = stream({std::string(header.origin), header.incarnation}, std::string(header.type));
      const auto done = std::ranges::find(cursor->merged.streams, id, &StreamCursor::stream);
      RC_ASSERT(done != cursor->merged.streams.end());
      RC_ASSERT(done->done >= header.first_sequence + header.event_count - 1);
    }
  }

  void tell(const Step& step) {
    const Origin origin = step.a % 2 == 0 ? feed : desk;
    const JournalKind journal = step.b % 2 == 0 ? JournalKind::Confirmed : JournalKind::Captured;
    const auto tell_both = [&](auto&& say) {
      const bool ok = say(*sqlite_).has_value();
      RC_ASSERT(say(model_).has_value() == ok);
    };
    switch (step.c % 6) {
      case 0: return tell_both([&](Store& store) { return store.mark("m" + std::to_string(step.a % 3), now_); });
      case 1: case 2:
        return tell_both([&](Store& store) {
          return store.set_released(origin, journal, static_cast<std::uint8_t>(1 + step.a % 4), step.b % positions);
        });
      case 3: return tell_both([&](Store& store) { return store.bind(origin, BootId{{static_cast<std::uint8_t>(step.b % 2)}}); });
      case 4: return tell_both([&](Store& store) { return store.set_floor(origin, journal, step.b % 20); });
      default:
        return tell_both([&](Store& store) {
          return step.b % 4 == 0 ? store.set_final(origin, positions, positions)
                                 : store.bind({origin.node, origin.incarnation + (step.b % 4 == 1 ? 1 : 0)}, BootId{});
        });
    }
  }

  static std::string journals(const Store& store) {
    std::string out;
    for (const JournalState& state : store.journals()) {
      out += state.origin.node + std::to_string(state.origin.incarnation) + std::string(to_string(state.journal)) + " " +
             state.boot.hex() + " [" + text_of(state.ranges) + "] [" + text_of(state.voids) + "] floor " +
             std::to_string(state.floor) + " final " + std::to_string(state.final.value_or(0));
      for (const Position released : state.released) out += " " + std::to_string(released);
      out += "\n";
    }
    return out;
  }

  static std::vector<std::pair<CommitNumber, WallTime>> all(StoreReader& reader, ScanQuery query) {
    std::vector<std::pair<CommitNumber, WallTime>> out;
    for (bool is_end = false; !is_end;) {
      const auto page = reader.scan(query).value();
      for (const StoredFrame& frame : page.frames) out.emplace_back(frame.number, frame.recorded);
      query.from = page.next;
      is_end = page.at_end;
    }
    return out;
  }

  static std::string frames(StoreReader& reader, ScanQuery query) {
    std::string out;
    query.bytes_max = 3000;
    for (bool is_end = false; !is_end;) {
      const auto page = reader.scan(query).value();
      for (const StoredFrame& frame : page.frames) {
        out += std::to_string(frame.number) + "/" + std::to_string(frame.position) + "/" + std::to_string(frame.held_for) +
               "/" + std::to_string(frame.recorded.ns) + std::string(as_text(frame.frame)) + "\n";
      }
      query.from = page.next;
      is_end = page.at_end;
    }
    return out;
  }

  static std::string parts(StoreReader& reader, StreamQuery query) {
    query.bytes_max = 1000;
    std::string bytes;
    const StreamPage whole = read_whole(reader, query, &bytes);
    return text_of(whole) + " of " + std::to_string(whole.stored_to) + bytes;
  }

  static std::string records(StoreReader& reader, const Origin& origin, JournalKind journal) {
    std::string out;
    PositionRange range{1, 10'000};
    for (;;) {
      const auto page = reader.read_journal(origin, journal, range, 2000).value();
      if (page.empty()) return out;
      for (const JournalRecord& each : page) {
        out += text_of({{each.first, each.last}}) + (each.is_void() ? " void" : std::string(as_text(*each.frame)));
        for (const StreamSpan& span : each.spans) out += span.type + std::to_string(span.first) + "-" + std::to_string(span.last);
        out += "\n";
      }
      range.first = page.back().last + 1;
    }
  }

  TempDir folder_;
  FaultyVfs vfs_{"legion-property"};
  std::mt19937 random_;
  std::vector<Truth> truths_;
  std::string path_;
  int images_ = 0;
  Position records_ = 0;
  WallTime now_ = noon;
  MemoryStore model_;
  std::unique_ptr<SqliteStore> sqlite_;
  std::unique_ptr<StoreReader> reader_;
};

RC_GTEST_PROP(StoreProperty, AnySequenceEqualsThePlainStore, ()) {
  World world(*rc::gen::arbitrary<unsigned>());
  // However short the sequence: every kind of step, and any number.
  const auto below = [](auto end) { return rc::gen::resize(rc::kNominalSize, rc::gen::inRange(decltype(end){0}, end)); };
  const auto number = [&] { return below(10'000u); };
  const auto steps = *rc::gen::scale(
      0.4, rc::gen::container<std::vector<Step>>(rc::gen::build<Step>(
               rc::gen::set(&Step::kind, below(11)), rc::gen::set(&Step::a, number()),
               rc::gen::set(&Step::b, number()), rc::gen::set(&Step::c, number()))));
  for (const Step& step : steps) {
    world.run(step);
    world.compare();
  }
}

}  // namespace
}  // namespace legion
