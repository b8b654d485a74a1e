#include <algorithm>
#include <array>
#include <map>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/dlq_letters.hpp>
#include <legion/cli/dlq_requeue.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/moments.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/spool_choice.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr std::array<std::string_view, 5> actions_known{"ls", "show", "requeue", "purge", "export"};
constexpr std::uint64_t requeues_default = 3;
constexpr std::size_t purge_page = 500;
constexpr std::size_t error_columns = 60;

std::string letters_text(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " dead letter" : " dead letters");
}

class Dlq : public Verb {
 public:
  std::vector<std::string> actions() const override { return {actions_known.begin(), actions_known.end()}; }

  void declare(CLI::App& app) override {
    app.add_option("ACTION", action_,
                   "ls: a line a letter; show: everything of some, the event included; requeue: back to the agent that failed; "
                   "purge: out of sight for good; export: JSON lines")
        ->type_name("ls|show|requeue|purge|export");
    app.add_option("ID", ids_, "event ids")->type_name("");
    choice_.declare(app);
    add_text(app, "--spool", spool_, "NAME", "ask this spool (default: one that answers)");
    add_count(app, "-n,--count", count_, "at most N letters");
    app.add_flag("--all", all_, "requeue, purge: every letter; without it an ID or a filter is needed");
    app.add_flag("--dry-run", dry_run_, "requeue, purge: only say what would be done");
    add_count(app, "--max-requeues", requeues_max_, "requeue: skip what was requeued so often before (default 3)");
    app.add_flag("--require", require_, "exit with 66 when no letter was found");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    auto spool = choose_spool(session, spool_);
    if (!spool) return session.fail_to_find(spool.error());
    session.world().take_interrupts();
    if (action_ == "ls") return list(session, *spool->queries);
    if (action_ == "show") return show(session, *spool->queries);
    if (action_ == "export") return write_out(session, *spool->queries);
    return action_ == "requeue" ? requeue(session, *spool->queries) : purge(session, *spool->queries);
  }

 private:
  bool changes() const { return action_ == "requeue" || action_ == "purge"; }

  int check(Session& session) {
    if (action_.empty()) return session.usage("dlq: say ls, show, requeue, purge or export");
    if (std::ranges::find(actions_known, action_) == actions_known.end()) {
      const auto meant = did_you_mean(action_, actions_known);
      return session.usage("dlq: unknown action '" + action_ + "'" +
                           (meant ? "; did you mean '" + *meant + "'?"
                                  : "; there are ls, show, requeue, purge and export"));
    }
    if (dry_run_ && !changes()) return session.usage("--dry-run goes with requeue and purge");
    if (all_ && !changes()) return session.usage("--all goes with requeue and purge; --state all shows every state");
    if (requeues_max_ && action_ != "requeue") return session.usage("--max-requeues goes with requeue");
    if (auto good = choice_.check(ids_, states(), session.world().now().wall); !good) {
      return session.usage(good.error().message);
    }
    if (changes() && !all_ && !choice_.narrows()) {
      return session.usage("dlq " + action_ + ": name event ids, give a filter, or say --all");
    }
    if (all_ && choice_.narrows()) return session.usage("--all excludes event ids and filters");
    if (action_ == "show" && ids_.empty()) return session.usage("dlq show: name event ids; dlq ls lists them");
    return exit_code::ok;
  }

  /// Without --state: what somebody may still have to do something about; of a letter that is named, whatever it is.
  std::vector<LetterState> states() const {
    if (action_ == "requeue" && ids_.empty()) return {LetterState::Dead};
    if (action_ == "purge" || action_ == "ls") return {LetterState::Dead, LetterState::Requeued};
    return {LetterState::Dead, LetterState::Requeued, LetterState::Resolved, LetterState::Purged};
  }

  bool enough(std::uint64_t found) const { return count_ && found >= *count_; }

  /// Letters were named, and none of them is there.
  bool is_nothing(const Result<void>& read, std::uint64_t found) const { return read && found == 0 && !ids_.empty(); }

  static int nothing(Session& session) {
    session.problem("no such dead letter");
    return exit_code::nothing_found;
  }

  int finish(Session& session, const Result<void>& read, std::uint64_t found) const {
    session.out().flush();
    if (!read) return session.fail(read.error());
    if (session.world().interrupted()) return exit_code::interrupted;
    return require_ && found == 0 ? exit_code::nothing_found : exit_code::ok;
  }

