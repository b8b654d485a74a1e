// A store whose writes take time and can fail: MemoryStore as a disk would have it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "disk.hpp"

namespace legion::sim {

/// One life's view of what is on the disk. Thread: as Store says, of simulated threads.
class SimStore final : public Store {
 public:
  SimStore(Disk& disk, std::shared_ptr<MemoryStore> contents) : disk_(disk), contents_(std::move(contents)) {}

  const StoreId& id() const override { return contents_->id(); }
  Result<void> append(std::span<const JournalRecord> records, WallTime now) override;
  Result<void> bind(const Origin& origin, const BootId& boot) override;
  Result<void> set_released(const Origin& origin, JournalKind journal, std::uint8_t spools, Position through) override;
  Result<void> set_final(const Origin& origin, Position confirmed, Position captured) override;
  Result<void> set_floor(const Origin& origin, JournalKind journal, Position through) override;
  Result<void> mark(const std::string& name, WallTime now) override;
  Result<bool> maintain(WallTime now, const RetentionPolicy& retention) override;
  Result<void> backup(const std::string& path) override { return contents_->backup(path); }
  std::vector<JournalState> journals() const override { return contents_->journals(); }
  StoreFigures figures() const override { return contents_->figures(); }
  std::optional<std::string> frozen() const override { return frozen_; }
  Result<std::unique_ptr<StoreReader>> open_reader() override { return contents_->open_reader(); }

 private:
  /// Because of the disk's trouble.
  Result<void> freeze();
  /// Time for a transaction: what `write` does is durable somewhere in the middle.
  Result<void> transact(std::uint64_t records, const std::function<Result<void>()>& write);

  Disk& disk_;
  std::shared_ptr<MemoryStore> contents_;
  std::optional<std::string> frozen_;
};

}  // namespace legion::sim
