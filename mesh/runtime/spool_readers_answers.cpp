// What a reader makes of each question.
#include <algorithm>
#include <array>
#include <functional>

#include <legion/runtime/clock.hpp>
#include <legion/runtime/spool_readers.hpp>

namespace legion {

namespace {

constexpr Duration scan_max = 50ms;             // then an answer goes out, however little was found
constexpr std::size_t letters_at_once = 16;     // each brings up to a frame along
constexpr std::size_t list_bytes_max = spool_page_bytes_max;

Result<SpoolAnswer> plain(Bytes result) { return SpoolAnswer{std::move(result), {}, nullptr}; }

/// Takes as many entries as fit; the first always does. `size` says how large an entry is, roughly.
class ListRoom {
 public:
  bool take(std::size_t bytes) {
    if (taken_ > 0 && (bytes > left_ || taken_ == spool_page_entries_max)) return false;
    left_ -= std::min(left_, bytes);
    ++taken_;
    return true;
  }

 private:
  std::size_t left_ = list_bytes_max;
  std::size_t taken_ = 0;
};

// One read transaction looks at a bounded number of blocks; where a choice is rare, several of them make an answer.
Result<SpoolAnswer> scan(StoreReader& reader, const StoreId& store, BytesView params) {
  auto query = decode_scan_query(params);
  if (!query) return std::unexpected(query.error());
  const std::size_t wanted = query->bytes_max;
  const SteadyTime until = read_steady_clock() + scan_max;
  SpoolPage page;
  page.store = store;
  SpoolBody body(wanted + wanted / 8);
  for (;;) {
    const auto found = reader.scan(*query);
    if (!found) return std::unexpected(found.error());
    page.next = found->next;
    page.at_end = found->at_end;
    for (const StoredFrame& frame : found->frames) {
      if (page.frames.size() == spool_page_entries_max) {
        page.next = frame.number;
        page.at_end = false;
        break;
      }
      body.add(frame.frame);
      page.frames.push_back(frame);  // its bytes are gone with the next scan; only their number goes into the result
    }
    const bool stands_still = found->frames.empty() && found->next <= query->from;
    if (page.at_end || stands_still || page.frames.size() == spool_page_entries_max) break;
    if (body.size() + wanted / 8 >= wanted || read_steady_clock() >= until) break;
    if (query->until && page.next > *query->until) break;
    query->from = page.next;
    query->bytes_max = wanted - body.size();
  }
  return body.finish(encode_result(page));
}

Result<SpoolAnswer> stream(StoreReader& reader, const StoreId&, BytesView params) {
  const auto query = decode_stream_query(params);
  if (!query) return std::unexpected(query.error());
  auto page = reader.read_stream(*query);
  if (!page) return std::unexpected(page.error());
  if (page->parts.size() > spool_page_entries_max) {
    page->parts.resize(spool_page_entries_max);
    page->next = page->parts.back().last + 1;
  }
  SpoolBody body(query->bytes_max);
  for (const auto& part : page->parts) {
    if (part.kind == StreamPage::Part::Kind::Frame) body.add(part.frame);
  }
  return body.finish(encode_result(*page));
}

Result<SpoolAnswer> journal(StoreReader& reader, const StoreId&, BytesView params) {
  const auto query = decode_journal_query(params);
  if (!query) return std::unexpected(query.error());
  auto records = reader.read_journal(query->origin, query->journal, query->range, query->bytes_max);
  if (!records) return std::unexpected(records.error());
  if (records->size() > spool_page_entries_max) records->resize(spool_page_entries_max);
  SpoolBody body(query->bytes_max);
  for (const JournalRecord& record : *records) {
    if (!record.is_void()) body.add(*record.frame);
  }
  return body.finish(encode_result(*records));
}

Result<SpoolAnswer> at(StoreReader& reader, const StoreId&, BytesView params) {
  const auto time = decode_time(params);
  if (!time) return std::unexpected(time.error());
  const auto number = reader.at(*time);
  if (!number) return std::unexpected(number.error());
  return plain(encode_result(*number));
}

Result<SpoolAnswer> find(StoreReader& reader, const StoreId&, BytesView params) {
  const auto text = decode_text(params, "event", limits::attribute_bytes_max);
  if (!text) return std::unexpected(text.error());
  const auto id = EventId::parse(*text);
  if (!id) return std::unexpected(id.error());
  const auto number = reader.find(*id);
  if (!number) return std::unexpected(number.error());
  return plain(encode_result(*number));
}

Result<SpoolAnswer> marks(StoreReader& reader, const StoreId&, BytesView) {
  const auto found = reader.marks();
  if (!found) return std::unexpected(found.error());
  return plain(encode_result(*found));
}

Result<SpoolAnswer> tails(StoreReader& reader, const StoreId&, BytesView params) {
  const auto query = decode_tails_query(params);
  if (!query) return std::unexpected(query.error());
  auto found = reader.tails(query->filter, query->after, query->max + 1);
  if (!found) return std::unexpected(found.error());
  SpoolTails page;
  page.more = found->size() > query->max;
  if (page.more) found->resize(query->max);
  page.tails = std::move(*found);
  return plain(encode_result(page));
}

std::size_t size_of(const CursorState& cursor) {
  std::size_t bytes = 256;
  for (const StreamCursor& stream : cursor.merged.streams) bytes += 128 + 20 * stream.ahead.size();
  return bytes;
}

Result<SpoolAnswer> cursors(StoreReader& reader, const StoreId&, BytesView params) {
  const auto query = decode_page_query(params);
  if (!query) return std::unexpected(query.error());
  auto found = reader.cursors();
  if (!found) return std::unexpected(found.error());
  std::ranges::sort(*found, {}, [](const CursorState& one) -> const std::string& { return one.merged.subscription; });
  std::vector<CursorState> page;
  ListRoom room;
  for (CursorState& cursor : *found) {
    if (!query->after.empty() && cursor.merged.subscription <= query->after) continue;
    if (!room.take(size_of(cursor))) break;
    page.push_back(std::move(cursor));
  }
  return plain(encode_result(page));
}

Result<SpoolAnswer> cursor(StoreReader& reader, const StoreId&, BytesView params) {
  const auto name = decode_text(params, "subscription", subscription_name_bytes_max);
  if (!name) return std::unexpected(name.error());
  const auto found = reader.cursor(*name);
  if (!found) return std::unexpected(found.error());
  return plain(encode_result(*found));
}

Result<SpoolAnswer> attempts(StoreReader& reader, const StoreId&, BytesView params) {
  const auto query = decode_page_query(params);
  if (!query) return std::unexpected(query.error());
  if (query->subscription.empty()) return fail(ErrorCode::BadData, "subscription: missing");
  auto found = reader.attempts(query->subscription);
  if (!found) return std::unexpected(found.error());
  std::ranges::sort(*found, {}, &AttemptRecord::event);
  std::vector<AttemptRecord> page;
  ListRoom room;
  for (AttemptRecord& attempt : *found) {
    if (!query->after.empty() && attempt.event <= query->after) continue;
    if (!room.take(512 + attempt.error.size())) break;
    page.push_back(std::move(attempt));
  }
  return plain(encode_result(page));
}

std::size_t size_of(const LetterRecord& letter) {
  std::size_t bytes = 1024 + letter.frame.size();
  for (const LetterDeath& death : letter.deaths) bytes += 512 + death.error.size();
  return bytes;
}

// A few at a time, because each may bring a megabyte along and only what fits is wanted.
Result<SpoolAnswer> letters(StoreReader& reader, const StoreId&, BytesView params) {
  auto query = decode_letter_query(params);
  if (!query) return std::unexpected(query.error());
  const std::size_t wanted = query->max;
  std::vector<LetterRecord> page;
  ListRoom room;
  while (page.size() < wanted) {
    query->max = std::min(letters_at_once, wanted - page.size());
    auto found = reader.letters(*query);
    if (!found) return std::unexpected(found.error());
    for (LetterRecord& letter : *found) {
      if (!room.take(size_of(letter))) return plain(encode_result(page));
      page.push_back(std::move(letter));
    }
    if (found->size() < query->max) break;
    query->after = page.back().key();
  }
  return plain(encode_result(page));
}

struct Question {
  std::string_view method;
  Result<SpoolAnswer> (*answer)(StoreReader&, const StoreId&, BytesView);
};
constexpr std::array<Question, 11> questions{{{"scan", scan},
                                              {"stream", stream},
                                              {"journal", journal},
                                              {"at", at},
                                              {"find", find},
                                              {"marks", marks},
                                              {"tails", tails},
                                              {"cursors", cursors},
                                              {"cursor", cursor},
                                              {"attempts", attempts},
                                              {"letters", letters}}};

}  // namespace

bool is_reader_query(std::string_view method) {
  return std::ranges::find(questions, method, &Question::method) != questions.end();
}

Result<SpoolAnswer> answer_spool_query(StoreReader& reader, const StoreId& store, std::string_view method,
                                       BytesView params) {
  const auto found = std::ranges::find(questions, method, &Question::method);
  if (found == questions.end()) return fail(ErrorCode::NotFound, "no such method");
  auto answer = found->answer(reader, store, params);
  if (answer && answer->result.size() > spool_result_bytes_max) {
    return fail(ErrorCode::TooBig, std::string(method) + ": the answer has " + std::to_string(answer->result.size()) +
                                       " bytes, more than a message may");
  }
  return answer;
}

}  // namespace legion
