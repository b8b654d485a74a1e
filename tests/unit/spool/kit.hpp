// What the tests of the stores share: frames, records, and stores that can be closed and opened again.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <legion/event/frame.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/spool/memory_store.hpp>
#include <legion/spool/sqlite_store.hpp>

namespace legion::spool_test {

/// A directory that goes with its test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-spool-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline const Origin feed{"feed-1", 1'000'001};
inline const Origin desk{"desk-1", 2'000'001};
inline constexpr WallTime noon{1'700'000'000'000'000'000};

inline Event make_event(std::string type, std::uint64_t number) {
  Event event;
  event.type = std::move(type);
  event.source = "feed-1/trades";
  event.time = noon + Duration(static_cast<std::int64_t>(number) * 1000);
  MsgpackWriter data;
  data.map(1);
  data.str("number");
  data.uint(number);
  event.data = data.take();
  return event;
}

inline SharedBytes frame_of(const Origin& origin, const std::vector<Event>& events, std::uint64_t first,
                            Priority lane = Priority::Normal, std::uint8_t shard = 0) {
  FrameBuilder builder;
  builder.begin(origin, lane, events.front().type, shard, first);
  for (const Event& event : events) {
    auto encoded = encode_event(event, shard, limits::record_bytes_max);
    EXPECT_TRUE(encoded) << encoded.error().message;
    if (encoded) builder.append(encoded->bytes);
  }
  return std::make_shared<const Bytes>(builder.finish());
}

/// A frame of `count` events, sequences `first` and so on.
inline SharedBytes plain_frame(const Origin& origin, const std::string& type, std::uint64_t first, int count = 1) {
  std::vector<Event> events;
  for (int i = 0; i < count; ++i) events.push_back(make_event(type, first + static_cast<std::uint64_t>(i)));
  return frame_of(origin, events, first);
}

inline JournalRecord record(const Origin& origin, JournalKind journal, Position position, SharedBytes frame,
                            std::uint8_t held_for = 0) {
  return {origin, journal, position, position, held_for, std::move(frame), {}};
}

/// One event of `type` with sequence = position, in the captured journal.
inline JournalRecord captured(const Origin& origin, Position position, const std::string& type = "market.tick") {
  return record(origin, JournalKind::Captured, position, plain_frame(origin, type, position));
}

inline JournalRecord void_of(const Origin& origin, PositionRange range, std::vector<StreamSpan> spans,
                             JournalKind journal = JournalKind::Captured) {
  return {origin, journal, range.first, range.last, 0, nullptr, std::move(spans)};
}

inline StreamSpan span_of(std::uint64_t first, std::uint64_t last, std::string type = "market.tick") {
  return {Priority::Normal, std::move(type), 0, first, last};
}

inline StreamId stream(const Origin& origin, std::string type = "market.tick") {
  return {origin, Priority::Normal, std::move(type), 0};
}

inline SharedBytes record_frame(const Origin& origin, std::uint64_t first, const std::vector<SpoolRecord>& records,
                                WallTime time = noon) {
  std::vector<Event> events;
  for (const SpoolRecord& each : records) {
    Event event = make_event(std::string(record_type), first);
    event.time = time;
    event.data = encode(each);
    events.push_back(event);
  }
  return frame_of(origin, events, first, Priority::High);
}

/// What a page says, as text: "frame 1-3, missing 4-9, never 10-12 voided".
inline std::string text_of(const StreamPage& page) {
  std::string out;
  for (const StreamPage::Part& part : page.parts) {
    if (!out.empty()) out += ", ";
    using Kind = StreamPage::Part::Kind;
    out += part.kind == Kind::Frame ? "frame " : part.kind == Kind::Missing ? "missing " : "never ";
    out += std::to_string(part.first) + "-" + (part.last == UINT64_MAX - 1 ? "end" : std::to_string(part.last));
    if (part.kind == Kind::Never) out += " " + std::string(to_string(part.why));
  }
  return out;
}

/// All of a stream that a question is for, page after page, as the text of one page; `bytes` takes those of its frames.
inline StreamPage read_whole(StoreReader& reader, StreamQuery query, std::string* bytes = nullptr) {
  StreamPage whole;
  const std::uint64_t last = std::min(query.last, UINT64_MAX - 1);
  whole.next = query.first;
  while (whole.next <= last) {
    query.first = whole.next;
    const auto page = reader.read_stream(query);
    EXPECT_TRUE(page) << page.error().message;
    if (!page) return whole;
    EXPECT_GT(page->next, query.first) << "no progress";
    if (page->next <= query.first) return whole;
    for (const StreamPage::Part& part : page->parts) {
      if (bytes != nullptr) *bytes += as_text(part.frame);
      const bool joins = !whole.parts.empty() && part.kind != StreamPage::Part::Kind::Frame &&
                         whole.parts.back().kind == part.kind && whole.parts.back().why == part.why;
      if (joins) {
        whole.parts.back().last = part.last;
      } else {
        whole.parts.push_back({part.kind, part.first, part.last, part.why, {}});
      }
    }
    whole.next = page->next;
    whole.stored_to = page->stored_to;
  }
  return whole;
}

inline std::string text_of(const std::vector<PositionRange>& ranges) {
  std::string out;
  for (const PositionRange& range : ranges) {
    if (!out.empty()) out += " ";
    out += std::to_string(range.first) + "-" + std::to_string(range.last);
  }
  return out;
}

inline JournalState journal_of(const Store& store, const Origin& origin, JournalKind kind = JournalKind::Captured) {
  for (const JournalState& state : store.journals()) {
    if (state.origin == origin && state.journal == kind) return state;
  }
  return {};
}

enum class StoreKind { Memory, Sqlite };

/// A store of either kind; close() and open() lose nothing.
class StoreRig {
 public:
  explicit StoreRig(StoreKind kind, SqliteStore::Options options = {}) : kind_(kind), options_(std::move(options)) {
    open();
  }

