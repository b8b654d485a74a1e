// The questions a spool answers.
#include <algorithm>
#include <filesystem>
#include <utility>

#include <legion/base/text.hpp>
#include <legion/event/share.hpp>
#include <legion/runtime/spool_queries_group.hpp>
#include <legion/runtime/spool_queries_fields.hpp>
#include <legion/runtime/spool_service.hpp>

namespace legion {

namespace {

constexpr std::size_t path_bytes_max = 4096;
constexpr std::size_t mark_bytes_max = 256;

std::pair<Origin, JournalKind> key_of(const JournalState& state) { return {state.origin, state.journal}; }

/// The journals behind `after`, as many as fit.
SpoolJournals journals_page(const StoreId& id, std::vector<JournalState> states, const JournalsQuery& query) {
  std::ranges::sort(states, {}, key_of);
  SpoolJournals page;
  page.store = id;
  std::size_t bytes = 0;
  for (JournalState& state : states) {
    if (query.after && key_of(state) <= *query.after) continue;
    bytes += 256 + 20 * (state.ranges.size() + state.voids.size());
    page.more =
        page.journals.size() == spool_page_entries_max || (!page.journals.empty() && bytes > spool_page_bytes_max);
    if (page.more) break;
    page.journals.push_back(std::move(state));
  }
  return page;
}

Result<SpoolAnswer> verify(Store& store, StoreReader::Depth depth, const SpoolLongJobs::Cancelled& cancelled) {
  const auto reader = store.open_reader();
  if (!reader) return std::unexpected(reader.error());
  const auto report = (*reader)->verify(depth, [&](std::uint64_t, std::uint64_t) { return !cancelled(); });
  if (!report) return std::unexpected(report.error());
  if (cancelled()) return fail(ErrorCode::Closed, "the spool is stopping");
  return SpoolAnswer{encode_result(*report), {}, nullptr};
}

Result<SpoolAnswer> backup(Store& store, const std::string& path) {
  if (const auto done = store.backup(path); !done) return std::unexpected(done.error());
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  FieldsWriter out;
  out.number("bytes", error ? 0 : static_cast<std::uint64_t>(size));
  return SpoolAnswer{out.take(), {}, nullptr};
}

}  // namespace

void SpoolService::on_query(const std::string& peer, BytesView head) {
  const auto query = decode_spool_query(head);
  if (!query) {
    ++bad_messages_;
    return;
  }
  if (const auto started = start_query(peer, *query); !started) {
    answer(peer, query->id, std::unexpected(started.error()));
  }
}

Result<void> SpoolService::start_query(const std::string& peer, const SpoolQueryView& query) {
  if (server_.queued_bytes(peer) > options_.unsent_bytes_max) {
    return fail(ErrorCode::WouldBlock, "earlier answers have not been read");
  }
  if (is_reader_query(query.method)) {
    return readers_->submit(
        peer, query.id,
        [this, method = std::string(query.method), params = Bytes(query.params.begin(), query.params.end())](
            StoreReader& reader) { return answer_spool_query(reader, id(), method, params); });
  }
  if (query.method == "claim" || query.method == "unclaim") {
    const auto done = claim(query);
    if (!done) return std::unexpected(done.error());
    answer(peer, query.id, *done);
    return {};
  }
  if (query.method == "group") {
    const auto renewal = decode_group_renewal(query.params);
    if (!renewal) return std::unexpected(renewal.error());
    const auto answered = groups_.renew(now_, *renewal);
    if (!answered) return std::unexpected(answered.error());
    answer(peer, query.id, encode_result(*answered));
    return {};
  }
  if (query.method == "groups") {
    answer(peer, query.id, encode_result(groups_.view(now_)));
    return {};
  }
  if (query.method == "info") {
    answer(peer, query.id, encode_result(snapshot()));
    return {};
  }
  if (query.method == "mark") return start_mark(peer, query);
  if (query.method == "journals") return start_journals(peer, query);
  if (query.method == "verify") return start_verify(peer, query);
  if (query.method == "backup") return start_backup(peer, query);
  if (backend_.other_query) {
    const auto reply = [this, peer, id = query.id](const Result<Bytes>& result) { answer(peer, id, result); };
    backend_.other_query(now_, query.method, query.params, reply);
    return {};
  }
  return fail(ErrorCode::NotFound, "no such method: " + printable(query.method, 64));
}

/// A share of a group whose home this is belongs to whoever has its lease.
Result<Bytes> SpoolService::claim(const SpoolQueryView& query) {
  const auto claim = decode_claim_query(query.params);
  if (!claim) return std::unexpected(claim.error());
  if (query.method == "unclaim") {
    claims_.unclaim(*claim);
    return Bytes();
  }
  if (const auto group = group_of(claim->subscription)) {
    const auto share = static_cast<std::uint32_t>(std::stoul(claim->subscription.substr(group->size() + 1)));
    if (const auto holder = groups_.holder(*group, share)) {
      return fail(ErrorCode::Refused, "the share " + claim->subscription + " is in use by node " + holder->node);
    }
  }
  if (const auto done = claims_.claim(*claim); !done) return std::unexpected(done.error());
  return Bytes();
}

// Written, and then read back: the store decides which number a mark stands for.
Result<void> SpoolService::start_mark(const std::string& peer, const SpoolQueryView& query) {
  auto name = decode_text(query.params, "name", mark_bytes_max);
  if (!name) return std::unexpected(name.error());
  const auto look_up = [name = *name](StoreReader& reader) -> Result<SpoolAnswer> {
    const auto marks = reader.marks();
    if (!marks) return std::unexpected(marks.error());
    const auto found = std::ranges::find(*marks, name, &std::pair<std::string, CommitNumber>::first);
    if (found == marks->end()) return fail(ErrorCode::NotFound, "the mark " + name + " has been taken away again");
    return SpoolAnswer{encode_result(std::optional<std::uint64_t>(found->second)), {}, nullptr};
  };
  commands_.push_back(store_command::Mark{*name, [this, peer, id = query.id, look_up](Result<void> done) {
                                            if (!done) return answer(peer, id, std::unexpected(done.error()));
                                            readers_->submit(peer, id, look_up, SpoolReaders::Limits::Ignored);
                                          }});
  return {};
}

Result<void> SpoolService::start_journals(const std::string& peer, const SpoolQueryView& query) {
  auto asked = decode_journals_query(query.params);
  if (!asked) return std::unexpected(asked.error());
  const auto look = [this, peer, id = query.id,
                     asked = std::move(*asked)](const Store& store) -> std::function<void()> {
    return [this, peer, id, result = encode_result(journals_page(store.id(), store.journals(), asked))] {
      answer(peer, id, result);
    };
  };
  commands_.push_back(store_command::Look{look});
  return {};
}

Result<void> SpoolService::start_verify(const std::string& peer, const SpoolQueryView& query) {
  const auto depth = decode_depth(query.params);
  if (!depth) return std::unexpected(depth.error());
  return jobs_->start(peer, query.id, "verify", [this, depth = *depth](const SpoolLongJobs::Cancelled& cancelled) {
    return verify(*store_, depth, cancelled);
  });
}

Result<void> SpoolService::start_backup(const std::string& peer, const SpoolQueryView& query) {
  const auto path = decode_text(query.params, "path", path_bytes_max);
  if (!path) return std::unexpected(path.error());
  if (!std::filesystem::path(*path).is_absolute()) {
    return fail(ErrorCode::InvalidArgument, "path: has to be absolute: it is one of the spool's machine");
  }
  return jobs_->start(peer, query.id, "backup",
                      [this, path = *path](const SpoolLongJobs::Cancelled&) { return backup(*store_, path); });
}

void SpoolService::answer(const std::string& peer, std::uint64_t id, const Result<Bytes>& result) {
  Result<SpoolAnswer> made = std::unexpected(result ? Error{} : result.error());
  if (result) made = SpoolAnswer{*result, {}, nullptr};
  answer(SpoolReaders::Done(peer, id, std::move(made)));
}

void SpoolService::answer(SpoolReaders::Done done) {
  ++(done.outcome == SpoolReaders::Done::Outcome::Answered ? queries_answered_ : queries_refused_);
  server_.reply(done.peer, std::move(done.head), std::move(done.body));
}

}  // namespace legion