  int list(Session& session, SpoolQueries& spool) {
    JsonTree rows = JsonTree::array();
    std::map<std::string, std::uint64_t> by_reason;
    const auto read = choice_.each(session, spool, LetterQuery::Payload::Without, [&](LetterRecord&& letter) {
      const LetterDeath* death = last_death(letter);
      ++by_reason[death == nullptr ? "no death" : death->reason];
      rows.push_back(letter_json(letter));
      return !enough(rows.size());
    });
    CsvRows csv({"id", "type", "agent", "subscription", "state", "round", "requeues", "reason", "attempts", "error",
                 "first", "last"});
    JsonTree lines = rows;
    if (session.output() == Output::Csv) {
      for (JsonTree& row : lines) row.erase("deaths");
    }
    if (!print_rows(session, lines, csv)) session.print(table_of(session, rows));
    session.out().flush();
    std::string text = letters_text(rows.size());
    for (const auto& [reason, count] : by_reason) text += (reason == by_reason.begin()->first ? ": " : ", ") +
                                                          std::to_string(count) + " " + reason;
    session.note(text);
    return finish(session, read, rows.size());
  }

  static Table table_of(Session& session, const JsonTree& rows) {
    Table table({{"ID"},
                 {"AGENT"},
                 {"REASON"},
                 {"STATE", Align::Left, 1},
                 {"ATTEMPTS", Align::Right, 5},
                 {"REQUEUES", Align::Right, 4},
                 {"LAST", Align::Left, 2},
                 {"ERROR", Align::Left, 3}});
    for (const JsonTree& row : rows) {
      const std::string error = text_of(row, "error");
      table.row({{text_of(row, "id")},
                 {text_of(row, "agent")},
                 {text_of(row, "reason")},
                 {text_of(row, "state"), text_of(row, "state") == "dead" ? Tint::BoldRed : Tint::Plain},
                 {std::to_string(number_of(row, "attempts"))},
                 {std::to_string(number_of(row, "requeues"))},
                 {text_of(row, "last")},
                 {session.console().out_is_terminal ? shortened(error, error_columns) : error}});
    }
    return table;
  }

  int show(Session& session, SpoolQueries& spool) {
    JsonTree all = JsonTree::array();
    const auto read = choice_.each(session, spool, LetterQuery::Payload::With, [&](LetterRecord&& letter) {
      JsonTree json = letter_json(letter);
      json["event"] = event_json(letter);
      all.push_back(std::move(json));
      return !enough(all.size());
    });
    CsvRows csv({});
    if (!print_rows(session, all, csv)) {
      for (const JsonTree& letter : all) print_letter(session, letter);
    }
    if (is_nothing(read, all.size())) return nothing(session);
    return finish(session, read, all.size());
  }

  static void print_letter(Session& session, const JsonTree& letter) {
    std::string head;
    session.paint().append(head, Tint::Bold, printable(text_of(letter, "id")));
    std::ostream& out = session.out();
    out << head << "\n  agent         " << printable(text_of(letter, "agent")) << "\n  state         "
        << text_of(letter, "state") << ", round " << number_of(letter, "round") << ", requeued "
        << number_of(letter, "requeues") << " times\n";
    if (const auto subscription = text_of(letter, "subscription"); !subscription.empty()) {
      out << "  subscription  " << printable(subscription) << '\n';
    }
    for (const JsonTree& death : part_of(letter, "deaths")) {
      out << "  death         " << text_of(death, "last") << "  " << text_of(death, "reason") << "  "
          << printable(text_of(death, "agent")) << "  after " << number_of(death, "attempts")
          << " attempts: " << text_of(death, "error") << '\n';
    }
    out << "  event         " << json_text(part_of(letter, "event")) << '\n';
  }

  int write_out(Session& session, SpoolQueries& spool) {
    if (session.options().output_given && session.output() != Output::Jsonl) {
      return session.usage("dlq export writes JSON lines; -o has no other form of it");
    }
    std::uint64_t found = 0;
    const auto read = choice_.each(session, spool, LetterQuery::Payload::With, [&](LetterRecord&& letter) {
      JsonTree json = letter_json(letter);
      json["event"] = event_json(letter);
      session.out() << json_text(json) << '\n';
      return !enough(++found) && session.out().good();
    });
    session.note(letters_text(found) + " exported");
    return finish(session, read, found);
  }

