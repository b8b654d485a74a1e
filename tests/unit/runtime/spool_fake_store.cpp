#include "spool_fake_store.hpp"

#include <algorithm>
#include <fstream>

#include <legion/event/frame.hpp>

namespace legion::test {

namespace {

std::string name_of(const Origin& origin) { return origin.node + ":" + std::to_string(origin.incarnation); }

StreamId stream_of(const FrameHeader& header) {
  return {{std::string(header.origin), header.incarnation}, header.lane, std::string(header.type), header.shard};
}

}  // namespace

void FakeDisk::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void FakeDisk::let_go() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  changed_.notify_all();
}

bool FakeDisk::is_held() const {
  const std::lock_guard lock(mutex_);
  return waiting_ > 0;
}

void FakeDisk::fail_next(std::string reason) {
  const std::lock_guard lock(mutex_);
  fail_next_ = std::move(reason);
}

void FakeDisk::lose(Position position) {
  const std::lock_guard lock(mutex_);
  std::erase_if(rows_, [&](const Row& row) { return row.record.first == position; });
  ++quarantined_;
}

void FakeDisk::thaw() {
  const std::lock_guard lock(mutex_);
  frozen_.reset();
}

std::vector<FakeDisk::Row> FakeDisk::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

std::vector<Position> FakeDisk::positions(const Origin& origin, JournalKind journal) const {
  const std::lock_guard lock(mutex_);
  std::vector<Position> positions;
  for (const Row& row : rows_) {
    if (row.record.origin != origin || row.record.journal != journal) continue;
    for (Position at = row.record.first; at <= row.record.last; ++at) positions.push_back(at);
  }
  std::ranges::sort(positions);
  return positions;
}

std::vector<std::size_t> FakeDisk::batches() const {
  const std::lock_guard lock(mutex_);
  return batches_;
}

std::vector<std::string> FakeDisk::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::uint64_t FakeDisk::maintained() const {
  const std::lock_guard lock(mutex_);
  return maintained_;
}

std::vector<JournalState> FakeDisk::journals() const {
  const std::lock_guard lock(mutex_);
  std::vector<JournalState> states;
  for (const auto& [origin, boot] : boots_) {
    for (const JournalKind kind : all_journals) {
      JournalState state;
      state.origin = origin;
      state.journal = kind;
      state.boot = boot;
      std::vector<PositionRange> ranges;
      for (const Row& row : rows_) {
        if (row.record.origin == origin && row.record.journal == kind)
          ranges.push_back({row.record.first, row.record.last});
      }
      std::ranges::sort(ranges);
      for (const PositionRange& range : ranges) {
        if (!state.ranges.empty() && range.first <= state.ranges.back().last + 1) {
          state.ranges.back().last = std::max(state.ranges.back().last, range.last);
        } else {
          state.ranges.push_back(range);
        }
      }
      states.push_back(std::move(state));
    }
  }
  return states;
}

/// Looks at the rows as they are at each call.
class FakeReader : public StoreReader {
 public:
  explicit FakeReader(std::shared_ptr<FakeDisk> disk) : disk_(std::move(disk)) {}

  Result<ScanPage> scan(const ScanQuery& query) override {
    rows_ = disk_->rows();
    ScanPage page;
    page.next = query.from;
    std::size_t bytes = 0;
    std::size_t looked_at = 0;
    for (const auto& row : rows_) {
      if (row.number < query.from || row.record.is_void()) continue;
      if (query.until && row.number > *query.until) break;
      if (bytes >= query.bytes_max || looked_at++ == query.blocks_max) return page;
      page.next = row.number + 1;
      const auto header = decode_frame_header(*row.record.frame);
      const auto wanted = [&](const Filter& filter) { return filter.matches(header->type); };
      if (!header || (!query.types.empty() && std::ranges::none_of(query.types, wanted))) continue;
      bytes += row.record.frame->size();
      page.frames.push_back({row.number, row.record.journal, row.record.first, row.record.held_for, row.recorded,
                             BytesView(*row.record.frame)});
    }
    page.at_end = true;
    return page;
  }

