#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/csv_rows.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/repeat.hpp>
#include <legion/cli/table.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr std::array<std::string_view, 4> states{"alive", "suspect", "dead", "left"};
constexpr Duration ping_timeout_max = 1s;

/// What a node says of itself beside its state: fewer spools than its confirms need, or a spool that confirms nothing.
std::string trouble_of(const JsonTree& row) {
  const auto is_set = [&](std::string_view key) { return part_of(row, key) == true; };
  return std::string(is_set("degraded") ? ", degraded" : "") + (is_set("spool_frozen") ? ", frozen" : "");
}

Tint tint_of_state(const std::string& state, const std::string& trouble) {
  if (state == "alive") return trouble.empty() ? Tint::Green : Tint::BoldRed;
  if (state == "suspect") return Tint::Yellow;
  return state == "dead" ? Tint::BoldRed : Tint::Dim;
}

std::string joined(const JsonTree& list) {
  std::string out;
  for (const auto& item : list) {
    if (item.is_string()) out += (out.empty() ? "" : ",") + item.get<std::string>();
  }
  return out.empty() ? "-" : out;
}

class Nodes : public Verb {
 public:
  void declare(CLI::App& app) override {
    add_text(app, "--state", states_, "STATE[,STATE]", "only nodes in these states: alive, suspect, dead, left");
    app.add_flag("--no-ping", no_ping_, "do not measure round trips");
    app.add_flag("--require", require_, "exit with 66 when no node is shown");
    add_duration(app, "--watch", repeat_.interval, "look again every DURATION (1s when none is given)");
    add_count(app, "-n,--count", repeat_.count, "with --watch: stop after N looks");
  }

  int run(Session& session) override {
    if (repeat_.count && !repeat_.interval) return session.usage("--count goes with --watch");
    if (const int code = read_states(session); code != exit_code::ok) return code;
    const auto target = session.target();
    if (!target) return session.fail(target.error());
    auto node = session.connect(target->address);
    if (!node) return session.fail(node.error());
    return repeat(session, repeat_, [&](std::uint64_t turn) { return look(session, **node, turn); });
  }

 private:
  int read_states(Session& session) {
    std::string_view rest = states_;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      const std::string_view word = rest.substr(0, comma);
      if (std::ranges::find(states, word) == states.end()) {
        const auto meant = did_you_mean(word, states);
        return session.usage("--state: '" + std::string(word) + "' is none of alive, suspect, dead, left" +
                             (meant ? "; did you mean '" + *meant + "'?" : ""));
      }
      wanted_.emplace_back(word);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return exit_code::ok;
  }

  int look(Session& session, NodeConnection& node, std::uint64_t turn) {
    const auto answer = session.call_json(node, "nodes");
    if (!answer) return session.fail(answer.error());
    const JsonTree all = JsonTree::parse(*answer, nullptr, false);
    if (!all.is_array()) return session.fail({ErrorCode::BadData, "the answer to nodes is not a list"});
    JsonTree rows = JsonTree::array();
    for (const JsonTree& row : all) {
      if (!row.is_object() || (!wanted_.empty() && std::ranges::find(wanted_, text_of(row, "state")) == wanted_.end())) {
        continue;
      }
      rows.push_back(row);
      rows.back()["round_trip_ms"] = round_trip(session, row);
    }
    if (repeat_.interval && session.output() == Output::Table) begin_screen(session, turn);
    print(session, rows);
    return rows.empty() && require_ ? exit_code::nothing_found : exit_code::ok;
  }

  /// Of a second question over one connection, so that connecting does not count. Null when there is no answer.
  JsonTree round_trip(Session& session, const JsonTree& row) const {
    if (no_ping_ || text_of(row, "state") != "alive" || session.world().interrupted()) return nullptr;
    const auto address = parse_address(text_of(row, "address"), 0);
    if (!address || address->port == 0) return nullptr;
    auto node = session.world().connect(*address);
    if (!node) return nullptr;
    const Duration timeout = std::min(session.options().timeout, ping_timeout_max);
    if (!(*node)->call("roster", {}, timeout)) return nullptr;
    const SteadyTime begin = session.world().now().steady;
    if (!(*node)->call("roster", {}, timeout)) return nullptr;
    return static_cast<double>((session.world().now().steady - begin) / 1us) / 1000.0;
  }

  void print(Session& session, const JsonTree& rows) {
    switch (session.output()) {
      case Output::Json: session.out() << rows.dump(2) << '\n'; return;
      case Output::Jsonl:
        for (const JsonTree& row : rows) session.out() << row.dump() << '\n';
        return;
      case Output::Csv: csv_.print(session.out(), rows); return;
      case Output::Table: break;
    }
    session.print(table_of(rows));
  }

  static Table table_of(const JsonTree& rows) {
    Table table({{"NAME"},
                 {"STATE"},
                 {"ROLES", Align::Left, 6},
                 {"HEARTBEAT", Align::Right, 1},
                 {"RTT", Align::Right, 2},
                 {"SKEW", Align::Right, 5},
                 {"VERSION", Align::Left, 4},
                 {"DEPTH", Align::Right, 3},
                 {"LOST", Align::Right},
                 {"ADDRESS"}});
    for (const JsonTree& row : rows) {
      const std::string state = text_of(row, "state");
      const std::string trouble = state == "alive" ? trouble_of(row) : "";
      const auto lost = sum_of(part_of(row, "lost"));
      const auto depth = sum_of(part_of(row, "depth"));
      table.row({{text_of(row, "name"), Tint::Bold},
                 {state + trouble, tint_of_state(state, trouble)},
                 {joined(part_of(row, "roles"))},
                 {milliseconds(row, "heartbeat_age_ms", " ago")},
                 {milliseconds(row, "round_trip_ms", "")},
                 {milliseconds(row, "clock_skew_ms", "")},
                 {text_of(row, "version")},
                 {std::to_string(depth), depth > 0 ? Tint::Yellow : Tint::Plain},
                 {std::to_string(lost), lost > 0 ? Tint::BoldRed : Tint::Plain},
                 {text_of(row, "address")}});
    }
    return table;
  }

  static std::string milliseconds(const JsonTree& row, std::string_view key, std::string_view suffix) {
    if (!part_of(row, key).is_number()) return "-";
    const double value = real_of(row, key);
    const std::string text = value == 0 ? "0ms" : latency_text(std::abs(value) * 1000);
    return (value < 0 ? "-" : "") + text + std::string(suffix);
  }

  std::string states_;
  std::vector<std::string> wanted_;
  bool no_ping_ = false;
  bool require_ = false;
  RepeatOptions repeat_;
  CsvRows csv_{{"name", "state", "incarnation", "boot", "roles", "address", "version", "self", "heartbeat_age_ms",
                "clock_skew_ms", "depth_critical", "depth_high", "depth_normal", "depth_low", "lost_link",
                "lost_origin_died", "lost_overflow", "lost_gate_overflow", "lost_shutdown", "agents", "policy",
                "round_trip_ms"}};
};

}  // namespace

std::unique_ptr<Verb> make_nodes() { return std::make_unique<Nodes>(); }

}  // namespace legion::cli
