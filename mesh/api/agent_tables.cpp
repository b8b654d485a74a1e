#include <legion/api/backend.hpp>

#include <algorithm>
#include <set>

#include <legion/base/ids.hpp>

namespace legion {

namespace {

LatencyFigures figures_of(const LatencyHistogram& histogram) {
  return {.count = histogram.count(),
          .p50 = histogram.percentile(50),
          .p99 = histogram.percentile(99),
          .max = histogram.max()};
}

HandlerStatistics statistics_of(const std::string& agent, const HandlerTable::Known& handler,
                                const HandlerStats& stats) {
  return {.agent = agent,
          .filter = handler.filter,
          .tier = handler.tier,
          .total = stats.total,
          .errors = stats.errors,
          .error_rate = stats.error_rate(),
          .retries = stats.retries,
          .deferrals = stats.deferrals,
          .in_flight = stats.in_flight,
          .delivered = stats.books.delivered,
          .filtered = stats.books.filtered.total(),
          .expired = stats.books.expired,
          .dead = stats.books.dead,
          .lost = stats.books.lost_total(),
          .pending = stats.books.pending,
          .handler_time = figures_of(stats.handler_time),
          .publish_to_dispatch = figures_of(stats.publish_to_dispatch)};
}

}  // namespace

Result<std::shared_ptr<HandlerTable>> AgentTables::add(std::string_view name, AgentOptions options) {
  if (!is_node_name(name)) {
    return fail(ErrorCode::InvalidArgument,
                "\"" + std::string(name.substr(0, 80)) + "\" is not a name of an agent: 1 to 64 of a-z, 0-9 and -");
  }
  const std::lock_guard lock(mutex_);
  if (std::ranges::any_of(tables_, [&](const auto& table) { return table->name() == name; })) {
    return fail(ErrorCode::InvalidArgument, "there is an agent " + std::string(name) + " already");
  }
  return tables_.emplace_back(std::make_shared<HandlerTable>(node_, std::string(name), options, target_, log_));
}

Result<void> AgentTables::remove(std::string_view name) {
  std::shared_ptr<HandlerTable> table;
  for (const auto& one : all()) {
    if (one->name() == name) table = one;
  }
  if (!table) return fail(ErrorCode::NotFound, "there is no agent " + std::string(name.substr(0, 80)));
  if (auto left = table->leave(); !left) return left;
  {
    const std::lock_guard lock(mutex_);
    std::erase(tables_, table);
  }
  table->end();
  return {};
}

Result<void> AgentTables::check_durables() const {
  std::set<std::string> names;
  for (const auto& table : all()) {
    for (const std::string& durable : table->durables()) {
      if (names.insert(durable).second) continue;
      return fail(ErrorCode::InvalidArgument,
                  "agent " + table->name() + ": durable = \"" + durable + "\" is taken by a handler of another agent");
    }
  }
  return {};
}

std::vector<std::shared_ptr<HandlerTable>> AgentTables::all() const {
  const std::lock_guard lock(mutex_);
  return tables_;
}

bool AgentTables::may_stop() const {
  if (std::ranges::none_of(all(), [](const auto& table) { return table->is_calling(); })) return true;
  if (log_) log_(LogLevel::Error, "stop() inside a handler of node " + node_ + " would wait for itself: not stopped");
  return false;
}

void AgentTables::end() {
  for (const auto& table : all()) table->end();
}

Statistics AgentTables::statistics(const DispatcherStats& dispatch, const Intake& intake) const {
  Statistics statistics;
  const auto tables = all();
  std::uint64_t ended = 0;
  for (const HandlerStats& stats : dispatch.handlers) {
    statistics.handled += stats.total;
    statistics.errors += stats.errors;
    ended += stats.ended;
    for (const auto& table : tables) {
      const auto handler = table->known(stats.subscription);
      if (handler) statistics.handlers.push_back(statistics_of(table->name(), *handler, stats));
    }
  }
  if (ended > 0) statistics.error_rate = static_cast<double>(statistics.errors) / static_cast<double>(ended);
  for (const PublishStatus status : Intake::statuses) {
    const std::uint64_t count = intake.answered(status);
    if (status == PublishStatus::Queued) {
      statistics.published += count;
    } else if (status == PublishStatus::WouldBlock) {
      statistics.would_block += count;
    } else {
      statistics.refused += count;
    }
  }
  return statistics;
}

}  // namespace legion
