#include <legion/cli/stats_sections.hpp>

#include <algorithm>
#include <array>

#include <legion/base/assert.hpp>
#include <legion/cli/stats_durable.hpp>

namespace legion::cli {
namespace {

constexpr std::array<std::string_view, 7> terms{"published", "delivered", "filtered", "expired", "dead", "lost", "pending"};
constexpr std::array<std::pair<std::string_view, Section>, 10> sections{{{"lane", Section::Lane},
                                                                       {"subscription", Section::Subscription},
                                                                       {"type", Section::Type},
                                                                       {"handler", Section::Handler},
                                                                       {"agent", Section::Agent},
                                                                       {"middleware", Section::Middleware},
                                                                       {"journal", Section::Journal},
                                                                       {"link", Section::Link},
                                                                       {"spool", Section::Spool},
                                                                       {"durable", Section::Durable}}};

Cell count(std::uint64_t value, Tint when_not_zero = Tint::Plain) {
  return {std::to_string(value), value == 0 ? Tint::Plain : when_not_zero};
}
Cell count(const JsonTree& row, std::string_view key, Tint when_not_zero = Tint::Plain) {
  return count(number_of(row, key), when_not_zero);
}
Cell latency(const JsonTree& row, std::string_view key) { return {latency_text(real_of(row, key))}; }
Cell text(const JsonTree& row, std::string_view key) { return {text_of(row, key)}; }

std::vector<Cell> lane_row(const JsonTree& row) {
  return {text(row, "lane"),
          count(row, "published"),
          count(row, "queued", Tint::Yellow),
          count(row, "received"),
          count(row, "dispatched"),
          count(row, "depth", Tint::Yellow),
          count(sum_of(part_of(row, "lost")), Tint::BoldRed),
          count(row, "duplicates"),
          count(row, "streams"),
          latency(row, "p50_us"),
          latency(row, "p99_us"),
          latency(row, "max_us")};
}

std::vector<Column> lane_columns() {
  constexpr Align right = Align::Right;
  return {{"LANE"},          {"PUBLISHED", right}, {"QUEUED", right, 3},  {"RECEIVED", right}, {"DISPATCHED", right},
          {"DEPTH", right},  {"LOST", right},      {"DUP", right, 6},     {"STREAMS", right, 5}, {"P50", right, 2},
          {"P99", right, 1}, {"MAX", right, 4}};
}

std::vector<Cell> handler_row(const JsonTree& row) {
  return {text(row, "agent"),
          text(row, "type"),
          text(row, "tier"),
          count(row, "total"),
          count(row, "errors", Tint::Red),
          {percent_text(real_of(row, "error_rate"))},
          count(row, "retries"),
          count(row, "timeouts", Tint::Red),
          count(row, "in_flight"),
          latency(row, "p50_us"),
          latency(row, "p99_us"),
          latency(row, "dispatch_p99_us")};
}

std::vector<Column> handler_columns() {
  constexpr Align right = Align::Right;
  return {{"AGENT"},           {"TYPE"},         {"TIER", Align::Left, 4}, {"TOTAL", right},    {"ERRORS", right},
          {"ERROR RATE", right, 6}, {"RETRIES", right, 3}, {"TIMEOUTS", right, 5},  {"RUNNING", right, 7}, {"P50", right, 2},
          {"P99", right, 1},   {"WAIT P99", right, 8}};
}

std::vector<Cell> agent_row(const JsonTree& row) {
  const bool up = part_of(row, "up").is_boolean() && part_of(row, "up").get<bool>();
  std::string counters;
  for (const auto& [name, value] : part_of(row, "counters").items()) {
    counters += (counters.empty() ? "" : " ") + name + "=" + value.dump();
  }
  return {text(row, "agent"),
          text(row, "kind"),
          {text_of(row, "state"), up ? Tint::Green : Tint::BoldRed},
          count(row, "in_flight"),
          count(sum_of(part_of(row, "depth")), Tint::Yellow),
          count(row, "retry_waiting", Tint::Yellow),
          {counters.empty() ? "-" : counters}};
}

std::vector<Column> agent_columns() {
  constexpr Align right = Align::Right;
  return {{"AGENT"},        {"KIND"}, {"STATE"}, {"RUNNING", right, 3}, {"DEPTH", right}, {"RETRY WAITING", right, 2},
          {"COUNTERS", Align::Left, 1}};
}

std::vector<Cell> step_row(const JsonTree& row) {
  return {text(row, "name"),     text(row, "on"),       text(row, "type"),    count(row, "seen"),    count(row, "changed"),
          count(row, "filtered"), count(row, "limited"), count(row, "expired"), count(row, "rejected", Tint::BoldRed)};
}

std::vector<Column> step_columns() {
  constexpr Align right = Align::Right;
  return {{"STEP"},           {"ON"},            {"TYPE", Align::Left, 1}, {"SEEN", right}, {"CHANGED", right},
          {"FILTERED", right}, {"LIMITED", right}, {"EXPIRED", right, 2},    {"REJECTED", right}};
}

std::vector<Column> equation_columns() {
  constexpr Align right = Align::Right;
  return {{"PUBLISHED", right}, {"DELIVERED", right}, {"FILTERED", right, 1}, {"EXPIRED", right, 2}, {"DEAD", right},
          {"LOST", right},      {"PENDING", right},   {"BALANCE", right}};
}

Cell balance_cell(const JsonTree& books) {
  const auto balance = integer_of(books, "balance");
  return {std::to_string(balance), balance == 0 ? Tint::Green : Tint::BoldRed};
}

/// Those that are not 0.
JsonTree reasons_of(const JsonTree& lost) {
  JsonTree out = JsonTree::object();
  for (const auto& [reason, events] : lost.items()) {
    if (events.is_number_unsigned() && events != 0) out[reason] = events;
  }
  return out;
}

/// "link 3, gone 1"
std::string reasons_text(const JsonTree& books) {
  std::string out;
  for (const auto& [reason, events] : part_of(books, "lost_by").items())
    out += (out.empty() ? "" : ", ") + reason + " " + events.dump();
  return out;
}

void append_equation(std::vector<Cell>& cells, const JsonTree& books) {
  for (const auto term : terms) {
    const Tint tint = term == "lost" || term == "dead" ? Tint::BoldRed : term == "pending" ? Tint::Yellow : Tint::Plain;
    cells.push_back(count(books, term, tint));
  }
  cells.push_back(balance_cell(books));
}

std::vector<Cell> subscription_row(const JsonTree& books) {
  std::vector<Cell> cells{text(books, "agent"), text(books, "type"), text(books, "tier")};
  append_equation(cells, books);
  return cells;
}

std::vector<Cell> type_row(const JsonTree& books) {
  std::vector<Cell> cells{text(books, "type")};
  append_equation(cells, books);
  return cells;
}

std::vector<Column> columns_for(Section section) {
  std::vector<Column> columns;
  switch (section) {
    case Section::Lane: return lane_columns();
    case Section::Handler: return handler_columns();
    case Section::Agent: return agent_columns();
    case Section::Middleware: return step_columns();
    case Section::Subscription: columns = {{"AGENT"}, {"TYPE"}, {"TIER", Align::Left, 3}}; break;
    case Section::Type: columns = {{"TYPE"}}; break;
    case Section::Journal:
    case Section::Link:
    case Section::Spool:
    case Section::Durable: return durable_columns(section);
  }
  std::ranges::move(equation_columns(), std::back_inserter(columns));
  return columns;
}

std::vector<Cell> row_for(Section section, const JsonTree& row) {
  switch (section) {
    case Section::Lane: return lane_row(row);
    case Section::Handler: return handler_row(row);
    case Section::Agent: return agent_row(row);
    case Section::Middleware: return step_row(row);
    case Section::Subscription: return subscription_row(row);
    case Section::Type: return type_row(row);
    case Section::Journal:
    case Section::Link:
    case Section::Spool:
    case Section::Durable: return durable_row(section, row);
  }
  LEGION_UNREACHABLE();
}

void add_to(JsonTree& sum, const JsonTree& books) {
  for (const auto term : terms) sum[std::string(term)] = number_of(sum, term) + number_of(books, term);
  sum["balance"] = integer_of(sum, "balance") + integer_of(books, "balance");
}

}  // namespace

std::optional<Section> parse_section(std::string_view name) {
  for (const auto& [each, section] : sections) {
    if (each == name) return section;
  }
  return std::nullopt;
}

std::string_view member_of(Section section) {
  switch (section) {
    case Section::Lane: return "lanes";
    case Section::Subscription: return "subscriptions";
    case Section::Type: return "types";
    case Section::Handler: return "handlers";
    case Section::Agent: return "agents";
    case Section::Middleware: return "middleware";
    case Section::Journal: return "journals";
    case Section::Link: return "links";
    case Section::Spool: return "spool";
    case Section::Durable: return "durable";
  }
  LEGION_UNREACHABLE();
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, section] : sections) names.push_back(name);
  return names;
}