  int requeue(Session& session, SpoolQueries& spool) {
    Requeue requeue(session, requeues_max_.value_or(requeues_default), dry_run_ ? DryRun::Yes : DryRun::No);
    JsonTree rows = JsonTree::array();
    std::map<std::string, std::uint64_t> by_status;
    const auto read = choice_.each(session, spool, LetterQuery::Payload::With, [&](LetterRecord&& letter) {
      const Requeue::Outcome outcome = requeue.requeue(letter);
      ++by_status[outcome.status];
      const std::string line = outcome.status + " " + letter.event + " " + letter.agent;
      if (outcome.status == "failed") {
        session.problem(line + ": " + outcome.detail);
      } else if (session.output() == Output::Table) {
        session.out() << printable(line + (outcome.detail.empty() ? "" : ": " + outcome.detail)) << '\n';
      }
      rows.push_back({{"id", letter.event}, {"agent", letter.agent}, {"status", outcome.status}});
      rows.back()["detail"] = printable(outcome.detail);
      return !enough(rows.size());
    });
    if (is_nothing(read, rows.size())) return nothing(session);
    CsvRows csv({"id", "agent", "status", "detail"});
    print_rows(session, rows, csv);
    const std::uint64_t done = by_status["requeued"] + by_status["would_requeue"];
    session.out().flush();
    session.note(std::to_string(done) + (dry_run_ ? " would be requeued, " : " requeued, ") +
                 std::to_string(by_status["failed"]) + " failed, " + std::to_string(by_status["skipped"]) + " skipped");
    const int code = finish(session, read, rows.size());
    if (code != exit_code::ok || done == rows.size()) return code;
    return done > 0 ? exit_code::partial : exit_code::failed;
  }

  int purge(Session& session, SpoolQueries& spool) {
    std::vector<SpoolQueries::LetterKey> keys;
    const auto read = choice_.each(session, spool, LetterQuery::Payload::Without, [&](LetterRecord&& letter) {
      keys.push_back({letter.event, letter.agent, letter.round});
      return !enough(keys.size());
    });
    if (is_nothing(read, keys.size())) return nothing(session);
    if (!read || keys.empty() || session.world().interrupted()) {
      if (read && !session.world().interrupted()) session.note("no dead letter matches");
      return finish(session, read, keys.size());
    }
    if (dry_run_) return print_purge(session, keys, "would_purge", letters_text(keys.size()) + " would be purged");
    switch (session.consent("purge " + letters_text(keys.size()) + "? They cannot be requeued afterwards.")) {
      case Consent::Given: break;
      case Consent::Refused: session.note("nothing was purged"); return exit_code::failed;
      case Consent::NotAsked: return session.usage("dlq purge: nobody can be asked here; say -y");
    }
    std::uint64_t done = 0;
    for (std::size_t begin = 0; begin < keys.size() && !session.world().interrupted(); begin += purge_page) {
      const std::size_t end = std::min(begin + purge_page, keys.size());
      const auto purged = spool.purge({keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                       keys.begin() + static_cast<std::ptrdiff_t>(end)});
      if (!purged) {
        const int code = session.fail(purged.error());
        session.note(std::to_string(done) + " of " + letters_text(keys.size()) + " purged");
        return done > 0 ? exit_code::partial : code;
      }
      done += *purged;
    }
    if (done < keys.size()) {
      session.note(std::to_string(done) + " of " + letters_text(keys.size()) + " purged; the others have changed meanwhile");
      return session.world().interrupted() ? exit_code::interrupted : exit_code::partial;
    }
    return print_purge(session, keys, "purged", letters_text(keys.size()) + " purged");
  }

  static int print_purge(Session& session, const std::vector<SpoolQueries::LetterKey>& keys, const std::string& status,
                         const std::string& note) {
    JsonTree rows = JsonTree::array();
    for (const auto& key : keys) rows.push_back({{"id", key.event}, {"agent", key.agent}, {"status", status}});
    CsvRows csv({"id", "agent", "status"});
    if (!print_rows(session, rows, csv)) {
      for (const auto& key : keys) session.out() << status << ' ' << printable(key.event + " " + key.agent) << '\n';
    }
    session.out().flush();
    session.note(note);
    return exit_code::ok;
  }

  std::string action_;
  std::vector<std::string> ids_;
  LetterChoice choice_;
  std::string spool_;
  std::optional<std::uint64_t> count_;
  bool all_ = false;
  bool dry_run_ = false;
  std::optional<std::uint64_t> requeues_max_;
  bool require_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_dlq() { return std::make_unique<Dlq>(); }

}  // namespace legion::cli
