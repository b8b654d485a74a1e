#include <legion/cli/stats_csv.hpp>

#include <string_view>

#include <legion/base/assert.hpp>
#include <legion/cli/stats_durable.hpp>

namespace legion::cli {
namespace {

std::vector<std::string> behind_the_node(const std::vector<std::string_view>& columns) {
  std::vector<std::string> all{"node", "incarnation"};
  all.insert(all.end(), columns.begin(), columns.end());
  return all;
}

JsonTree rows_behind_the_node(const JsonTree& rows, const JsonTree& snapshot) {
  JsonTree all = JsonTree::array();
  for (const JsonTree& row : rows) {
    if (!row.is_object()) continue;
    JsonTree out{{"node", text_of(snapshot, "node")}, {"incarnation", number_of(snapshot, "incarnation")}};
    out.update(row);
    all.push_back(std::move(out));
  }
  return all;
}

}  // namespace

std::vector<std::string> csv_columns(Section section) {
  switch (section) {
    case Section::Lane:
      return behind_the_node({"lane", "published", "queued", "received", "frames", "markers", "duplicates", "streams",
                              "refused_streams", "implausible", "slow_peers", "enqueued", "dispatched", "depth",
                              "lost_link", "p50_us", "p99_us", "max_us"});
    case Section::Subscription:
      return behind_the_node({"agent",
                              "type",
                              "tier",
                              "published",
                              "delivered",
                              "filtered_where",
                              "filtered_stopped",
                              "filtered_duplicate",
                              "filtered_limited",
                              "expired",
                              "dead",
                              "lost_link",
                              "lost_origin_died",
                              "lost_overflow",
                              "lost_gate_overflow",
                              "lost_shutdown",
                              "pending",
                              "balance",
                              "durable",
                              "lost_gone",
                              "where"});
    case Section::Type:
      return behind_the_node({"type", "published", "delivered", "filtered", "expired", "dead", "lost", "pending",
                              "balance"});
    case Section::Handler:
      return behind_the_node({"agent", "type", "tier", "total", "errors", "error_rate", "retries", "timeouts",
                              "deferrals", "in_flight", "p50_us", "p99_us", "max_us", "dispatch_p50_us",
                              "dispatch_p99_us", "dispatch_max_us"});
    case Section::Agent:
      return behind_the_node({"agent", "kind", "state", "up", "in_flight", "depth_critical", "depth_high",
                              "depth_normal", "depth_low", "retry_waiting", "counters_published", "counters_refused",
                              "counters_invalid_lines", "counters_log_lines", "counters_stderr_lines",
                              "counters_restarts", "counters_start_failures", "counters_not_reading",
                              "counters_would_block", "counters_events", "counters_skipped", "counters_failed",
                              "counters_write_errors"});
    case Section::Middleware:
      return behind_the_node({"name", "step", "on", "type", "seen", "changed", "filtered", "limited", "expired", "rejected"});
    case Section::Journal:
    case Section::Link:
    case Section::Spool:
    case Section::Durable: return behind_the_node(durable_csv_columns(section));
  }
  LEGION_UNREACHABLE();
}

JsonTree csv_rows(Section section, const JsonTree& snapshot) {
  const bool as_it_is = section == Section::Subscription;  // every term on its own
  return rows_behind_the_node(as_it_is ? part_of(snapshot, member_of(section)) : rows_of(section, snapshot), snapshot);
}

std::vector<std::string> books_csv_columns() {
  return behind_the_node({"agent", "type", "tier", "published", "delivered", "filtered", "expired", "dead", "lost",
                          "pending", "balance"});
}

JsonTree books_csv_rows(const JsonTree& snapshot) {
  JsonTree rows = books_of(snapshot);
  for (JsonTree& row : rows) {
    for (const auto* not_a_column : {"kind", "durable", "lost_by"}) row.erase(not_a_column);
  }
  return rows_behind_the_node(rows, snapshot);
}

}  // namespace legion::cli
