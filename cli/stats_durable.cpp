#include <legion/cli/stats_durable.hpp>

#include <array>

#include <legion/base/assert.hpp>

namespace legion::cli {
namespace {

constexpr Align right = Align::Right;
constexpr std::array<std::string_view, 2> journal_names{"confirmed", "captured"};

Cell count(const JsonTree& row, std::string_view key, Tint when_not_zero = Tint::Plain) {
  const std::uint64_t value = number_of(row, key);
  return {std::to_string(value), value == 0 ? Tint::Plain : when_not_zero};
}
Cell text(const JsonTree& row, std::string_view key) {
  const std::string value = text_of(row, key);
  return {value.empty() ? "-" : value};
}

Cell share_full(const JsonTree& row) {
  const double all = real_of(row, "bytes_max");
  const double share = all > 0 ? real_of(row, "bytes") / all : 0;
  return {percent_text(share), share > 0.9 ? Tint::BoldRed : share > 0.5 ? Tint::Yellow : Tint::Plain};
}

/// Positions sent and acknowledged, of both journals.
Cell positions(const JsonTree& link, std::string_view which) {
  std::string out;
  for (const auto name : journal_names) {
    out += (out.empty() ? "" : "/") + std::to_string(number_of(part_of(link, name), which));
  }
  return {out};
}

JsonTree journal_rows(const JsonTree& journal) {
  JsonTree rows = JsonTree::array();
  for (const auto name : journal_names) {
    const JsonTree& figures = part_of(journal, name);
    if (!figures.is_object() || figures.empty()) continue;
    JsonTree row{{"journal", name}};
    row.update(figures);
    rows.push_back(std::move(row));
  }
  return rows;
}

JsonTree array_or_nothing(const JsonTree& value) { return value.is_array() ? value : JsonTree::array(); }

}  // namespace

std::vector<Column> durable_columns(Section section) {
  switch (section) {
    case Section::Journal:
      return {{"JOURNAL"}, {"LAST", right}, {"DURABLE", right}, {"UNCONFIRMED", right}, {"VOIDED", right}, {"FULL", right}};
    case Section::Link:
      return {{"SPOOL"}, {"LINK"}, {"SENT", right, 1}, {"ACKNOWLEDGED", right}, {"TROUBLE", Align::Left, 2}};
    case Section::Spool:
      return {{"STORE", Align::Left, 3}, {"STATE"},           {"EVENTS", right},      {"BLOCKS", right, 4},
              {"DAMAGED", right},        {"LETTERS", right}, {"LINKS", right, 2}, {"LAST COMMIT", right, 1}};
    case Section::Durable:
      return {{"SUBSCRIPTION"}, {"AGENT"}, {"FILTER", Align::Left, 1}, {"PENDING", right}, {"OLDEST", right}, {"STALLED", right}};
    case Section::Lane:
    case Section::Subscription:
    case Section::Type:
    case Section::Handler:
    case Section::Agent:
    case Section::Middleware: break;
  }
  LEGION_UNREACHABLE();
}

std::vector<Cell> durable_row(Section section, const JsonTree& row) {
  switch (section) {
    case Section::Journal:
      return {text(row, "journal"),
              count(row, "last"),
              count(row, "durable"),
              count(row, "unconfirmed_events", Tint::Yellow),
              count(row, "voided_events", Tint::BoldRed),
              share_full(row)};
    case Section::Link: {
      const std::string state = text_of(row, "state");
      return {text(row, "spool"),
              {state, state == "open" ? Tint::Green : Tint::BoldRed},
              positions(row, "sent"),
              positions(row, "acknowledged"),
              text(row, "trouble")};
    }
    case Section::Spool: {
      const bool frozen = part_of(row, "frozen").is_string();
      return {text(row, "store"),
              {frozen ? "frozen: " + text_of(row, "frozen") : "ok", frozen ? Tint::BoldRed : Tint::Green},
              count(row, "events"),
              count(row, "blocks"),
              count(row, "quarantined", Tint::BoldRed),
              count(row, "dead_letters", Tint::Yellow),
              count(row, "links"),
              {latency_text(real_of(row, "last_commit_us"))}};
    }
    case Section::Durable: {
      const JsonTree& age = part_of(row, "oldest_age_ms");
      std::size_t stalled = 0;
      for (const JsonTree& stream : part_of(row, "streams")) stalled += text_of(stream, "stalled").empty() ? 0 : 1;
      return {text(row, "name"),
              text(row, "agent"),
              text(row, "filter"),
              count(row, "pending", Tint::Yellow),
              {age.is_number() ? latency_text(real_of(row, "oldest_age_ms") * 1000) : "-"},
              {std::to_string(stalled), stalled > 0 ? Tint::BoldRed : Tint::Plain}};
    }
    case Section::Lane:
    case Section::Subscription:
    case Section::Type:
    case Section::Handler:
    case Section::Agent:
    case Section::Middleware: break;
  }
  LEGION_UNREACHABLE();
}

JsonTree durable_rows(Section section, const JsonTree& snapshot) {
  const JsonTree& journal = part_of(snapshot, "journal");
  const JsonTree& spool = part_of(snapshot, "spool");
  switch (section) {
    case Section::Journal: return journal_rows(journal);
    case Section::Link: return array_or_nothing(part_of(journal, "links"));
    case Section::Spool: return spool.is_object() && !spool.empty() ? JsonTree::array({spool}) : JsonTree::array();
    case Section::Durable: return array_or_nothing(part_of(snapshot, "durable"));
    case Section::Lane:
    case Section::Subscription:
    case Section::Type:
    case Section::Handler:
    case Section::Agent:
    case Section::Middleware: break;
  }
  LEGION_UNREACHABLE();
}

std::vector<std::string_view> durable_csv_columns(Section section) {
  switch (section) {
    case Section::Journal:
      return {"journal", "last", "durable", "bytes", "bytes_max", "unconfirmed_events", "voided_events"};
    case Section::Link:
      return {"spool", "state", "store", "trouble", "confirmed_sent", "confirmed_acknowledged", "captured_sent",
              "captured_acknowledged"};
    case Section::Spool:
      return {"path", "store", "frozen", "frames", "events", "blocks", "quarantined", "bytes_on_disk", "commits",
              "last_commit_us", "mark", "oldest", "newest", "dead_letters", "links", "records", "duplicates", "rewinds",
              "refused", "bytes_waiting"};
    case Section::Durable: return {"name", "agent", "filter", "phase", "pending", "oldest_age_ms", "retrying", "lost"};
    case Section::Lane:
    case Section::Subscription:
    case Section::Type:
    case Section::Handler:
    case Section::Agent:
    case Section::Middleware: break;
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion::cli
