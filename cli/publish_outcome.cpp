#include <legion/cli/publish_outcome.hpp>

#include <ostream>

#include <legion/cli/figures.hpp>
#include <legion/cli/printable.hpp>

namespace legion::cli {
namespace {

JsonTree to_json(const Published& published) {
  JsonTree json{{"line", published.line}, {"status", published.status}};
  if (!published.id.empty()) json["id"] = published.id;
  if (!published.detail.empty()) json["detail"] = printable(published.detail);
  return json;
}

}  // namespace

void PublishOutcome::begin() {
  if (session_.output() == Output::Csv) session_.out() << "line,status,id,detail\n";
  if (session_.output() == Output::Json) session_.out() << '[';
}

void PublishOutcome::report(const Published& published) {
  std::ostream& out = session_.out();
  switch (session_.output()) {
    case Output::Table:
      if (published.accepted()) out << "published " << published.id << '\n';
      break;
    case Output::Json: out << (accepted_ + refused_ == 0 ? "\n" : ",\n") << to_json(published).dump(); break;
    case Output::Jsonl: out << to_json(published).dump() << '\n'; break;
    case Output::Csv:
      out << published.line << ',' << published.status << ',' << published.id << ','
          << csv_field(printable(published.detail)) << '\n';
      break;
  }
  if (published.accepted()) {
    ++accepted_;
    return;
  }
  ++refused_;
  bad_ += published.status == "invalid" || published.status == "too_big" ? 1 : 0;
  blocked_ += published.status == "would_block" ? 1 : 0;
  const std::string where = stream_.empty() ? "" : stream_ + ":" + std::to_string(published.line) + ": ";
  const std::string status = published.status == "refused" ? "" : ": " + published.status;
  session_.problem(where + "refused" + status + (published.detail.empty() ? "" : ": " + published.detail));
}

int PublishOutcome::finish(const Result<void>& sent, std::uint64_t first_unknown) {
  if (session_.output() == Output::Json) session_.out() << (accepted_ + refused_ == 0 ? "]\n" : "\n]\n");
  session_.out().flush();
  if (!stream_.empty() || accepted_ + refused_ > 1) {
    session_.note(std::to_string(accepted_) + " published, " + std::to_string(refused_) + " not");
  }
  if (!sent) {
    const int code = session_.fail(sent.error());
    if (!stream_.empty() && first_unknown != 0) {
      session_.problem(stream_ + ": from line " + std::to_string(first_unknown) + " on nothing is known to be published");
    }
    return code;
  }
  if (session_.world().interrupted()) return exit_code::interrupted;
  if (refused_ == 0) return exit_code::ok;
  if (accepted_ > 0) return exit_code::partial;
  if (bad_ == refused_) return exit_code::bad_data;
  return blocked_ == refused_ ? exit_code::timed_out : exit_code::failed;
}

}  // namespace legion::cli
