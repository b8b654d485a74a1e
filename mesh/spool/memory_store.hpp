// A store in memory: what the others are measured by, and what tests use that need none on disk.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <legion/spool/store.hpp>

namespace legion {

/// Plain: every answer follows from its definition, frames are looked up by stream. Nothing is durable.
///
/// Thread: all of it, its readers included, from one thread at a time. Ownership: readers may outlive it.
/// Retention takes what came in one append as a block, and counts the bytes of frames. backup() is refused.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(StoreId id = {});
  ~MemoryStore() override;

  const StoreId& id() const override;
  Result<void> append(std::span<const JournalRecord> records, WallTime now) override;
  Result<void> bind(const Origin& origin, const BootId& boot) override;
  Result<void> set_released(const Origin& origin, JournalKind journal, std::uint8_t spools, Position through) override;
  Result<void> set_final(const Origin& origin, Position confirmed, Position captured) override;
  Result<void> set_floor(const Origin& origin, JournalKind journal, Position through) override;
  Result<void> mark(const std::string& name, WallTime now) override;
  Result<bool> maintain(WallTime now, const RetentionPolicy& retention) override;
  Result<void> backup(const std::string& path) override;
  std::vector<JournalState> journals() const override;
  StoreFigures figures() const override;
  std::optional<std::string> frozen() const override;
  Result<std::unique_ptr<StoreReader>> open_reader() override;

  /// For tests: from now on every write answers Io with this reason.
  void freeze(const std::string& reason);
  /// For tests: as retention would, takes every event before `number`.
  void trim_before(CommitNumber number);
  /// For tests: what came in one append with this frame is damaged, set aside and no longer there. Returns how many
  /// frames that were.
  std::size_t damage(CommitNumber number);

  struct State;

 private:
  // With the readers, which may outlive the store.
  std::shared_ptr<State> state_;
};

}  // namespace legion
