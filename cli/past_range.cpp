#include <legion/cli/past_range.hpp>

#include <algorithm>

#include <legion/cli/flags.hpp>
#include <legion/cli/moments.hpp>

namespace legion::cli {
namespace {

Result<std::optional<CommitNumber>> number_of_mark(SpoolQueries& spool, const std::string& name) {
  const auto marks = spool.marks();
  if (!marks) return std::unexpected(marks.error());
  const auto found = std::ranges::find(*marks, name, [](const auto& mark) { return mark.first; });
  if (found == marks->end()) return std::optional<CommitNumber>{};
  return std::optional<CommitNumber>{found->second};
}

}  // namespace

void PastRange::declare_begin(CLI::App& app) {
  add_text(app, "--since", since_, "WHEN", "begin at this time: 5m (ago) or 2026-11-21T10:00:00Z");
  add_text(app, "--from", from_, "ID", "begin with this event, in the order the spool recorded them");
  add_text(app, "--mark", mark_, "NAME", "begin at this mark (spool mark NAME)");
  add_text(app, "--spool", spool_, "NAME", "read this spool (default: one that answers)");
}

void PastRange::declare_end(CLI::App& app) {
  add_text(app, "--until", until_, "WHEN", "end before this time (default: at what is recorded when it gets there)");
  add_text(app, "--until-mark", until_mark_, "NAME", "end at this mark");
}

Result<void> PastRange::check(WallTime now) {
  const int begins = (since_.empty() ? 0 : 1) + (from_.empty() ? 0 : 1) + (mark_.empty() ? 0 : 1);
  if (begins > 1) return fail(ErrorCode::InvalidArgument, "--since, --from and --mark exclude each other");
  if (!until_.empty() && !until_mark_.empty()) {
    return fail(ErrorCode::InvalidArgument, "--until and --until-mark exclude each other");
  }
  if (!since_.empty()) {
    const auto time = parse_moment("--since", since_, now);
    if (!time) return std::unexpected(time.error());
    since_time_ = *time;
  }
  if (!until_.empty()) {
    const auto time = parse_moment("--until", until_, now);
    if (!time) return std::unexpected(time.error());
    until_time_ = *time;
  }
  if (since_time_ && until_time_ && *until_time_ <= *since_time_) {
    return fail(ErrorCode::InvalidArgument, "--until is not behind --since");
  }
  if (!from_.empty()) {
    const auto text = parse_event_id("--from", from_);
    if (!text) return std::unexpected(text.error());
    from_id_ = *EventId::parse(*text);
  }
  if (!mark_.empty()) {
    if (auto name = check_mark_name("--mark", mark_); !name) return name;
  }
  return until_mark_.empty() ? Result<void>{} : check_mark_name("--until-mark", until_mark_);
}

Result<std::optional<CommitNumber>> PastRange::begin_in(SpoolQueries& spool) const {
  if (from_id_) return spool.find(*from_id_);
  if (!mark_.empty()) return number_of_mark(spool, mark_);
  return std::optional<CommitNumber>{1};
}

Result<ChosenSpool> PastRange::open(Session& session, PastQuestion& question) const {
  std::string missing;
  const auto has = [&](SpoolQueries& spool) -> Result<bool> {
    const auto begin = begin_in(spool);
    if (!begin) return std::unexpected(begin.error());
    missing = from_id_ ? "event " + from_ : "mark '" + mark_ + "'";
    if (!*begin) return false;
    question.from = **begin;
    if (until_mark_.empty()) return true;
    const auto end = number_of_mark(spool, until_mark_);
    if (!end) return std::unexpected(end.error());
    missing = "mark '" + until_mark_ + "'";
    if (!*end) return false;
    question.until = **end == 0 ? 0 : **end - 1;
    return true;
  };
  auto spool = choose_spool_where(session, spool_, has);
  if (!spool) return std::unexpected(spool.error());
  if (!*spool) return fail(ErrorCode::NotFound, "no spool that answers has the " + missing);
  question.since = since_time_;
  question.before = until_time_;
  question.first_event = from_id_;
  return std::move(**spool);
}

}  // namespace legion::cli
