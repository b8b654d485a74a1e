#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/moments.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/spool_choice.hpp>
#include <legion/cli/spool_compare.hpp>
#include <legion/cli/spool_report.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr std::array<std::string_view, 4> actions_known{"info", "verify", "backup", "mark"};

class Spool : public Verb {
 public:
  std::vector<std::string> actions() const override { return {actions_known.begin(), actions_known.end()}; }

  void declare(CLI::App& app) override {
    app.add_option("ACTION", action_,
                   "info: figures; verify: read and check everything; backup: a copy while it runs; mark: name this moment "
                   "for replay --mark")
        ->type_name("info|verify|backup|mark");
    app.add_option("ARGUMENT", words_,
                   "info, verify: names of spools, or files of stopped ones (default: every spool of the mesh); backup: the "
                   "path of the copy on the spool's host; mark: the name (none: list the marks)")
        ->type_name("");
    app.add_flag("--full", full_, "verify: decode every frame and recompute the audit chain; with --against compare the bytes");
    add_text(app, "--against", against_, "SPOOL", "verify: do both have the same? Another spool, or a file");
    add_text(app, "--spool", spool_, "NAME", "backup: this one (needed where there are several); mark: only this one");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    if (action_ == "backup") return backup(session);
    if (action_ == "mark") return words_.empty() ? list_marks(session) : mark(session);
    auto spools = chosen(session);
    if (!spools) return session.fail_to_find(spools.error());
    if (action_ == "info") return info(session, *spools);
    return against_.empty() ? verify(session, *spools) : compare(session, *spools);
  }

 private:
  using Spools = std::vector<std::unique_ptr<SpoolQueries>>;

  int check(Session& session) {
    if (action_.empty()) return session.usage("spool: say info, verify, backup or mark");
    if (std::ranges::find(actions_known, action_) == actions_known.end()) {
      const auto meant = did_you_mean(action_, actions_known);
      return session.usage("spool: unknown action '" + action_ + "'" +
                           (meant ? "; did you mean '" + *meant + "'?" : "; there are info, verify, backup and mark"));
    }
    if ((full_ || !against_.empty()) && action_ != "verify") return session.usage("--full and --against go with verify");
    if (!spool_.empty() && action_ != "backup" && action_ != "mark") {
      return session.usage("--spool goes with backup and mark; info and verify take names");
    }
    if (!against_.empty() && words_.size() != 1) return session.usage("--against compares two: name the one, then --against the other");
    if (action_ == "backup" && (words_.size() != 1 || !words_.front().starts_with('/'))) {
      return session.usage("spool backup: an absolute path on the spool's host is needed");
    }
    if (action_ == "mark" && words_.size() > 1) return session.usage("spool mark: one NAME at a time");
    if (action_ == "mark" && !words_.empty()) {
      if (const auto name = check_mark_name("spool mark", words_.front()); !name) return session.usage(name.error().message);
    }
    return exit_code::ok;
  }

  /// A spool by its name, or a file.
  Result<std::unique_ptr<SpoolQueries>> open(Session& session, const std::string& name) {
    auto spool = choose_spool(session, name);
    if (!spool) return std::unexpected(spool.error());
    return std::move(spool->queries);
  }

  Result<Spools> open_all(Session& session) {
    const auto members = known_spools(session);
    if (!members) return std::unexpected(members.error());
    Spools spools;
    for (const Member& member : *members) {
      auto spool = open_spool(session, member);
      if (spool) {
        spools.push_back(std::move(*spool));
      } else {
        silent(session, member.name, spool.error());
      }
    }
    return spools;
  }

  Result<Spools> chosen(Session& session) {
    if (words_.empty()) return open_all(session);
    Spools spools;
    for (const std::string& name : words_) {
      auto spool = open(session, name);
      if (!spool) return std::unexpected(spool.error());
      spools.push_back(std::move(*spool));
    }
    return spools;
  }

  void silent(Session& session, const std::string& name, const Error& error) {
    last_code_ = session.fail({error.code, name + ": " + error.message});
    ++silent_;
  }

  /// All, some or none of them answered.
  int code_for(std::size_t answered) const {
    if (silent_ == 0) return exit_code::ok;
    return answered > 0 ? exit_code::partial : last_code_;
  }

  int info(Session& session, const Spools& spools) {
    JsonTree rows = JsonTree::array();
    for (const auto& spool : spools) {
      const auto answer = spool->info();
      if (answer) {
        rows.push_back(info_json(spool->name(), *answer));
      } else {
        silent(session, spool->name(), answer.error());
      }
    }
    CsvRows csv({"spool", "store", "frozen", "events", "frames", "blocks", "quarantined", "bytes_on_disk", "dead_letters"});
    if (!print_rows(session, rows, csv) && !rows.empty()) print_info_table(session, rows);
    return code_for(rows.size());
  }

  int verify(Session& session, const Spools& spools) {
    JsonTree reports = JsonTree::array();
    bool damaged = false;
    bool holes = false;
    for (const auto& spool : spools) {
      session.detail("verifying " + spool->name());
      spool->set_timeout(session.long_timeout());
      const auto report = spool->verify(full_ ? StoreReader::Depth::Full : StoreReader::Depth::Checksums);
      if (!report) {
        silent(session, spool->name(), report.error());
        continue;
      }
      damaged = damaged || !report->damage.empty();
      holes = holes || !report->holes.empty();
      reports.push_back(verify_json(spool->name(), *report));
      if (session.output() == Output::Table) print_verify(session, reports.back());
    }
    CsvRows csv({"spool", "sound", "blocks", "frames", "events", "chain", "damage", "holes"});
    print_rows(session, reports, csv);
    session.out().flush();
    if (damaged) session.problem("damage was found; what is named can be fetched again from the origins or another spool");
    if (holes) session.warn("positions are missing; they are fetched from the origins or another spool as these come");
    if (damaged) return exit_code::failed;
    return holes && silent_ == 0 ? exit_code::partial : code_for(reports.size());
  }

