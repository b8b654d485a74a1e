#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/books_check.hpp>
#include <legion/cli/csv_rows.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/node_questions.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/repeat.hpp>
#include <legion/cli/stats_csv.hpp>
#include <legion/cli/stats_rolling.hpp>
#include <legion/cli/stats_sections.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr std::array<Section, 9> default_sections{Section::Lane,       Section::Subscription, Section::Handler,
                                                  Section::Agent,      Section::Middleware,   Section::Journal,
                                                  Section::Link,       Section::Spool,        Section::Durable};
constexpr std::array<std::string_view, 5> count_groups{"publish", "refused", "local", "dead_letters", "schema"};

class Stats : public Verb {
 public:
  void declare(CLI::App& app) override {
    app.add_option("NODE", names_, "names or addresses (default: the node of --node)")->type_name("");
    app.add_flag("--all", all_, "every node of the roster that is alive");
    add_text(app, "--by", by_, "SECTION", "one section only: lane, subscription, type, handler, agent, middleware, journal, link, spool or durable");
    app.add_flag("--books", books_,
                 "where every event went, per subscription and journal; 1 when a sum does not agree");
    add_duration(app, "--watch", watch_, "look again every DURATION (1s when none is given)");
    app.add_flag("--rolling", rolling_, "a line of rates per interval and node");
    add_duration(app, "--interval", interval_, "between the lines of --rolling (default 1s)");
    add_count(app, "-n,--count", count_, "with --watch or --rolling: stop after N looks (lines)");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    if (!all_ && names_.empty()) {
      const auto target = session.target();
      if (!target) return session.fail(target.error());
      fixed_.push_back(target->address);
    }
    for (const auto& name : names_) {
      const auto address = session.find_node(name);
      if (!address) return session.fail(address.error());
      fixed_.push_back(*address);
    }
    RepeatOptions repeated{watch_, count_};
    if (rolling_) repeated.interval = interval_.value_or(1s);
    if (rolling_ && repeated.count) ++*repeated.count;  // the first look only sets the marks
    return repeat(session, repeated, [&](std::uint64_t turn) { return look(session, turn); });
  }

