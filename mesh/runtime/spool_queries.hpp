// The questions a spool answers and their answers, as messages. Wire form: docs/protocol.md, "Spool queries".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/event/journal.hpp>
#include <legion/spool/store.hpp>

namespace legion {

inline constexpr std::uint64_t spool_query_tag = 16;
inline constexpr std::uint64_t spool_answer_tag = 17;

/// Frames in one answer: more is not given, whatever is asked for. One frame is always given.
inline constexpr std::size_t spool_page_bytes_max = 4u << 20;
/// Entries of one list in an answer.
inline constexpr std::size_t spool_page_entries_max = 16384;
/// Questions of one connection that a spool's readers take at once; an asker keeps the others to itself.
inline constexpr std::size_t spool_questions_per_peer_max = 8;
inline constexpr std::size_t subscription_name_bytes_max = 128;
/// Result of one answer, without the frames: below what a part of an answer may have
/// (legion/transport/spool_sockets.hpp).
inline constexpr std::size_t spool_result_bytes_max = 31u << 20;

// --- heads
// ------------------------------------------------------------------------------------------------------------
/// The first number of a head: what kind of message it is. Nothing: no message of ours.
std::optional<std::uint64_t> spool_message_tag(BytesView head);

struct SpoolQueryView {
  std::uint64_t id = 0;
  std::string_view method;
  BytesView params;  ///< one MessagePack value
};
struct SpoolAnswerView {
  std::uint64_t id = 0;
  std::optional<Error> error;
  BytesView result;                  ///< one MessagePack value; nil beside an error
  std::vector<std::uint32_t> sizes;  ///< of the frames in the body
};

/// What is sent: the result, and the frames it speaks of one behind the other.
struct SpoolAnswer {
  Bytes result;
  std::vector<std::uint32_t> sizes;
  std::shared_ptr<const Bytes> body;  ///< shared with ZeroMQ, which sends it without copying; null: no frames
};
/// What has come: the same, cut into its frames.
struct SpoolReply {
  Bytes result;
  std::vector<BytesView> frames;
  std::shared_ptr<const void> owner;  ///< of the frames; shared: decoded frames outlive the reply
};

/// Empty params and results go out as nil.
Bytes encode_spool_query(std::uint64_t id, std::string_view method, BytesView params);
Bytes encode_spool_answer(std::uint64_t id, const SpoolAnswer& answer);
Bytes encode_spool_error(std::uint64_t id, const Error& error);
/// Errors: BadData.
Result<SpoolQueryView> decode_spool_query(BytesView head);
Result<SpoolAnswerView> decode_spool_answer(BytesView head);
/// Errors: BadData when the sizes are not those of this body.
Result<std::vector<BytesView>> cut_body(const std::vector<std::uint32_t>& sizes, BytesView body);

// --- params
// -----------------------------------------------------------------------------------------------------------
struct JournalQuery {
  Origin origin;
  JournalKind journal = JournalKind::Confirmed;
  PositionRange range{1, UINT64_MAX};
  std::size_t bytes_max = 1u << 20;
};
struct TailsQuery {
  Filter filter;
  std::optional<StreamId> after;
  std::size_t max = 1000;
};
/// The entries of a list behind `after`, in order, as many as fit; none: that was the end.
struct PageQuery {
  std::string subscription;  ///< of attempts
  std::string after;         ///< of cursors a subscription, of attempts an event id; empty: from the beginning
};
struct JournalsQuery {
  std::optional<std::pair<Origin, JournalKind>> after;
};
struct ClaimQuery {
  std::string subscription;
  Origin holder;
  BootId boot;
};

Bytes encode_params(const ScanQuery& query);
Bytes encode_params(const StreamQuery& query);
Bytes encode_params(const JournalQuery& query);
Bytes encode_params(const JournalsQuery& query);
Bytes encode_params(const TailsQuery& query);
Bytes encode_params(const PageQuery& query);
Bytes encode_params(const LetterQuery& query);
Bytes encode_params(const ClaimQuery& query);
Bytes encode_params(StoreReader::Depth depth);
Bytes encode_params(WallTime time);
/// {key: text}: find {event}, mark {name}, cursor {subscription}, backup {path}.
Bytes encode_params(std::string_view key, std::string_view text);

/// Errors: BadData or InvalidArgument naming the member. What bounds an answer is brought within the bounds above.
Result<ScanQuery> decode_scan_query(BytesView params);
Result<StreamQuery> decode_stream_query(BytesView params);
Result<JournalQuery> decode_journal_query(BytesView params);
Result<JournalsQuery> decode_journals_query(BytesView params);
Result<TailsQuery> decode_tails_query(BytesView params);
Result<PageQuery> decode_page_query(BytesView params);
Result<LetterQuery> decode_letter_query(BytesView params);
Result<ClaimQuery> decode_claim_query(BytesView params);
Result<StoreReader::Depth> decode_depth(BytesView params);
Result<WallTime> decode_time(BytesView params);
Result<std::string> decode_text(BytesView params, std::string_view key, std::size_t bytes_max);

// --- results
// ----------------------------------------------------------------------------------------------------------
/// Keeps the bytes its frames point into.
struct SpoolPage {
  StoreId store;
  std::vector<StoredFrame> frames;
  CommitNumber next = 1;
  bool at_end = false;
  std::shared_ptr<const void> owner;  ///< shared: decoded frames outlive the page
};
struct SpoolStreamPage {
  StreamPage page;
  std::shared_ptr<const void> owner;  ///< shared: decoded frames outlive the page
};
struct SpoolJournals {
  StoreId store;
  std::vector<JournalState> journals;
  bool more = false;
};
struct SpoolTails {
  std::vector<StreamTail> tails;
  bool more = false;
};
using SpoolMarks = std::vector<std::pair<std::string, CommitNumber>>;

/// How a spool is.
struct SpoolInfo {
  StoreId store;
  StoreFigures figures;                 ///< as of the last commit or housekeeping
  std::optional<std::string> frozen;    ///< why nothing is confirmed any more

