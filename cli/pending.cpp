#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/map_writer.hpp>
#include <legion/cli/moments.hpp>
#include <legion/cli/pending_groups.hpp>
#include <legion/cli/pending_rows.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/repeat.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/spool_choice.hpp>
#include <legion/cli/verb.hpp>
#include <legion/event/share.hpp>

namespace legion::cli {
namespace {

constexpr std::array<std::string_view, 4> actions_known{"ls", "rm", "reset", "skip"};
constexpr Duration change_timeout_default = 35s;  // a spool gives up after 30s

class Pending : public Verb {
 public:
  std::vector<std::string> actions() const override { return {actions_known.begin(), actions_known.end()}; }

  void declare(CLI::App& app) override {
    app.add_option("ACTION", action_,
                   "ls (default); rm: forget the subscription; reset: begin anew at --to; skip: give up what a stalled "
                   "stream waits for")
        ->type_name("ls|rm|reset|skip");
    app.add_option("NAME", name_, "of a durable subscription")->type_name("");
    add_text(app, "--to", to_, "WHERE", "reset: now, beginning, a time, 5m (ago), or an event id");
    add_text(app, "--stream", stream_, "STREAM", "skip: this stream only, as ls shows it (default: all that are stalled)");
    add_count(app, "--through", through_, "skip: with --stream, everything up to this sequence (default: the gap it waits at)");
    add_text(app, "--group", group_, "NAME", "ls: the shares of this group and its members, as its home knows them");
    add_text(app, "--spool", spool_, "NAME", "ask this spool (default: one that answers)");
    app.add_flag("--require", require_, "exit with 66 when there is no durable subscription");
    add_duration(app, "--watch", repeat_.interval, "look again every DURATION (1s when none is given)");
    add_count(app, "-n,--count", repeat_.count, "with --watch: stop after N looks");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    if (changes()) return change(session);
    return repeat(session, repeat_, [&](std::uint64_t turn) { return look(session, turn); });
  }

 private:
  bool changes() const { return !action_.empty() && action_ != "ls"; }

  int check(Session& session) {
    if (!action_.empty() && std::ranges::find(actions_known, action_) == actions_known.end()) {
      const auto meant = did_you_mean(action_, actions_known);
      return session.usage("pending: unknown action '" + action_ + "'" +
                           (meant ? "; did you mean '" + *meant + "'?" : "; there are ls, rm, reset and skip"));
    }
    if (changes() && name_.empty()) return session.usage("pending " + action_ + ": a NAME is needed; pending lists them");
    if (!name_.empty() && !is_cursor_name(name_)) {
      return session.usage("pending: '" + name_ + "' cannot name a durable subscription");
    }
    if (changes() && (repeat_.interval || repeat_.count)) return session.usage("--watch and --count go with ls");
    if (changes() && !group_.empty()) return session.usage("--group goes with ls");
    if (!group_.empty() && (!name_.empty() || !is_group_name(group_))) {
      return session.usage(name_.empty() ? "--group: '" + group_ + "' cannot name a group"
                                         : "--group goes without a NAME");
    }
    if (repeat_.count && !repeat_.interval) return session.usage("--count goes with --watch");
    if ((action_ == "reset") != !to_.empty()) {
      return session.usage(to_.empty() ? "pending reset: say --to now, beginning, a time or an event id"
                                       : "--to goes with reset");
    }
    if (action_ != "skip" && (!stream_.empty() || through_)) return session.usage("--stream and --through go with skip");
    if (through_ && stream_.empty()) return session.usage("--through goes with --stream");
    if (!stream_.empty() && !EventId::parse(stream_ + ":1")) {
      return session.usage("--stream: '" + stream_ + "' is no stream; write NODE:INCARNATION:LANE:TYPE:SHARD, as ls shows it");
    }
    return to_.empty() ? exit_code::ok : check_start(session);
  }

  /// A time is told as a time, whatever form it was given in.
  int check_start(Session& session) {
    if (to_ == "now" || to_ == "beginning") return exit_code::ok;
    if (const auto id = EventId::parse(to_)) {
      to_ = id->to_string();
      return exit_code::ok;
    }
    const auto time = parse_moment("--to", to_, session.world().now().wall);
    if (!time) {
      return session.usage("--to: '" + to_ + "' is none of now, beginning, a time such as 5m (ago) or 2026-11-21T10:00:00Z, " +
                           "and an event id");
    }
    to_ = format_time(*time);
    return exit_code::ok;
  }