  Result<StreamPage> read_stream(const StreamQuery& query) override {
    rows_ = disk_->rows();
    StreamPage page;
    page.next = query.first;
    std::size_t bytes = 0;
    for (const auto& row : rows_) {
      const auto header = decode_frame_header(*row.record.frame);
      if (!header || stream_of(*header) != query.stream) continue;
      const std::uint64_t last = header->first_sequence + header->event_count - 1;
      page.stored_to = last;
      if (last < query.first || header->first_sequence > query.last || bytes >= query.bytes_max) continue;
      if (header->first_sequence > page.next) {
        page.parts.push_back({StreamPage::Part::Kind::Never, page.next, header->first_sequence - 1, Never::Voided, {}});
      }
      bytes += row.record.frame->size();
      page.parts.push_back(
          {StreamPage::Part::Kind::Frame, header->first_sequence, last, {}, BytesView(*row.record.frame)});
      page.next = last + 1;
    }
    return page;
  }

  Result<std::vector<JournalRecord>> read_journal(const Origin& origin, JournalKind journal, PositionRange range,
                                                  std::size_t bytes_max) override {
    std::vector<JournalRecord> records;
    std::size_t bytes = 0;
    for (const auto& row : disk_->rows()) {
      const bool asked = row.record.origin == origin && row.record.journal == journal &&
                         row.record.last >= range.first && row.record.first <= range.last;
      if (!asked || bytes >= bytes_max) continue;
      bytes += row.record.frame ? row.record.frame->size() : 0;
      records.push_back(row.record);
    }
    return records;
  }

  Result<std::vector<StreamTail>> tails(const Filter& filter, const std::optional<StreamId>& after,
                                        std::size_t max) override {
    std::vector<StreamTail> tails;
    for (const auto& row : disk_->rows()) {
      const auto header = decode_frame_header(*row.record.frame);
      if (!header || !filter.matches(header->type)) continue;
      const StreamTail tail{stream_of(*header), header->first_sequence + header->event_count};
      const auto found = std::ranges::find(tails, tail.stream, &StreamTail::stream);
      if (found != tails.end()) {
        found->next = tail.next;
      } else {
        tails.push_back(tail);
      }
    }
    std::ranges::sort(tails, {}, &StreamTail::stream);
    std::erase_if(tails, [&](const StreamTail& tail) { return after && tail.stream <= *after; });
    if (tails.size() > max) tails.resize(max);
    return tails;
  }

  Result<std::optional<CommitNumber>> at(WallTime time) override {
    for (const auto& row : disk_->rows()) {
      if (row.recorded >= time) return std::optional(row.number);
    }
    return std::optional<CommitNumber>();
  }
  Result<std::optional<CommitNumber>> find(const EventId& event) override {
    for (const auto& row : disk_->rows()) {
      const auto header = decode_frame_header(*row.record.frame);
      if (header && header->type == event.type && header->first_sequence <= event.sequence &&
          event.sequence < header->first_sequence + header->event_count) {
        return std::optional(row.number);
      }
    }
    return std::optional<CommitNumber>();
  }

  Result<std::vector<CursorState>> cursors() override { return disk_->cursors; }
  Result<std::optional<CursorState>> cursor(std::string_view subscription) override {
    for (const CursorState& one : disk_->cursors) {
      if (one.merged.subscription == subscription) return std::optional(one);
    }
    return std::optional<CursorState>();
  }
  Result<std::vector<AttemptRecord>> attempts(std::string_view subscription) override {
    std::vector<AttemptRecord> found = disk_->attempts;
    std::erase_if(found, [&](const AttemptRecord& one) { return one.subscription != subscription; });
    return found;
  }
  Result<std::vector<LetterRecord>> letters(const LetterQuery& query) override {
    std::vector<LetterRecord> found = disk_->letters;
    std::ranges::sort(found, {}, &LetterRecord::key);
    std::erase_if(found, [&](const LetterRecord& one) {
      return one.key() <= query.after || (query.state && one.state != *query.state);
    });
    if (found.size() > query.max) found.resize(query.max);
    return found;
  }
  Result<std::vector<std::pair<std::string, CommitNumber>>> marks() override {
    const std::lock_guard lock(disk_->mutex_);
    return disk_->marks_;
  }
  // As long as the disk is held.
  Result<VerifyReport> verify(Depth, const std::function<bool(std::uint64_t, std::uint64_t)>& go_on) override {
    VerifyReport report;
    for (;;) {
      if (!go_on(0, 1)) return report;
      std::unique_lock lock(disk_->mutex_);
      disk_->changed_.wait_for(lock, std::chrono::milliseconds(1), [this] { return !disk_->held_; });
      if (disk_->held_) continue;
      report.frames = disk_->rows_.size();
      report.damage.push_back({3, 7, 9, "checksum"});
      report.holes.push_back({"a:7:confirmed", {4, 5}});
      return report;
    }
  }

