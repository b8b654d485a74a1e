#include "measure.hpp"

#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "farm.hpp"

namespace legion::sim {

namespace {

constexpr std::size_t nodes = 5, spools = 2;
enum class Shape : std::uint8_t {
  SpoolsBeside,  ///< seven hosts: five nodes with agents and publishers, and two spools without
  SpoolsAmong,   ///< five hosts, all with agents and publishers, two of them spools as well
};
constexpr std::uint64_t runs_of_a_worker = 6;
/// While publishers publish. They rest while a run converges, and come to 20 a second over the whole run.
constexpr double events_per_second = 24;

TypePlan type_of(const char* name, Durability durability, std::uint8_t copies, Deliver deliver, Priority priority) {
  TypePlan type;
  type.type = name;
  type.durability = durability;
  type.spools = copies;
  type.deliver = deliver;
  type.priority = priority;
  return type;
}

void subscribe(Plan& plan, std::size_t host, const char* filter, Priority tier, const std::string& durable) {
  HostPlan& here = plan.hosts[host];
  SubscriptionPlan subscription;
  subscription.filter = filter;
  subscription.tier = tier;
  subscription.durable = durable;
  subscription.host = host;
  subscription.agent = here.handlers.size();
  subscription.manners[static_cast<std::size_t>(Manner::Slow)] = 0.05;
  HandlerPlan handler;
  handler.name = "agent" + std::to_string(here.handlers.size());
  handler.answers = durable.empty() ? Agent::Answers::AtOnce : Agent::Answers::Later;
  for (LaneSpec& lane : handler.lanes) lane.capacity = 1000;
  handler.subscriptions.push_back(plan.subscriptions.size());
  plan.subscriptions.push_back(std::move(subscription));
  here.handlers.push_back(std::move(handler));
}

HostPlan host_of(std::size_t number) {
  HostPlan host;
  host.spool = number < spools;
  host.name = (host.spool ? "s" : "n") + std::to_string(number + 1);
  host.address = "10.0.0." + std::to_string(number + 1);
  host.queue_capacity.fill(8192);
  host.confirmed_bytes = host.captured_bytes = 4 << 20;
  return host;
}

/// Every event goes to two spools at most and to four subscriptions on average, a fourth of them durable.
Plan calm_plan(std::uint64_t seed, Shape shape) {
  const std::size_t first = shape == Shape::SpoolsBeside ? spools : 0;  // with agents
  Plan plan;
  plan.seed = seed;
  plan.types = {type_of("trade.approved", Durability::Confirmed, 2, Deliver::Live, Priority::High),
                type_of("trade.signal", Durability::Confirmed, 1, Deliver::AfterConfirm, Priority::Normal),
                type_of("order.new", Durability::Confirmed, 1, Deliver::Live, Priority::Normal),
                type_of("order.filled", Durability::Captured, 0, Deliver::Live, Priority::Normal),
                type_of("feed.price", Durability::None, 0, Deliver::Live, Priority::Low)};
  for (std::size_t i = 0; i < first + nodes; ++i) plan.hosts.push_back(host_of(i));
  constexpr const char* plain[nodes] = {"trade.", "order.", "*", "feed.price", "*"};
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::size_t host = first + i;
    subscribe(plan, host, plain[i], Priority::Normal, "");
    subscribe(plan, host, plan.types[i].type.c_str(), Priority::High, plan.hosts[host].name + ".work");
    PublisherPlan publisher;
    publisher.name = "pub";
    publisher.events_per_second = events_per_second / nodes;
    publisher.types = {0, 1, 2, 3, 4};
    publisher.keys = 4;
    plan.hosts[host].publishers.push_back(std::move(publisher));
  }
  plan.link_delay = 200us;
  plan.link_jitter = 0.25;
  plan.safety = 300s;
  plan.books = 15s;
  return plan;
}

template <Shape shape>
RunResult run_calm(std::uint64_t seed) {
  return run_plan(calm_plan(seed, shape));
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double rounded(double value) { return std::round(value * 100) / 100; }

}  // namespace

namespace {

int measure(Shape shape, unsigned workers) {
  FarmOptions options;
  options.run = shape == Shape::SpoolsBeside ? &run_calm<Shape::SpoolsBeside> : &run_calm<Shape::SpoolsAmong>;
  options.workers = workers;
  options.block = 2;
  options.next = [left = workers * runs_of_a_worker](std::uint64_t& seed) mutable {
    seed = left;
    if (left > 0) --left;
    return seed > 0;
  };
  const double before = processor_seconds();
  const FarmTotals totals = run_farm(options);
  const double used = processor_seconds() - before;
  const double simulated = static_cast<double>(totals.simulated.count()) / 1e9;
  nlohmann::ordered_json line;
  line["bench"] = "sim_speed";
  line["variant"] = shape == Shape::SpoolsBeside ? "spools beside the nodes" : "spools among the nodes";
  line["value"] = rounded(totals.cluster_hours / totals.wall_seconds * 60);
  line["unit"] = "cluster-hours/min";
  line["per_processor_minute"] = rounded(totals.cluster_hours / used * 60);
  line["workers"] = workers;
  line["nodes"] = nodes;
  line["spools"] = spools;
  line["events_per_simulated_second"] = rounded(static_cast<double>(totals.published) / simulated);
  line["hand_overs_per_simulated_second"] = rounded(static_cast<double>(totals.handed) / simulated);
  line["simulated_seconds"] = rounded(simulated);
  line["wall_seconds"] = rounded(totals.wall_seconds);
  line["processor_seconds"] = rounded(used);
  line["failures"] = totals.failures.size();
  std::printf("%s\n", line.dump().c_str());
  for (const FarmTotals::Failure& failure : totals.failures) std::fprintf(stderr, "%s\n", failure.report.c_str());
  return totals.failures.empty() ? 0 : 1;
}

}  // namespace

int measure(unsigned workers) {
  const int beside = measure(Shape::SpoolsBeside, workers);
  const int among = measure(Shape::SpoolsAmong, workers);
  return beside != 0 ? beside : among;
}

}  // namespace legion::sim