  static bool is_away(const Member& member) {
    return member.state == MemberState::Left || member.state == MemberState::Dead;
  }

  /// Asks every node that may consume. Those without an answer are warnings. Errors: the roster cannot be had.
  Result<std::uint64_t> ask_nodes(Session& session, PendingRows& rows) {
    const auto members = session.roster();
    if (!members) return std::unexpected(members.error());
    std::uint64_t silent = 0;
    for (const Member& member : *members) {
      if (is_away(member)) continue;
      if (const auto asked = ask_node(session, member, rows); !asked) {
        session.warn(member.name + ": " + asked.error().message);
        ++silent;
      }
    }
    return silent;
  }

  static Result<void> ask_node(Session& session, const Member& member, PendingRows& rows) {
    const auto address = parse_address(member.endpoints.control, 0);
    if (!address) return std::unexpected(address.error());
    auto node = session.connect(*address);
    if (!node) return std::unexpected(node.error());
    const auto answer = session.call_json(**node, "pending");
    if (!answer && answer.error().code == ErrorCode::NotFound) return {};  // of a version that has none
    if (!answer) return std::unexpected(answer.error());
    return rows.add_node(member.name, JsonTree::parse(*answer, nullptr, false));
  }

  Result<void> ask_spool(Session& session, PendingRows& rows) {
    const auto spool = choose_spool(session, spool_);
    if (!spool) return std::unexpected(spool.error());
    return rows.add_spool(*spool->queries, session.world().now().wall);
  }

  int look(Session& session, std::uint64_t turn) {
    PendingRows found;
    const auto silent = ask_nodes(session, found);
    if (!silent) return session.fail(silent.error());
    const auto spool = ask_spool(session, found);
    JsonTree rows = found.rows();
    if (!name_.empty() || !group_.empty()) {
      JsonTree chosen = JsonTree::array();
      for (JsonTree& row : rows) {
        const std::string name = text_of(row, "name");
        const bool is_wanted = group_.empty() ? name == name_ : group_of(name) == group_;
        if (is_wanted) chosen.push_back(std::move(row));
      }
      rows = std::move(chosen);
    }
    JsonTree groups = JsonTree::array();
    if (!group_.empty()) {
      auto told = groups_of(session, group_, rows);
      if (!told) return session.fail(told.error());
      groups = std::move(*told);
      if (session.output() == Output::Json || session.output() == Output::Jsonl) rows = groups;
    }
    if (repeat_.interval && session.output() == Output::Table) begin_screen(session, turn);
    if (!print_rows(session, rows, csv_)) {
      print_table(session, rows);
      print_groups(session, groups);
    }
    session.out().flush();
    if (!spool && rows.empty()) return session.fail(spool.error());
    if (!spool) session.warn("only what the nodes say is shown: " + spool.error().message);
    if (!spool || *silent > 0) return exit_code::partial;
    return require_ && rows.empty() ? exit_code::nothing_found : exit_code::ok;
  }

  static std::string text_or_dash(const JsonTree& row, std::string_view key) {
    const std::string text = text_of(row, key);
    return text.empty() ? "-" : text;
  }