  std::uint64_t links = 0;              ///< nodes with an open journal link
  std::uint64_t records = 0, duplicates = 0, rewinds = 0, refused = 0;  ///< of the journal link, since the start
  std::uint64_t skipped = 0;          ///< positions a node did not have any more
  std::uint64_t ignored = 0;          ///< messages of no open link
  std::uint64_t bytes_waiting = 0;      ///< given to the store and not yet durable

  std::uint64_t batches = 0;            ///< transactions with records, since the start
  std::uint64_t batch_records_max = 0;  ///< records of the largest one
  Duration commit_p50{}, commit_p99{};  ///< how long they took, fsync included

  std::uint64_t queries_waiting = 0;    ///< for a reader, running ones included
  std::uint64_t queries_answered = 0;
  std::uint64_t queries_refused = 0;    ///< answered with an error
  std::uint64_t bad_messages = 0;       ///< that were neither journal link nor query
  std::string long_job;                 ///< "verify", "backup"; empty: none is running
  std::uint64_t claims = 0;
};

/// Collects the frames of an answer: one allocation however many there are.
class SpoolBody {
 public:
  explicit SpoolBody(std::size_t expected_bytes) { bytes_.reserve(expected_bytes); }
  void add(BytesView frame) {
    bytes_.insert(bytes_.end(), frame.begin(), frame.end());
    sizes_.push_back(static_cast<std::uint32_t>(frame.size()));
  }
  std::size_t size() const { return bytes_.size(); }
  SpoolAnswer finish(Bytes result);

 private:
  Bytes bytes_;
  std::vector<std::uint32_t> sizes_;
};

/// Without the frames, which are in the body in the same order.
Bytes encode_result(const SpoolPage& page);
Bytes encode_result(const StreamPage& page);
Bytes encode_result(const std::vector<JournalRecord>& records);
Bytes encode_result(const SpoolJournals& journals);
Bytes encode_result(const SpoolTails& tails);
Bytes encode_result(const std::vector<CursorState>& cursors);
Bytes encode_result(const std::optional<CursorState>& cursor);
Bytes encode_result(const std::vector<AttemptRecord>& attempts);
Bytes encode_result(const std::vector<LetterRecord>& letters);
Bytes encode_result(const SpoolMarks& marks);
Bytes encode_result(const VerifyReport& report);
Bytes encode_result(const SpoolInfo& info);
Bytes encode_result(std::optional<std::uint64_t> number);

/// Errors: BadData naming the member.
Result<SpoolPage> decode_page(const SpoolReply& reply);
Result<SpoolStreamPage> decode_stream_page(const SpoolReply& reply);
/// The frames are copied: each goes its own way.
Result<std::vector<JournalRecord>> decode_records(const SpoolReply& reply, const JournalQuery& asked);
Result<SpoolJournals> decode_journals(BytesView result);
Result<SpoolTails> decode_tail_page(BytesView result);
/// Records of a kind that a later version has are left out.
Result<std::vector<CursorState>> decode_cursors(BytesView result);
Result<std::optional<CursorState>> decode_cursor(BytesView result);
Result<std::vector<AttemptRecord>> decode_attempts(BytesView result);
Result<std::vector<LetterRecord>> decode_letters(BytesView result);
Result<SpoolMarks> decode_marks(BytesView result);
Result<VerifyReport> decode_verify_report(BytesView result);
Result<SpoolInfo> decode_spool_info(BytesView result);
Result<std::optional<std::uint64_t>> decode_number(BytesView result);

}  // namespace legion
