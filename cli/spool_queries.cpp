#include <legion/cli/spool_queries.hpp>

#include <algorithm>
#include <iterator>

#include <legion/cli/map_writer.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t tails_max = 1'000'000;
constexpr std::size_t journals_max = 1'000'000;
constexpr std::size_t cursors_max = 100'000;
constexpr std::size_t tails_page = 4096;

/// The error of an answer that cannot be read says which answer.
template <class T>
Result<T> named(std::string_view method, Result<T> read) {
  if (read || read.error().code != ErrorCode::BadData) return read;
  return fail(ErrorCode::BadData, "the answer to " + std::string(method) + ": " + read.error().message);
}

/// What is read page by page ends, whatever the spool says.
Result<void> check_size(std::string_view method, std::size_t size, std::size_t size_max) {
  if (size <= size_max) return {};
  return fail(ErrorCode::TooBig, std::string(method) + ": more than " + std::to_string(size_max) + " entries");
}

Result<void> check_order(const SpoolPage& page, CommitNumber from) {
  CommitNumber least = from;
  for (const StoredFrame& frame : page.frames) {
    if (frame.number < least || frame.number >= page.next) {
      return fail(ErrorCode::BadData, "the answer to scan: number " + std::to_string(frame.number) + " is out of order");
    }
    least = frame.number + 1;
  }
  if (page.next > from || (page.next == from && page.at_end)) return {};
  return fail(ErrorCode::BadData, "the answer to scan: it does not move on");
}

/// {name: number}
Result<std::uint64_t> read_figure(BytesView result, std::string_view wanted) {
  MsgpackReader in(result);
  const auto count = in.read_map();
  if (!count) return std::unexpected(count.error());
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = in.read_string();
    if (!name) return std::unexpected(name.error());
    if (*name == wanted) return in.read_uint();
    if (const auto skipped = in.skip(); !skipped) return std::unexpected(skipped.error());
  }
  return fail(ErrorCode::BadData, std::string(wanted) + ": missing");
}

SpoolQuestion<std::uint64_t> purge_question(const std::vector<SpoolQueries::LetterKey>& keys) {
  MsgpackWriter list;
  list.array(keys.size());
  for (const auto& key : keys) {
    list.array(3);
    list.str(key.event);
    list.str(key.agent);
    list.uint(key.round);
  }
  MapWriter params;
  params.raw("keys", list.bytes());
  return {"purge", params.take(), [](const SpoolReply& reply) { return read_figure(reply.result, "done"); }};
}

}  // namespace

template <class Answer>
Result<Answer> SpoolQueries::ask(const SpoolQuestion<Answer>& question) {
  const auto reply = ask_->ask(question.method, question.params, timeout_);
  if (!reply) return std::unexpected(reply.error());
  return named(question.method, question.read(*reply));
}

Result<SpoolPage> SpoolQueries::scan(const ScanQuery& query) {
  auto page = ask(spool_question::scan(query));
  if (!page) return page;
  if (const auto order = check_order(*page, query.from); !order) return std::unexpected(order.error());
  return page;
}

Result<std::optional<CommitNumber>> SpoolQueries::find(const EventId& event) { return ask(spool_question::find(event)); }
Result<SpoolMarks> SpoolQueries::marks() { return ask(spool_question::marks()); }
Result<CommitNumber> SpoolQueries::mark(std::string_view name) { return ask(spool_question::mark(name)); }

Result<std::vector<StreamTail>> SpoolQueries::tails(const Filter& filter) {
  std::vector<StreamTail> all;
  TailsQuery query{filter, std::nullopt, tails_page};
  for (;;) {
    auto page = ask(spool_question::tails(query));
    if (!page) return std::unexpected(page.error());
    if (page->tails.empty()) return all;
    if (query.after && page->tails.front().stream <= *query.after) {
      return fail(ErrorCode::BadData, "the answer to tails: it does not move on");
    }
    std::ranges::move(page->tails, std::back_inserter(all));
    if (const auto good = check_size("tails", all.size(), tails_max); !good) return std::unexpected(good.error());
    if (!page->more) return all;
    query.after = all.back().stream;
  }
}

Result<SpoolStreamPage> SpoolQueries::stream(const StreamQuery& query) { return ask(spool_question::stream(query)); }

Result<std::vector<CursorState>> SpoolQueries::cursors() {
  std::vector<CursorState> all;
  std::string after;
  for (;;) {
    auto page = ask(spool_question::cursors(after));
    if (!page) return page;
    if (page->empty()) return all;
    for (const CursorState& state : *page) {
      if (!after.empty() && state.merged.subscription <= after) {
        return fail(ErrorCode::BadData, "the answer to cursors: " + state.merged.subscription + " comes again");
      }
      after = state.merged.subscription;
    }
    std::ranges::move(*page, std::back_inserter(all));
    if (const auto good = check_size("cursors", all.size(), cursors_max); !good) return std::unexpected(good.error());
  }
}

Result<std::vector<LetterRecord>> SpoolQueries::letters(const LetterQuery& query) {
  return ask(spool_question::letters(query));
}

Result<std::uint64_t> SpoolQueries::purge(const std::vector<LetterKey>& keys) { return ask(purge_question(keys)); }

Result<void> SpoolQueries::change_subscription(BytesView params) {
  const auto reply = ask_->ask("subscription", params, timeout_);
  return reply ? Result<void>{} : std::unexpected(reply.error());
}

Result<std::vector<GroupHome::View>> SpoolQueries::groups() { return ask(spool_question::groups()); }
Result<SpoolInfo> SpoolQueries::info() { return ask(spool_question::info()); }
Result<VerifyReport> SpoolQueries::verify(StoreReader::Depth depth) { return ask(spool_question::verify(depth)); }
Result<std::uint64_t> SpoolQueries::backup(const std::string& path) { return ask(spool_question::backup(path)); }

Result<std::vector<JournalState>> SpoolQueries::journals() {
  std::vector<JournalState> all;
  JournalsQuery query;
  for (;;) {
    auto page = ask(spool_question::journals(query));
    if (!page) return std::unexpected(page.error());
    for (const JournalState& state : page->journals) {
      const std::pair key(state.origin, state.journal);
      if (query.after && key <= *query.after) return fail(ErrorCode::BadData, "the answer to journals: it does not move on");
      query.after = key;
    }
    std::ranges::move(page->journals, std::back_inserter(all));
    if (const auto good = check_size("journals", all.size(), journals_max); !good) return std::unexpected(good.error());
    if (!page->more || page->journals.empty()) return all;
  }
}

Result<std::vector<JournalRecord>> SpoolQueries::journal(const JournalQuery& query) {
  return ask(spool_question::journal(query));
}

}  // namespace legion::cli
