#include <legion/cli/trace_print.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>

#include <legion/base/units.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/table.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t indent_max = 40;  // levels drawn; deeper ones stay there
constexpr std::size_t nested_max = 200;  // of JSON objects in one another

double microseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

/// Lines from parent to child on a terminal, plain indentation elsewhere.
class Branches {
 public:
  explicit Branches(bool drawn) : drawn_(drawn) {}

  std::string before(const TraceTree::Row& row) {
    open_.resize(row.depth + 1);
    open_[row.depth] = !row.last_child;
    if (row.depth == 0) return {};
    std::string out;
    for (std::size_t level = 1; level < std::min(row.depth, indent_max); ++level) {
      out += drawn_ && open_[level] ? "│ " : "  ";
    }
    return out + (!drawn_ ? "  " : row.last_child ? "└─" : "├─");
  }

 private:
  bool drawn_;
  std::vector<bool> open_;  // by depth: a sibling is still to come
};

void print_table(Session& session, const TraceTree& tree, const std::string& asked) {
  Table table({{"TIME", Align::Left, 3},
               {"SINCE FIRST", Align::Right, 2},
               {"HOP", Align::Right},
               {"EVENT"},
               {"NODE", Align::Left, 1},
               {"SOURCE", Align::Left, 4},
               {"ID", Align::Left, 5}});
  Branches branches(session.console().out_is_terminal);
  for (const auto& row : tree.rows()) {
    const TraceEvent& event = *row.event;
    const std::string name = branches.before(row) + event.type + (event.defect.empty() ? "" : " (does not decode)");
    const std::string cause = row.parent == nullptr && !event.causation.empty() ? "of " + event.causation : "";
    table.row({{event.defect.empty() ? format_time(event.time) : "-"},
               {event.defect.empty() ? hop_text(row.since_first) : "-"},
               {row.hop ? hop_text(*row.hop) : "-"},
               {name + (cause.empty() ? "" : "  (" + cause + ")"), event.id == asked ? Tint::Bold : tint_of(event.priority)},
               {event.node},
               {event.source},
               {event.id}});
  }
  session.print(table);
}

JsonTree row_json(const TraceTree::Row& row) {
  const TraceEvent& event = *row.event;
  JsonTree json{{"id", event.id}, {"type", event.type}};
  if (!event.defect.empty()) {
    json["defect"] = printable(event.defect);
    return json;
  }
  json["time"] = format_time(event.time);
  json["priority"] = to_string(event.priority);
  json["node"] = event.node;
  json["source"] = event.source;
  if (!event.key.empty()) json["key"] = event.key;
  json["correlation"] = event.correlation;
  json["causation"] = event.causation.empty() ? JsonTree(nullptr) : JsonTree(event.causation);
  if (!event.traceparent.empty()) json["traceparent"] = event.traceparent;
  json["depth"] = row.depth;
  json["hop_us"] = row.hop ? JsonTree(microseconds(*row.hop)) : JsonTree(nullptr);
  json["since_first_us"] = microseconds(row.since_first);
  return json;
}

JsonTree nested(const std::vector<TraceTree::Row>& rows) {
  std::vector<std::vector<JsonTree>> waiting;  // by depth: finished trees without their parent yet, the last one first
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    const std::size_t depth = std::min(row->depth, nested_max);
    if (waiting.size() < depth + 2) waiting.resize(depth + 2);
    JsonTree json = row_json(*row);
    json["children"] = JsonTree::array();
    // What lies deeper than can be nested stands beside its parent.
    auto& children = waiting[depth + 1];
    for (auto child = children.rbegin(); child != children.rend(); ++child) json["children"].push_back(std::move(*child));
    children.clear();
    waiting[depth].push_back(std::move(json));
  }
  JsonTree roots = JsonTree::array();
  if (waiting.empty()) return roots;
  for (auto root = waiting[0].rbegin(); root != waiting[0].rend(); ++root) roots.push_back(std::move(*root));
  return roots;
}

std::string dot_text(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string dot_quoted(std::string_view text) { return '"' + dot_text(text) + '"'; }

void print_dot(std::ostream& out, const TraceTree& tree, const std::string& asked) {
  out << "digraph trace {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& row : tree.rows()) {
    const TraceEvent& event = *row.event;
    const std::string label = '"' + dot_text(event.type) + "\\n" + dot_text(event.source) + '"';
    out << "  " << dot_quoted(event.id) << " [label=" << label << (event.id == asked ? ", penwidth=2" : "") << "];\n";
    if (row.parent == nullptr) continue;
    out << "  " << dot_quoted(row.parent->id) << " -> " << dot_quoted(event.id) << " [label="
        << dot_quoted(hop_text(row.hop.value_or(Duration::zero()))) << "];\n";
  }
  out << "}\n";
}

}  // namespace

std::string hop_text(Duration hop) {
  if (hop == Duration::zero()) return "+0us";
  return (hop < Duration::zero() ? "-" : "+") + latency_text(std::abs(microseconds(hop)));
}

void print_trace_line(Session& session, const TraceTree& tree, const std::string& id) {
  for (const auto& row : tree.rows()) {
    if (row.event->id != id) continue;
    if (session.output() == Output::Jsonl) {
      session.out() << json_text(row_json(row)) << '\n';
      return;
    }
    std::string line = format_time(row.event->time) + "  " + hop_text(row.since_first) + "  " +
                       (row.hop ? hop_text(*row.hop) : "-") + "  ";
    session.paint().append(line, tint_of(row.event->priority), printable(row.event->type));
    session.out() << line << "  " << printable(row.event->node) << "  " << printable(row.event->source) << "  "
                  << printable(id) << '\n';
    return;
  }
}

void print_trace(Session& session, const TraceTree& tree, const std::string& asked) {
  if (session.options().dot) {
    print_dot(session.out(), tree, asked);
    return;
  }
  const auto rows = tree.rows();
  switch (session.output()) {
    case Output::Table: print_table(session, tree, asked); break;
    case Output::Json:
      session.out() << json_text({{"asked", asked},
                                  {"events", tree.size()},
                                  {"span_us", microseconds(tree.span())},
                                  {"roots", nested(rows)}},
                                 2)
                    << '\n';
      break;
    case Output::Jsonl:
      for (const auto& row : rows) session.out() << json_text(row_json(row)) << '\n';
      break;
    case Output::Csv: {
      JsonTree list = JsonTree::array();
      for (const auto& row : rows) list.push_back(row_json(row));
      CsvRows({"id", "type", "time", "priority", "node", "source", "key", "correlation", "causation", "depth", "hop_us",
               "since_first_us"})
          .print(session.out(), list);
      break;
    }
  }
}

}  // namespace legion::cli
