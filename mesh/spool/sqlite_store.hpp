// The store of a spool: SQLite with compressed blocks. Format: docs/spool-format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <legion/spool/store.hpp>

namespace legion {

/// Thread: as Store says; SQLite's locks stand between the writing half and the readers. Readers may outlive the store.
/// backup() may be called from any thread; it holds a reader for its whole length.
/// Bounds: the write-ahead log is copied back at `log_bytes` by maintain() and at four times that by append() itself;
/// memory: the ranges of all journals, one block, and 16 MiB of pages; each reader 4 MiB of pages and a few blocks.
/// Errors: as Store says. BadData from the reading half: the file is damaged there.
class SqliteStore final : public Store {
 public:
  enum class Mode : std::uint8_t { ReadWrite, ReadOnly };
  struct Options {
    Mode mode = Mode::ReadWrite;             ///< ReadOnly: everything that writes answers Refused; another may write meanwhile
    std::size_t block_bytes = 1 << 20;       ///< frames a block is filled up to
    std::uint32_t page_bytes = 16384;        ///< of a store that is made by this
    std::uint64_t log_bytes = 16ull << 20;
    std::function<SteadyTime()> clock{};     ///< for StoreFigures::last_commit; without one it stays 0
    std::string vfs{};                       ///< of SQLite; empty: the default one
  };
  /// Makes the store where there is none, unless it is to be read only. On return everything that was found is on disk.
  /// Errors: Refused (another process has it), WrongVersion (of a later legion), BadData (not a store, or damaged
  /// beyond opening), NotFound (read only, and there is none), Io.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, Options options);
  ~SqliteStore() override;

  /// What was not as it should be when it was opened, and what was done about it; for the log. Mostly empty.
  const std::vector<std::string>& findings() const;

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

  struct State;
  explicit SqliteStore(std::unique_ptr<State> state);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace legion
