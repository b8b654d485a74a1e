// The questions legion-cli asks of a spool.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/cli/spool_ask.hpp>
#include <legion/runtime/spool_asker_questions.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_queries_group.hpp>

namespace legion::cli {

/// Thread: the command's. Bounds: one page an answer; lists that come in several pages say how much they hold at most.
/// Errors: as SpoolAsk; BadData names the question and the member.
class SpoolQueries {
 public:
  SpoolQueries(std::string name, std::unique_ptr<SpoolAsk> ask, Duration timeout)
      : name_(std::move(name)), ask_(std::move(ask)), timeout_(timeout) {}

  /// The node's, or the path of a file.
  const std::string& name() const { return name_; }
  void set_timeout(Duration timeout) { timeout_ = timeout; }

  /// Frames ascend, and `next` moves on unless the end is reached.
  Result<SpoolPage> scan(const ScanQuery& query);
  Result<std::optional<CommitNumber>> find(const EventId& event);
  Result<SpoolMarks> marks();
  Result<CommitNumber> mark(std::string_view name);
  /// Every stream that matches; at most a million.
  Result<std::vector<StreamTail>> tails(const Filter& filter);
  /// The parts from this sequence on, as many as fit.
  Result<SpoolStreamPage> stream(const StreamQuery& query);
  /// All of them; at most 100,000.
  Result<std::vector<CursorState>> cursors();
  /// One page, behind `query.after`; empty: that was the end.
  Result<std::vector<LetterRecord>> letters(const LetterQuery& query);
  struct LetterKey {
    std::string event;
    std::string agent;
    std::uint32_t round = 1;
  };
  /// Returns how many it purged.
  Result<std::uint64_t> purge(const std::vector<LetterKey>& keys);
  /// A change to a durable subscription whose consumer is away.
  Result<void> change_subscription(BytesView params);
  Result<SpoolInfo> info();
  /// Those it is the home of.
  Result<std::vector<GroupHome::View>> groups();
  Result<VerifyReport> verify(StoreReader::Depth depth);
  /// To a path on the spool's host. Returns the bytes written.
  Result<std::uint64_t> backup(const std::string& path);
  /// All of them; at most a million.
  Result<std::vector<JournalState>> journals();
  Result<std::vector<JournalRecord>> journal(const JournalQuery& query);

 private:
  template <class Answer>
  Result<Answer> ask(const SpoolQuestion<Answer>& question);

  std::string name_;
  std::unique_ptr<SpoolAsk> ask_;
  Duration timeout_;
};

}  // namespace legion::cli
