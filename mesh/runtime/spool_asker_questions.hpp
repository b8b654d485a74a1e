// Every question to a spool, with what its answer is read as.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <legion/runtime/spool_queries.hpp>

namespace legion {

/// What is asked, and how the answer is read.
template <class Answer>
struct SpoolQuestion {
  std::string_view method;  ///< static
  Bytes params;
  std::function<Result<Answer>(const SpoolReply&)> read;
};

/// An answer that only says that it is done.
struct SpoolDone {};

namespace spool_question {

SpoolQuestion<SpoolPage> scan(const ScanQuery& query);
SpoolQuestion<std::optional<CommitNumber>> at(WallTime time);
SpoolQuestion<std::optional<CommitNumber>> find(const EventId& event);
SpoolQuestion<SpoolMarks> marks();
/// Answered with the number the mark stands for.
SpoolQuestion<CommitNumber> mark(std::string_view name);
SpoolQuestion<SpoolStreamPage> stream(const StreamQuery& query);
SpoolQuestion<SpoolJournals> journals(const JournalsQuery& query = {});
SpoolQuestion<std::vector<JournalRecord>> journal(const JournalQuery& query);
SpoolQuestion<SpoolTails> tails(const TailsQuery& query);
/// Ordered by subscription, behind `after`; empty: that was the end.
SpoolQuestion<std::vector<CursorState>> cursors(std::string_view after = {});
SpoolQuestion<std::optional<CursorState>> cursor(std::string_view subscription);
/// Ordered by event id, behind `after`; empty: that was the end.
SpoolQuestion<std::vector<AttemptRecord>> attempts(std::string_view subscription, std::string_view after = {});
/// Ordered by LetterRecord::key(), behind `query.after`; empty: that was the end.
SpoolQuestion<std::vector<LetterRecord>> letters(const LetterQuery& query);
/// Refused with the name of the holder.
SpoolQuestion<SpoolDone> claim(const ClaimQuery& query);
SpoolQuestion<SpoolDone> unclaim(const ClaimQuery& query);
SpoolQuestion<SpoolInfo> info();
SpoolQuestion<VerifyReport> verify(StoreReader::Depth depth);
/// `path` is absolute, on the spool's machine. Answered with the bytes written.
SpoolQuestion<std::uint64_t> backup(std::string_view path);

}  // namespace spool_question
}  // namespace legion
