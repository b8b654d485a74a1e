// A store in memory whose commits the test holds up, fails and watches.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <legion/spool/store.hpp>

namespace legion::test {

/// What is in the store, and what the test does to it. Shared by the store, its readers and the test.
class FakeDisk {
 public:
  struct Row {
    CommitNumber number = 0;
    JournalRecord record;
    WallTime recorded;
  };

  /// From now on a transaction waits until it is let go.
  void hold();
  void let_go();
  /// A transaction is waiting.
  bool is_held() const;
  /// The next transaction fails, and freezes the store.
  void fail_next(std::string reason);
  /// The block with this position, of whatever journal, is damaged and set aside.
  void lose(Position position);
  /// As if the process had been restarted on a sound disk.
  void thaw();

  std::vector<Row> rows() const;
  std::vector<Position> positions(const Origin& origin, JournalKind journal) const;
  /// How many records each transaction had.
  std::vector<std::size_t> batches() const;
  /// "bind a:7", "append 3", "released a:7 1 confirmed 5", "final a:7 4 0", "mark m", in order; housekeeping is only
  /// counted.
  std::vector<std::string> calls() const;
  std::uint64_t maintained() const;
  std::vector<JournalState> journals() const;

  // For the readers.
  std::vector<CursorState> cursors;
  std::vector<AttemptRecord> attempts;
  std::vector<LetterRecord> letters;

 private:
  friend class FakeStore;
  friend class FakeReader;
  void say(std::string call) { calls_.push_back(std::move(call)); }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::size_t waiting_ = 0;
  std::optional<std::string> fail_next_;
  std::optional<std::string> frozen_;
  std::vector<Row> rows_;
  std::vector<std::size_t> batches_;
  std::vector<std::string> calls_;
  std::vector<std::pair<std::string, CommitNumber>> marks_;
  std::vector<std::pair<Origin, BootId>> boots_;
  std::uint64_t maintained_ = 0;
  std::uint64_t quarantined_ = 0;
};

class FakeStore : public Store {
 public:
  explicit FakeStore(std::shared_ptr<FakeDisk> disk);

  const StoreId& id() const override { return id_; }
  Result<void> append(std::span<const JournalRecord> records, WallTime now) override;
  Result<void> bind(const Origin& origin, const BootId& boot) override;
  Result<void> set_released(const Origin& origin, JournalKind journal, std::uint8_t spools, Position through) override;
  Result<void> set_floor(const Origin&, JournalKind, Position) override { return {}; }
  Result<void> set_final(const Origin& origin, Position confirmed, Position captured) override;
  Result<void> mark(const std::string& name, WallTime now) override;
  Result<bool> maintain(WallTime now, const RetentionPolicy& retention) override;
  Result<void> backup(const std::string& path) override;
  std::vector<JournalState> journals() const override { return disk_->journals(); }
  StoreFigures figures() const override;
  std::optional<std::string> frozen() const override;
  Result<std::unique_ptr<StoreReader>> open_reader() override;

 private:
  std::shared_ptr<FakeDisk> disk_;  // the test and the readers look at it too
  StoreId id_;
};

}  // namespace legion::test
