#include <legion/api/network_node.hpp>

#include <utility>

#include <legion/api/schemas.hpp>
#include <legion/base/units.hpp>
#include <legion/base/version.hpp>

namespace legion {

namespace {

constexpr std::size_t state_dir_bytes_max = 80;  // an ipc path has room for 107, and names of sockets are added

std::unexpected<Error> invalid(std::string_view option, const std::string& what) {
  return fail(ErrorCode::InvalidArgument, "NodeOptions::" + std::string(option) + ": " + what);
}

Result<void> check(const NodeOptions& options) {
  if (!is_node_name(options.name)) {
    return invalid("name", "\"" + options.name.substr(0, 80) + "\" is not a name: 1 to 64 of a-z, 0-9 and -");
  }
  if (options.state_dir.empty()) return invalid("state_dir", "names no directory");
  if (options.state_dir.string().size() > state_dir_bytes_max) return invalid("state_dir", "is longer than 80 bytes");
  if (options.workers == 0) return invalid("workers", "is 0: nobody would run the handlers");
  if (options.heartbeat_interval <= Duration::zero()) return invalid("heartbeat_interval", "has to be above 0");
  if (options.suspect_after <= options.heartbeat_interval) {
    return invalid("suspect_after", "has to be longer than heartbeat_interval");
  }
  if (options.dead_after <= options.suspect_after) return invalid("dead_after", "has to be longer than suspect_after");
  return {};
}

Result<Address> address_of(std::string_view option, const std::string& text) {
  auto address = parse_address(text, 0);
  if (!address) return invalid(option, address.error().message);
  return address;
}

Result<NodeHostOptions> host_options(const NodeOptions& options) {
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  NodeHostOptions host;
  host.name = options.name;
  host.version = std::string(product_version());
  const auto listen = address_of("listen", options.listen);
  if (!listen) return std::unexpected(listen.error());
  host.listen = *listen;
  if (!options.advertise.empty()) {
    const auto advertise = address_of("advertise", options.advertise);
    if (!advertise) return std::unexpected(advertise.error());
    if (advertise->is_wildcard()) return invalid("advertise", options.advertise + " cannot be connected to");
    host.advertise = *advertise;
  } else if (listen->is_wildcard()) {
    return invalid("listen", options.listen + " is every interface, which others cannot connect to; set advertise");
  }
  for (const std::string& text : options.join) {
    const auto member = address_of("join", text);
    if (!member) return std::unexpected(member.error());
    if (member->port == 0 || member->is_wildcard()) return invalid("join", text + " cannot be connected to");
    host.membership.join.push_back(member->uri());
  }
  host.membership.heartbeat_interval = options.heartbeat_interval;
  host.membership.suspect_after = options.suspect_after;
  host.membership.dead_after = options.dead_after;
  host.state_dir = options.state_dir;
  host.drain_timeout = options.drain_timeout;
  host.local = false;
  std::vector<TopicRule> rules = options.topics;
  if (options.spools == NodeOptions::Spools::None) {
    host.journal.spools_expected = JournalOptions::SpoolsExpected::No;
    TopicRule none;  // of `*`, which any other rule goes before
    none.spools = 0;
    rules.insert(rules.begin(), none);
  }
  host.policy = PolicyTable(std::move(rules));
  if (const auto checked = check_middleware(options.middleware); !checked) {
    return fail(checked.error().code, "NodeOptions::" + checked.error().message);
  }
  host.middleware = options.middleware;
  auto schemas = schemas_of(options.types);
  if (!schemas) return fail(schemas.error().code, "NodeOptions::" + schemas.error().message);
  host.schemas = std::move(*schemas);
  host.workers = options.workers;
  host.queue_capacity = options.queue;
  host.journal.confirmed_bytes = options.confirmed_journal_bytes;
  host.journal.captured_bytes = options.captured_journal_bytes;
  return host;
}

}  // namespace

NetworkNode::NetworkNode(NodeOptions options, std::unique_ptr<NodeHost> host, std::shared_ptr<IntakeTarget> target,
                         LogSink log)
    : name_(std::move(options.name)),
      spools_(options.spools),
      intake_target_(std::move(target)),
      agents_(name_, intake_target_, std::move(log)),
      host_(std::move(host)) {}

Result<std::unique_ptr<Backend>> NetworkNode::create(NodeOptions options) {
  auto host_opts = host_options(options);
  if (!host_opts) return std::unexpected(host_opts.error());
  LogSink log = options.log ? std::move(options.log) : [](LogLevel, std::string_view) {};
  auto host = NodeHost::create(std::move(*host_opts), log);
  if (!host) return std::unexpected(host.error());
  auto target = std::make_shared<IntakeTarget>((*host)->intake(), log);
  return std::unique_ptr<Backend>(
      new NetworkNode(std::move(options), std::move(*host), std::move(target), std::move(log)));
}

Result<EmbeddedAgent> NetworkNode::add_agent(std::string_view name, AgentOptions options) {
  const std::lock_guard lock(start_mutex_);
  if (phase_ == Phase::Stopped) return fail(ErrorCode::Closed, "the node has stopped");
  auto table = agents_.add(name, options);
  if (!table) return std::unexpected(table.error());
  if (phase_ == Phase::Started) (*table)->begin_with_first(*this);
  return EmbeddedAgent(std::move(*table));
}

Result<void> NetworkNode::check_durables() const {
  if (spools_ == NodeOptions::Spools::None) {
    for (const auto& table : agents_.all()) {
      if (table->durables().empty()) continue;
      return fail(ErrorCode::InvalidArgument, "agent " + table->name() + ": durable = \"" + table->durables().front() +
                                                  "\": NodeOptions::spools says that this mesh has no spool that could "
                                                  "remember it");
    }
  }
  return agents_.check_durables();
}

Result<void> NetworkNode::start() {
  const std::lock_guard lock(start_mutex_);
  if (phase_ != Phase::Building) return fail(ErrorCode::Refused, "the node was started before");
  if (auto checked = check_durables(); !checked) return checked;
  for (const auto& table : agents_.all()) {
    if (auto begun = table->begin(*this); !begun) return begun;
  }
  host_->start();
  phase_ = Phase::Started;
  return {};
}

// --- handlers that come and go ---------------------------------------------------------------------------------------

/// From start(), which holds the lock. Later ones come once there is a loop.
Result<AgentId> NetworkNode::begin(std::shared_ptr<HandlerTable> table, std::vector<SubscriptionOptions> wanted,
                                   const Numbered& numbered) {
  AgentSpec spec = table->spec();
  return host_->add_agent_now(std::move(spec), "embedded", std::make_unique<EmbeddedHost>(std::move(table)),
                              std::move(wanted), numbered);
}

/// A handler that comes during start() waits for the end of that.
void NetworkNode::wait_for_start() { const std::lock_guard lock(start_mutex_); }

Result<void> NetworkNode::subscribe(AgentId agent, SubscriptionOptions wanted, const Numbered& numbered) {
  wait_for_start();
  return host_->add_subscription_now(agent, std::move(wanted), numbered);
}

void NetworkNode::unsubscribe(SubscriptionId subscription) {
  wait_for_start();
  host_->end_subscription_now(subscription);
}

void NetworkNode::remove(AgentId agent) {
  wait_for_start();
  host_->remove_agent(agent);
}

bool NetworkNode::is_open() const { return host_->status().publishing_open.load(std::memory_order_acquire); }

bool NetworkNode::end() {
  {
    const std::lock_guard lock(start_mutex_);
    phase_ = Phase::Stopped;
  }
  intake_target_->close();
  const bool handled_all = host_->shutdown();
  host_->intake()->close();
  agents_.end();
  return handled_all;
}

std::optional<NodeEnd> NetworkNode::ended() const {
  const auto exit = host_->exit();
  if (!exit) return std::nullopt;
  return NodeEnd{exit->code, exit->message};
}

Statistics NetworkNode::statistics() const {
  Statistics statistics = agents_.statistics(host_->dispatch_stats(), *host_->intake());
  statistics.alive_members = host_->status().alive_members.load(std::memory_order_relaxed);
  return statistics;
}

}  // namespace legion