JsonTree rows_of(Section section, const JsonTree& snapshot) {
  switch (section) {
    case Section::Subscription: return books_of(snapshot);
    case Section::Type: return types_of(snapshot);
    case Section::Lane:
    case Section::Handler:
    case Section::Agent: break;
    case Section::Middleware: {
      const JsonTree& steps = part_of(snapshot, "middleware");
      return steps.is_array() ? steps : JsonTree::array();  // of an older node: none
    }
    case Section::Journal:
    case Section::Link:
    case Section::Spool:
    case Section::Durable: return durable_rows(section, snapshot);
  }
  return part_of(snapshot, member_of(section));
}

Table section_table(Section section) { return Table(columns_for(section)); }

void add_rows(Table& table, Section section, const JsonTree& snapshot) {
  for (const JsonTree& row : rows_of(section, snapshot)) {
    if (row.is_object()) table.row(row_for(section, row));
  }
}

JsonTree books_of(const JsonTree& snapshot) {
  JsonTree all = JsonTree::array();
  for (const JsonTree& subscription : part_of(snapshot, "subscriptions")) {
    const JsonTree& durable = part_of(subscription, "durable");
    JsonTree books{{"kind", "subscription"},
                   {"node", text_of(snapshot, "node")},
                   {"agent", text_of(subscription, "agent")},
                   {"type", text_of(subscription, "type")},
                   {"tier", text_of(subscription, "tier")},
                   {"durable", durable.is_string() ? durable : JsonTree()},
                   {"published", number_of(subscription, "published")},
                   {"delivered", number_of(subscription, "delivered")},
                   {"filtered", sum_of(part_of(subscription, "filtered"))},
                   {"expired", number_of(subscription, "expired")},
                   {"dead", number_of(subscription, "dead")},
                   {"lost", sum_of(part_of(subscription, "lost"))},
                   {"lost_by", reasons_of(part_of(subscription, "lost"))},
                   {"pending", number_of(subscription, "pending")}};
    // Recomputed from what is shown: a balance that the node only claims would prove nothing.
    std::int64_t balance = integer_of(books, "published");
    for (const auto term : terms) balance -= term == "published" ? 0 : integer_of(books, term);
    books["balance"] = balance;
    all.push_back(std::move(books));
  }
  return all;
}