  static void print_table(Session& session, const JsonTree& rows) {
    Table table({{"NAME"},
                 {"STATE"},
                 {"FILTER", Align::Left, 1},
                 {"AGENT", Align::Left, 2},
                 {"PENDING", Align::Right},
                 {"OLDEST", Align::Right},
                 {"STALLED", Align::Right},
                 {"RETRYING", Align::Right, 4},
                 {"LOST", Align::Right, 5},
                 {"CURSOR", Align::Left, 3}});
    for (const JsonTree& row : rows) {
      const std::string state = text_of(row, "state");
      const std::uint64_t pending = number_of(row, "pending");
      const std::uint64_t lost = number_of(row, "lost");
      const std::size_t stalled = part_of(row, "stalled").size();
      const JsonTree& age = part_of(row, "oldest_age_ms");
      table.row({{text_of(row, "name"), Tint::Bold},
                 {state, state == "active" ? Tint::Green : Tint::Yellow},
                 {text_of(row, "filter")},
                 {text_or_dash(row, "agent")},
                 {part_of(row, "pending").is_number() ? std::to_string(pending) : "?", pending > 0 ? Tint::Yellow : Tint::Plain},
                 {age.is_number() ? latency_text(real_of(row, "oldest_age_ms") * 1000) : "-"},
                 {std::to_string(stalled), stalled > 0 ? Tint::BoldRed : Tint::Plain},
                 {std::to_string(number_of(row, "retrying"))},
                 {std::to_string(lost), lost > 0 ? Tint::BoldRed : Tint::Plain},
                 {text_or_dash(row, "updated")}});
    }
    session.print(table);
    for (const JsonTree& row : rows) {
      if (const auto trouble = text_of(row, "trouble"); !trouble.empty()) {
        session.out() << printable(text_of(row, "name") + ": " + trouble) << '\n';
      }
      for (const JsonTree& stream : part_of(row, "stalled")) {
        session.out() << printable(text_of(row, "name")) << " waits in " << printable(text_of(stream, "stream")) << " behind "
                      << number_of(stream, "done") << ": " << printable(text_of(stream, "why")) << '\n';
      }
    }
  }

  Bytes params() const {
    MapWriter params;
    params.text("name", name_);
    params.text("action", action_);
    params.text_if_any("start", to_);
    params.text_if_any("stream", stream_);
    if (through_) params.uint("through", *through_);
    return params.take();
  }

  std::string question() const {
    if (action_ == "rm") return "forget how far '" + name_ + "' is?";
    if (action_ == "reset") return "let '" + name_ + "' begin anew at " + to_ + "?";
    return "give up for good what '" + name_ + "' waits for" + (stream_.empty() ? "" : " in " + stream_) + "?";
  }

  int change(Session& session) {
    PendingRows found;
    const auto silent = ask_nodes(session, found);
    if (!silent) return session.fail(silent.error());
    const auto spool = ask_spool(session, found);
    const JsonTree rows = found.rows();
    const bool known = std::ranges::any_of(rows, [&](const JsonTree& row) { return text_of(row, "name") == name_; });
    if (!known && !spool) return session.fail(spool.error());
    if (!known) {
      session.problem("no durable subscription is named '" + name_ + "'");
      return exit_code::nothing_found;
    }
    switch (session.consent(question())) {
      case Consent::Given: break;
      case Consent::Refused: session.note("nothing was changed"); return exit_code::failed;
      case Consent::NotAsked: return session.usage("pending " + action_ + ": nobody can be asked here; say -y");
    }
    const std::string node = found.node_of(name_);
    const auto changed = node.empty() ? change_at_spool(session) : change_at_node(session, node);
    if (!changed) return session.fail_to_find(changed.error());
    session.note(action_ + " of '" + name_ + "' done by " + *changed);
    return exit_code::ok;
  }

  /// A new beginning may have to be searched for in the whole store.
  static Duration change_timeout(const Session& session) {
    return session.options().timeout_given ? session.options().timeout : change_timeout_default;
  }

  Result<std::string> change_at_node(Session& session, const std::string& name) const {
    const auto address = session.find_node(name);
    if (!address) return std::unexpected(address.error());
    auto node = session.connect(*address);
    if (!node) return std::unexpected(node.error());
    const auto answer = (*node)->call("subscription", params(), change_timeout(session));
    if (!answer) return std::unexpected(answer.error());
    return "node " + name;
  }

  Result<std::string> change_at_spool(Session& session) const {
    const auto spool = choose_spool(session, spool_);
    if (!spool) return std::unexpected(spool.error());
    spool->queries->set_timeout(change_timeout(session));
    if (const auto changed = spool->queries->change_subscription(params()); !changed) return std::unexpected(changed.error());
    return "spool " + spool->queries->name();
  }

  std::string action_;
  std::string name_;
  std::string to_;
  std::string stream_;
  std::optional<std::uint64_t> through_;
  std::string group_;
  std::string spool_;
  bool require_ = false;
  RepeatOptions repeat_;
  CsvRows csv_{{"name", "state", "filter", "agent", "node", "pending", "oldest_age_ms", "stalled", "retrying", "lost", "trouble",
                "generation", "updated"}};
};

}  // namespace

std::unique_ptr<Verb> make_pending() { return std::make_unique<Pending>(); }

}  // namespace legion::cli
