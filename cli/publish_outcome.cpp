#include <legion/cli/publish_outcome.hpp>

#include <ostream>

#include <legion/cli/printable.hpp>
#include <legion/cli/row_output.hpp>

namespace legion::cli {

bool PublishOutcome::unconfirmed(const Published& published) const {
  return answer_ == PublisherOptions::Answer::Confirmed && published.accepted() && !published.confirmed;
}

JsonTree PublishOutcome::to_json(const Published& published) const {
  JsonTree json{{"line", published.line}, {"status", published.status}};
  if (!published.id.empty()) json["id"] = published.id;
  if (answer_ == PublisherOptions::Answer::Confirmed && published.accepted()) json["confirmed"] = published.confirmed;
  if (!published.detail.empty()) json["detail"] = printable(published.detail);
  return json;
}

void PublishOutcome::print_accepted(const Published& published) {
  if (!published.accepted() || unconfirmed(published)) return;
  session_.out() << (published.confirmed ? "confirmed " : "published ") << published.id << '\n';
}

void PublishOutcome::begin() {
  const bool confirm = answer_ == PublisherOptions::Answer::Confirmed;
  if (session_.output() == Output::Csv) session_.out() << "line,status,id,detail" << (confirm ? ",confirmed\n" : "\n");
  if (session_.output() == Output::Json) session_.out() << '[';
}

void PublishOutcome::report(const Published& published) {
  std::ostream& out = session_.out();
  switch (session_.output()) {
    case Output::Table: print_accepted(published); break;
    case Output::Json: out << (accepted_ + refused_ == 0 ? "\n" : ",\n") << json_text(to_json(published)); break;
    case Output::Jsonl: out << json_text(to_json(published)) << '\n'; break;
    case Output::Csv:
      out << published.line << ',' << published.status << ',' << published.id << ','
          << csv_field(printable(published.detail));
      if (answer_ == PublisherOptions::Answer::Confirmed) out << (published.confirmed ? ",true" : ",false");
      out << '\n';
      break;
  }
  if (published.accepted()) {
    ++accepted_;
    if (!unconfirmed(published)) return;
    ++unconfirmed_;
    session_.problem(published.id + ": queued, not confirmed in time" +
                     (published.detail.empty() ? "" : ": " + published.detail));
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
    session_.note(std::to_string(accepted_) + " published, " + std::to_string(refused_) + " not" +
                  (unconfirmed_ == 0 ? "" : ", " + std::to_string(unconfirmed_) + " of them not confirmed in time"));
  }
  if (!sent) {
    const int code = session_.fail(sent.error());
    if (!stream_.empty() && first_unknown != 0) {
      session_.problem(stream_ + ": from line " + std::to_string(first_unknown) + " on nothing is known to be published");
    }
    return code;
  }
  if (session_.world().interrupted()) return exit_code::interrupted;
  if (unconfirmed_ > 0) return exit_code::timed_out;
  if (refused_ == 0) return exit_code::ok;
  if (accepted_ > 0) return exit_code::partial;
  if (bad_ == refused_) return exit_code::bad_data;
  return blocked_ == refused_ ? exit_code::timed_out : exit_code::failed;
}

}  // namespace legion::cli