  Store& store() { return *store_; }
  SqliteStore& sqlite() { return static_cast<SqliteStore&>(*store_); }
  StoreReader& reader() {
    if (!reader_) {
      auto opened = store_->open_reader();
      EXPECT_TRUE(opened) << opened.error().message;
      reader_ = std::move(*opened);
    }
    return *reader_;
  }
  std::string path() const { return folder_.file("spool.db"); }
  std::string file(const std::string& name) const { return folder_.file(name); }

  void close() {
    if (kind_ == StoreKind::Memory) return;
    reader_.reset();
    store_.reset();
  }
  void open() {
    if (kind_ == StoreKind::Memory) {
      if (!store_) store_ = std::make_unique<MemoryStore>();
      return;
    }
    auto opened = SqliteStore::open(path(), options_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void reopen() {
    close();
    open();
  }

  /// Until nothing waits.
  void maintain(WallTime now = noon, const RetentionPolicy& retention = {}) {
    for (int i = 0; i < 10'000; ++i) {
      const auto more = store_->maintain(now, retention);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
    FAIL() << "housekeeping never ends";
  }

  void append(std::vector<JournalRecord> records, WallTime now = noon) {
    const auto appended = store_->append(records, now);
    ASSERT_TRUE(appended) << appended.error().message;
  }

  std::string read(const StreamId& id, std::uint64_t first = 1, std::uint64_t last = UINT64_MAX) {
    return text_of(read_whole(reader(), {.stream = id, .first = first, .last = last}));
  }

  /// Commit numbers of all frames a question finds, page after page.
  std::vector<CommitNumber> scan(ScanQuery query = {}) {
    std::vector<CommitNumber> out;
    for (;;) {
      const auto page = reader().scan(query);
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return out;
      for (const StoredFrame& frame : page->frames) out.push_back(frame.number);
      EXPECT_TRUE(page->at_end || page->next > query.from || !page->frames.empty()) << "no progress";
      if (page->at_end) return out;
      query.from = page->next;
    }
  }

 private:
  TempDir folder_;
  StoreKind kind_;
  SqliteStore::Options options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<StoreReader> reader_;
};

}  // namespace legion::spool_test