  int compare(Session& session, const Spools& spools) {
    SpoolQueries& one = *spools.front();
    auto other = open(session, against_);
    if (!other) return session.fail_to_find(other.error());
    session.world().take_interrupts();
    const auto result = compare_spools(one, **other, full_ ? CompareDepth::Bytes : CompareDepth::Positions,
                                       [&] { return !session.world().interrupted(); });
    if (session.world().interrupted()) return exit_code::interrupted;
    if (!result) return session.fail(result.error());
    JsonTree differences = JsonTree::array();
    for (const SpoolDifference& difference : result->differences) {
      differences.push_back({{"journal", difference.journal},
                             {"first", difference.range.first},
                             {"last", difference.range.last},
                             {"what", difference.what}});
    }
    const bool same = differences.empty();
    const std::string verdict = one.name() + " and " + (*other)->name() + (same ? " have the same: " : " differ: ") +
                                std::to_string(result->positions) + " positions of " + std::to_string(result->journals) +
                                " journals compared" + (full_ ? ", every byte" : "");
    const JsonTree json{{"one", one.name()},
                        {"other", (*other)->name()},
                        {"same", same},
                        {"journals", result->journals},
                        {"positions", result->positions},
                        {"not_compared", result->not_compared},
                        {"depth", full_ ? "bytes" : "positions"},
                        {"differences", differences}};
    if (!print_object(session, json)) {
      session.out() << printable(verdict) << '\n';
      for (const JsonTree& difference : differences) {
        session.out() << "  " << printable(text_of(difference, "journal")) << " positions " << number_of(difference, "first")
                      << " to " << number_of(difference, "last") << ": " << printable(text_of(difference, "what")) << '\n';
      }
    }
    if (result->not_compared > 0) {
      session.note(std::to_string(result->not_compared) + " positions lie below what one of them keeps");
    }
    return same ? exit_code::ok : exit_code::failed;
  }

  int backup(Session& session) {
    if (spool_.empty()) {
      const auto members = known_spools(session);
      if (!members) return session.fail(members.error());
      if (members->size() > 1) return session.usage("spool backup: there are several spools; say which with --spool NAME");
    }
    auto spool = choose_spool(session, spool_);
    if (!spool) return session.fail(spool.error());
    spool->queries->set_timeout(session.long_timeout());
    const auto bytes = spool->queries->backup(words_.front());
    if (!bytes) return session.fail(bytes.error());
    const JsonTree json{{"spool", spool->queries->name()}, {"path", words_.front()}, {"bytes", *bytes}};
    if (!print_object(session, json)) {
      session.out() << "backed up " << printable(spool->queries->name()) << " to " << printable(words_.front())
                    << " (" << *bytes << " bytes)\n";
    }
    return exit_code::ok;
  }

  Result<Spools> to_mark(Session& session) {
    if (spool_.empty()) return open_all(session);
    Spools spools;
    auto spool = open(session, spool_);
    if (!spool) return std::unexpected(spool.error());
    spools.push_back(std::move(*spool));
    return spools;
  }

  int mark(Session& session) {
    auto spools = to_mark(session);
    if (!spools) return session.fail_to_find(spools.error());
    JsonTree rows = JsonTree::array();
    for (const auto& spool : *spools) {
      const auto number = spool->mark(words_.front());
      if (number) {
        rows.push_back({{"mark", words_.front()}, {"spool", spool->name()}, {"number", *number}});
      } else {
        silent(session, spool->name(), number.error());
      }
    }
    return print_marks(session, rows);
  }

  int list_marks(Session& session) {
    auto spools = to_mark(session);
    if (!spools) return session.fail_to_find(spools.error());
    JsonTree rows = JsonTree::array();
    std::size_t answered = 0;
    for (const auto& spool : *spools) {
      const auto marks = spool->marks();
      if (!marks) {
        silent(session, spool->name(), marks.error());
        continue;
      }
      ++answered;
      for (const auto& [name, number] : *marks) rows.push_back({{"mark", name}, {"spool", spool->name()}, {"number", number}});
    }
    print_marks(session, rows);
    return code_for(answered);
  }

  int print_marks(Session& session, const JsonTree& rows) {
    CsvRows csv({"mark", "spool", "number"});
    if (!print_rows(session, rows, csv)) {
      Table table({{"MARK"}, {"SPOOL"}, {"NUMBER", Align::Right}});
      for (const JsonTree& row : rows) {
        table.row({{text_of(row, "mark")}, {text_of(row, "spool")}, {std::to_string(number_of(row, "number"))}});
      }
      if (!table.empty()) session.print(table);
    }
    return code_for(rows.size());
  }

  std::string action_;
  std::vector<std::string> words_;
  bool full_ = false;
  std::string against_;
  std::string spool_;
  std::size_t silent_ = 0;
  int last_code_ = exit_code::failed;
};

}  // namespace

std::unique_ptr<Verb> make_spool() { return std::make_unique<Spool>(); }

}  // namespace legion::cli
