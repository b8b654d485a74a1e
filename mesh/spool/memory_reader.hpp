// Reading a MemoryStore. Internal to this layer.
#pragma once

#include <memory>
#include <vector>

#include <legion/spool/memory_state.hpp>

namespace legion::spool {

class MemoryReader final : public StoreReader {
 public:
  explicit MemoryReader(std::shared_ptr<MemoryStore::State> state) : state_(std::move(state)) {}
  Result<ScanPage> scan(const ScanQuery& query) override;
  Result<StreamPage> read_stream(const StreamQuery& query) override;
  Result<std::vector<JournalRecord>> read_journal(const Origin& origin, JournalKind journal, PositionRange range,
                                                  std::size_t bytes_max) override;
  Result<std::vector<StreamTail>> tails(const Filter& filter, const std::optional<StreamId>& after,
                                        std::size_t max) override;
  Result<std::optional<CommitNumber>> at(WallTime time) override;
  Result<std::optional<CommitNumber>> find(const EventId& event) override;
  Result<std::vector<CursorState>> cursors() override;
  Result<std::optional<CursorState>> cursor(std::string_view subscription) override;
  Result<std::vector<AttemptRecord>> attempts(std::string_view subscription) override;
  Result<std::vector<LetterRecord>> letters(const LetterQuery& query) override;
  Result<std::vector<std::pair<std::string, CommitNumber>>> marks() override;
  Result<VerifyReport> verify(Depth depth, const std::function<bool(std::uint64_t, std::uint64_t)>& go_on) override;

 private:
  // With the store, which it may outlive.
  std::shared_ptr<MemoryStore::State> state_;
  std::vector<SharedBytes> held_;  ///< what the last answer points into
};

}  // namespace legion::spool
