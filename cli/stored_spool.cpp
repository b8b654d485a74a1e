#include <legion/cli/stored_spool.hpp>

#include <algorithm>
#include <string>

#include <legion/runtime/spool_readers.hpp>

namespace legion::cli {
namespace {

Result<SpoolReply> reply_of(const SpoolAnswer& answer) {
  SpoolReply reply;
  reply.result = answer.result;
  reply.owner = answer.body;
  if (answer.body == nullptr) return reply;
  auto frames = cut_body(answer.sizes, *answer.body);
  if (!frames) return std::unexpected(frames.error());
  reply.frames = std::move(*frames);
  return reply;
}

SpoolReply plain(Bytes result) {
  SpoolReply reply;
  reply.result = std::move(result);
  return reply;
}

std::pair<Origin, JournalKind> key_of(const JournalState& state) { return {state.origin, state.journal}; }

class StoredSpool : public SpoolAsk {
 public:
  StoredSpool(std::unique_ptr<Store> store, std::unique_ptr<StoreReader> reader)
      : store_(std::move(store)), reader_(std::move(reader)) {}

  Result<SpoolReply> ask(std::string_view method, BytesView params, Duration) override {
    if (is_reader_query(method)) {
      const auto answer = answer_spool_query(*reader_, store_->id(), method, params);
      if (!answer) return std::unexpected(answer.error());
      return reply_of(*answer);
    }
    if (method == "info") return info();
    if (method == "journals") return journals(params);
    if (method == "verify") return verify(params);
    return fail(ErrorCode::Refused, std::string(method) + ": a file is only read; ask the spool that has it");
  }

 private:
  SpoolReply info() const {
    SpoolInfo info;
    info.store = store_->id();
    info.figures = store_->figures();
    info.frozen = store_->frozen();
    return plain(encode_result(info));
  }

  Result<SpoolReply> journals(BytesView params) const {
    const auto query = decode_journals_query(params);
    if (!query) return std::unexpected(query.error());
    SpoolJournals page;
    page.store = store_->id();
    page.journals = store_->journals();
    std::ranges::sort(page.journals, {}, key_of);
    if (query->after) std::erase_if(page.journals, [&](const JournalState& state) { return key_of(state) <= *query->after; });
    page.more = page.journals.size() > spool_page_entries_max;
    if (page.more) page.journals.resize(spool_page_entries_max);
    return plain(encode_result(page));
  }

  Result<SpoolReply> verify(BytesView params) {
    const auto depth = decode_depth(params);
    if (!depth) return std::unexpected(depth.error());
    const auto report = reader_->verify(*depth, [](std::uint64_t, std::uint64_t) { return true; });
    if (!report) return std::unexpected(report.error());
    return plain(encode_result(*report));
  }

  std::unique_ptr<Store> store_;
  std::unique_ptr<StoreReader> reader_;
};

}  // namespace

Result<std::unique_ptr<SpoolAsk>> ask_store(std::unique_ptr<Store> store) {
  auto reader = store->open_reader();
  if (!reader) return std::unexpected(reader.error());
  return std::make_unique<StoredSpool>(std::move(store), std::move(*reader));
}

}  // namespace legion::cli
