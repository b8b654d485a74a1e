#include <legion/event/event.hpp>
#include <legion/runtime/spool_asker_questions.hpp>
#include <legion/runtime/spool_queries_fields.hpp>

namespace legion::spool_question {

namespace {

/// Of answers without frames.
template <class Answer>
auto from_result(Result<Answer> (*decode)(BytesView)) {
  return [decode](const SpoolReply& reply) { return decode(reply.result); };
}

Result<SpoolDone> done(const SpoolReply&) { return SpoolDone{}; }

Result<CommitNumber> read_mark(const SpoolReply& reply) {
  const auto number = decode_number(reply.result);
  if (!number) return std::unexpected(number.error());
  if (!*number) return fail(ErrorCode::BadData, "mark: answered without a number");
  return **number;
}

Result<std::uint64_t> read_backup(const SpoolReply& reply) {
  FieldsReader in(reply.result);
  std::uint64_t bytes = 0;
  in.need("bytes").number("bytes", bytes);
  return in.finish(bytes);
}

}  // namespace

SpoolQuestion<SpoolPage> scan(const ScanQuery& query) { return {"scan", encode_params(query), decode_page}; }

SpoolQuestion<std::optional<CommitNumber>> at(WallTime time) {
  return {"at", encode_params(time), from_result(decode_number)};
}

SpoolQuestion<std::optional<CommitNumber>> find(const EventId& event) {
  return {"find", encode_params("event", event.to_string()), from_result(decode_number)};
}

SpoolQuestion<SpoolMarks> marks() { return {"marks", {}, from_result(decode_marks)}; }

SpoolQuestion<CommitNumber> mark(std::string_view name) { return {"mark", encode_params("name", name), read_mark}; }

SpoolQuestion<SpoolStreamPage> stream(const StreamQuery& query) {
  return {"stream", encode_params(query), decode_stream_page};
}

SpoolQuestion<SpoolJournals> journals(const JournalsQuery& query) {
  return {"journals", encode_params(query), from_result(decode_journals)};
}

SpoolQuestion<std::vector<JournalRecord>> journal(const JournalQuery& query) {
  return {"journal", encode_params(query), [query](const SpoolReply& reply) { return decode_records(reply, query); }};
}

SpoolQuestion<SpoolTails> tails(const TailsQuery& query) {
  return {"tails", encode_params(query), from_result(decode_tail_page)};
}

SpoolQuestion<std::vector<CursorState>> cursors(std::string_view after) {
  return {"cursors", encode_params(PageQuery{{}, std::string(after)}), from_result(decode_cursors)};
}

SpoolQuestion<std::optional<CursorState>> cursor(std::string_view subscription) {
  return {"cursor", encode_params("subscription", subscription), from_result(decode_cursor)};
}

SpoolQuestion<std::vector<AttemptRecord>> attempts(std::string_view subscription, std::string_view after) {
  return {"attempts", encode_params(PageQuery{std::string(subscription), std::string(after)}),
          from_result(decode_attempts)};
}

SpoolQuestion<std::vector<LetterRecord>> letters(const LetterQuery& query) {
  return {"letters", encode_params(query), from_result(decode_letters)};
}

SpoolQuestion<SpoolDone> claim(const ClaimQuery& query) { return {"claim", encode_params(query), done}; }
SpoolQuestion<SpoolDone> unclaim(const ClaimQuery& query) { return {"unclaim", encode_params(query), done}; }
SpoolQuestion<SpoolInfo> info() { return {"info", {}, from_result(decode_spool_info)}; }

SpoolQuestion<VerifyReport> verify(StoreReader::Depth depth) {
  return {"verify", encode_params(depth), from_result(decode_verify_report)};
}

SpoolQuestion<std::uint64_t> backup(std::string_view path) {
  return {"backup", encode_params("path", path), read_backup};
}

}  // namespace legion::spool_question