 private:
  int check(Session& session) {
    if (rolling_ && (watch_ || books_ || !by_.empty())) return session.usage("--rolling goes with --interval and --count only");
    if (interval_ && !rolling_) return session.usage("--interval goes with --rolling; --watch takes its own duration");
    if (count_ && !rolling_ && !watch_) return session.usage("--count goes with --watch or --rolling");
    if (books_ && !by_.empty()) return session.usage("--books and --by exclude each other");
    if (all_ && !names_.empty()) return session.usage("--all and names exclude each other");
    if (by_.empty()) return exit_code::ok;
    section_ = parse_section(by_);
    if (section_) return exit_code::ok;
    const auto known = section_names();
    const auto meant = did_you_mean(by_, known);
    std::string names;
    for (const auto name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    return session.usage("--by: '" + by_ + "' is none of " + names + (meant ? "; did you mean '" + *meant + "'?" : ""));
  }

  Result<std::vector<Address>> addresses(Session& session) {
    if (!all_) return fixed_;
    return nodes_.alive(session);
  }

  int look(Session& session, std::uint64_t turn) {
    const auto asked = addresses(session);
    if (!asked) return session.fail(asked.error());
    std::vector<JsonTree> snapshots;
    std::vector<Error> errors;
    for (const Address& address : *asked) {
      auto snapshot = nodes_.ask(session, address, "stats");
      if (snapshot && rolling_) {
        const Now now = session.world().now();
        roll_.look(session, *snapshot, now.steady, now.wall);
      }
      if (snapshot) {
        snapshots.push_back(std::move(*snapshot));
      } else {
        errors.push_back(snapshot.error());
      }
    }
    int code = exit_code::ok;
    if (!rolling_ && !snapshots.empty()) code = print(session, snapshots, turn);
    for (const Error& error : errors) {
      const int failed = session.fail(error);
      code = snapshots.empty() ? failed : exit_code::partial;
    }
    return code;
  }

  int print(Session& session, const std::vector<JsonTree>& snapshots, std::uint64_t turn) {
    if (books_) return print_books(session, snapshots, turn);
    switch (session.output()) {
      case Output::Json: print_json(session, snapshots); break;
      case Output::Jsonl:
        for (const JsonTree& snapshot : snapshots) session.out() << chosen(snapshot).dump() << '\n';
        break;
      case Output::Csv: print_csv(session, snapshots); break;
      case Output::Table:
        if (watch_) begin_screen(session, turn);
        for (std::size_t i = 0; i < snapshots.size(); ++i) {
          if (i > 0) session.out() << '\n';
          print_node(session, snapshots[i]);
        }
        break;
    }
    return exit_code::ok;
  }

  /// The node's object; with --by its name and that section only.
  JsonTree chosen(const JsonTree& snapshot) const {
    if (!section_) return snapshot;
    JsonTree out{{"node", text_of(snapshot, "node")}};
    const std::string member(member_of(*section_));
    const bool as_it_is = *section_ == Section::Subscription;  // every term on its own
    out[member] = as_it_is ? part_of(snapshot, member) : rows_of(*section_, snapshot);
    return out;
  }

  void print_json(Session& session, const std::vector<JsonTree>& snapshots) const {
    if (!all_ && names_.size() <= 1) {
      session.out() << chosen(snapshots.front()).dump(2) << '\n';
      return;
    }
    JsonTree list = JsonTree::array();
    for (const JsonTree& snapshot : snapshots) list.push_back(chosen(snapshot));
    session.out() << list.dump(2) << '\n';
  }

  void print_csv(Session& session, const std::vector<JsonTree>& snapshots) {
    const Section section = section_.value_or(Section::Lane);
    if (!csv_) csv_.emplace(books_ ? books_csv_columns() : csv_columns(section));
    JsonTree rows = JsonTree::array();
    for (const JsonTree& snapshot : snapshots) {
      JsonTree added = books_ ? books_csv_rows(snapshot) : csv_rows(section, snapshot);
      for (JsonTree& row : added) rows.push_back(std::move(row));
    }
    csv_->print(session.out(), rows);
  }

  void print_node(Session& session, const JsonTree& snapshot) const {
    std::string head;
    session.paint().append(head, Tint::Bold, printable(text_of(snapshot, "node")));
    head += "  legion " + printable(text_of(snapshot, "version")) + "  up " +
            format_duration(std::chrono::seconds(number_of(snapshot, "uptime_ms") / 1000)) + "  incarnation " +
            std::to_string(number_of(snapshot, "incarnation"));
    const JsonTree& open = part_of(snapshot, "publishing");
    if (open.is_boolean() && !open.get<bool>()) {
      head += "  ";
      session.paint().append(head, Tint::Yellow, "publishing waits for the first sync");
    }
    if (part_of(snapshot, "degraded") == true) {
      head += "  ";
      session.paint().append(head, Tint::BoldRed, "degraded: too few spools can be reached");
    }
    session.out() << head << '\n';
    for (const Section section : default_sections) {
      if (!section_) print_section(session, section, snapshot);
    }
    if (section_) {
      print_section(session, *section_, snapshot);
      return;
    }
    for (const auto group : count_groups) print_counts(session, group, part_of(snapshot, group));
  }

  static void print_section(Session& session, Section section, const JsonTree& snapshot) {
    Table table = section_table(section);
    add_rows(table, section, snapshot);
    if (table.empty()) return;
    session.out() << '\n';
    session.print(table);
  }

  static void print_counts(Session& session, std::string_view name, const JsonTree& counts) {
    if (sum_of(counts) == 0) return;
    std::string line;
    for (const auto& [key, value] : counts.items()) {
      if (value != 0) line += "  " + key + "=" + value.dump();
    }
    session.out() << '\n' << name << ":" << printable(line) << '\n';
  }

  int print_books(Session& session, const std::vector<JsonTree>& snapshots, std::uint64_t turn) {
    const BooksFound found = read_books(snapshots);
    switch (session.output()) {
      case Output::Json: session.out() << found.lines.dump(2) << '\n'; break;
      case Output::Jsonl:
        for (const JsonTree& line : found.lines) session.out() << line.dump() << '\n';
        break;
      case Output::Csv: print_csv(session, snapshots); break;
      case Output::Table:
        if (watch_) begin_screen(session, turn);
        print_books_tables(session, snapshots);
        break;
    }
    for (const JsonTree& line : found.off) session.warn(off_text(line));
    return found.off.empty() ? exit_code::ok : exit_code::failed;
  }

  static void print_books_tables(Session& session, const std::vector<JsonTree>& snapshots) {
    JsonTree books = JsonTree::array();
    JsonTree journals = JsonTree::array();
    for (const JsonTree& snapshot : snapshots) {
      for (JsonTree& each : books_of(snapshot)) books.push_back(std::move(each));
      for (JsonTree& each : journal_books_of(snapshot)) journals.push_back(std::move(each));
    }
    JsonTree total = total_of(books);
    total["node"] = "total";
    books.push_back(std::move(total));
    session.print(books_table(books));
    if (journals.empty()) return;
    session.out() << '\n';
    session.print(journal_books_table(journals));
  }

  std::vector<std::string> names_;
  bool all_ = false;
  bool books_ = false;
  bool rolling_ = false;
  std::string by_;
  std::optional<Section> section_;
  std::optional<Duration> watch_;
  std::optional<Duration> interval_;
  std::optional<std::uint64_t> count_;
  std::vector<Address> fixed_;
  NodeQuestions nodes_;
  RollingStats roll_;
  std::optional<CsvRows> csv_;
};

}  // namespace

std::unique_ptr<Verb> make_stats() { return std::make_unique<Stats>(); }

}  // namespace legion::cli