 private:
  std::shared_ptr<FakeDisk> disk_;  // the store and the test look at it too
  std::vector<FakeDisk::Row> rows_;  // what the last page points into
};

FakeStore::FakeStore(std::shared_ptr<FakeDisk> disk) : disk_(std::move(disk)) { id_.bytes[0] = 42; }

Result<void> FakeStore::append(std::span<const JournalRecord> records, WallTime now) {
  std::unique_lock lock(disk_->mutex_);
  if (disk_->frozen_) return fail(ErrorCode::Io, *disk_->frozen_);
  ++disk_->waiting_;
  disk_->changed_.wait(lock, [this] { return !disk_->held_; });
  --disk_->waiting_;
  if (disk_->fail_next_) {
    disk_->frozen_ = std::exchange(disk_->fail_next_, std::nullopt);
    return fail(ErrorCode::Io, *disk_->frozen_);
  }
  disk_->say("append " + std::to_string(records.size()));
  disk_->batches_.push_back(records.size());
  for (const JournalRecord& record : records) {
    const bool there = std::ranges::any_of(disk_->rows_, [&](const FakeDisk::Row& row) {
      return row.record.origin == record.origin && row.record.journal == record.journal &&
             row.record.first <= record.first && record.first <= row.record.last;
    });
    if (!there) disk_->rows_.push_back({disk_->rows_.size() + 1, record, now});
  }
  return {};
}

Result<void> FakeStore::bind(const Origin& origin, const BootId& boot) {
  const std::lock_guard lock(disk_->mutex_);
  disk_->say("bind " + name_of(origin));
  const auto found = std::ranges::find(disk_->boots_, origin, &std::pair<Origin, BootId>::first);
  if (found == disk_->boots_.end()) {
    disk_->boots_.emplace_back(origin, boot);
    return {};
  }
  if (found->second != boot) return fail(ErrorCode::Refused, name_of(origin) + " is bound to another boot");
  return {};
}

Result<void> FakeStore::set_released(const Origin& origin, JournalKind journal, std::uint8_t spools, Position through) {
  const std::lock_guard lock(disk_->mutex_);
  disk_->say("released " + name_of(origin) + " " + std::to_string(spools) + " " + std::string(to_string(journal)) +
             " " + std::to_string(through));
  return {};
}

Result<void> FakeStore::set_final(const Origin& origin, Position confirmed, Position captured) {
  const std::lock_guard lock(disk_->mutex_);
  disk_->say("final " + name_of(origin) + " " + std::to_string(confirmed) + " " + std::to_string(captured));
  return {};
}

Result<void> FakeStore::mark(const std::string& name, WallTime) {
  const std::lock_guard lock(disk_->mutex_);
  disk_->say("mark " + name);
  disk_->marks_.emplace_back(name, disk_->rows_.size() + 1);
  return {};
}

Result<bool> FakeStore::maintain(WallTime, const RetentionPolicy&) {
  const std::lock_guard lock(disk_->mutex_);
  return ++disk_->maintained_ % 4 != 0;
}

Result<void> FakeStore::backup(const std::string& path) {
  std::ofstream(path) << "backup";
  return {};
}

StoreFigures FakeStore::figures() const {
  const std::lock_guard lock(disk_->mutex_);
  StoreFigures figures;
  figures.frames = disk_->rows_.size();
  figures.next_commit = disk_->rows_.size() + 1;
  figures.quarantined = disk_->quarantined_;
  return figures;
}

std::optional<std::string> FakeStore::frozen() const {
  const std::lock_guard lock(disk_->mutex_);
  return disk_->frozen_;
}

Result<std::unique_ptr<StoreReader>> FakeStore::open_reader() { return std::make_unique<FakeReader>(disk_); }

}  // namespace legion::test