JsonTree journal_books_of(const JsonTree& snapshot) {
  JsonTree all = JsonTree::array();
  for (const JsonTree& journal : rows_of(Section::Journal, snapshot)) {
    if (!journal.contains("journalled_events")) continue;  // of a version that does not say
    JsonTree books{{"kind", "journal"},
                   {"node", text_of(snapshot, "node")},
                   {"journal", text_of(journal, "journal")},
                   {"journalled", number_of(journal, "journalled_events")},
                   {"confirmed", number_of(journal, "confirmed_events")},
                   {"voided", number_of(journal, "voided_events")},
                   {"pending", number_of(journal, "waiting_events")}};
    books["balance"] = integer_of(books, "journalled") - integer_of(books, "confirmed") - integer_of(books, "voided") -
                       integer_of(books, "pending");
    all.push_back(std::move(books));
  }
  return all;
}

JsonTree types_of(const JsonTree& snapshot) {
  JsonTree all = JsonTree::array();
  for (const JsonTree& books : books_of(snapshot)) {
    const auto same = std::ranges::find_if(all, [&](const JsonTree& each) { return each["type"] == books["type"]; });
    if (same != all.end()) {
      add_to(*same, books);
      continue;
    }
    JsonTree sum{{"type", books["type"]}};
    add_to(sum, books);
    all.push_back(std::move(sum));
  }
  return all;
}

JsonTree total_of(const JsonTree& books) {
  JsonTree sum = JsonTree::object();
  for (const auto term : terms) sum[std::string(term)] = 0;
  sum["balance"] = 0;
  for (const JsonTree& each : books) add_to(sum, each);
  return sum;
}

Table books_table(const JsonTree& books) {
  auto columns = columns_for(Section::Subscription);
  columns.insert(columns.begin(), Column{"NODE"});
  columns.insert(columns.begin() + 4, Column{"DURABLE", Align::Left, 4});
  columns.push_back({"LOST BY", Align::Left, 5});
  Table table(std::move(columns));
  for (const JsonTree& each : books) {
    auto cells = subscription_row(each);
    cells.insert(cells.begin(), text(each, "node"));
    cells.insert(cells.begin() + 4, text(each, "durable"));
    cells.push_back({reasons_text(each)});
    table.row(std::move(cells));
  }
  return table;
}

Table journal_books_table(const JsonTree& books) {
  constexpr Align right = Align::Right;
  Table table({{"NODE"},
               {"JOURNAL"},
               {"JOURNALLED", right},
               {"CONFIRMED", right},
               {"VOIDED", right},
               {"PENDING", right},
               {"BALANCE", right}});
  for (const JsonTree& each : books) {
    table.row({text(each, "node"), text(each, "journal"), count(each, "journalled"), count(each, "confirmed"),
               count(each, "voided", Tint::BoldRed), count(each, "pending", Tint::Yellow), balance_cell(each)});
  }
  return table;
}

}  // namespace legion::cli
