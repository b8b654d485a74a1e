#include <legion/runtime/node_host.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include <legion/base/assert.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/draw.hpp>
#include <legion/runtime/node_loop.hpp>
#include <legion/spool/sqlite_store.hpp>

namespace legion {

namespace {

// Leaving the mesh is short: what is queued goes out and the others are told.
constexpr Duration leave_max = 3s;
constexpr Duration agent_grace_min = 1s;

DurableStart durable_start(const SubscriptionStart& start) {
  switch (start.kind) {
    case SubscriptionStart::Kind::Now: return StartNow{};
    case SubscriptionStart::Kind::Beginning: return StartBeginning{};
    case SubscriptionStart::Kind::Time: return StartTime{start.time};
    case SubscriptionStart::Kind::Event: return StartEvent{start.event};
  }
  LEGION_UNREACHABLE();
}

/// Events of one share under way at once, so that what is revoked is soon over.
constexpr std::size_t share_capacity_max = 64;

/// A subscription of a group is as many as it has shares, one after the other.
std::vector<SubscriptionOptions> shares_of(std::vector<SubscriptionOptions> subscriptions) {
  std::vector<SubscriptionOptions> all;
  for (SubscriptionOptions& subscription : subscriptions) {
    for (std::uint32_t index = 0; index < subscription.count(); ++index) {
      SubscriptionOptions& one = all.emplace_back(subscription);
      if (one.group) one.durable = DurableOptions{share_name(one.group->name, index), one.group->start};
    }
  }
  return all;
}

void make_share(DurableHandler& handler, const GroupOptions& group) {
  const std::string& name = handler.durable;
  const auto index = static_cast<std::uint32_t>(std::stoul(name.substr(name.find('/') + 1)));
  handler.share = Share{index, group.shares};
  handler.home = group.home;
  for (std::size_t& capacity : handler.capacity) {
    capacity = std::clamp<std::size_t>(capacity / group.shares, 1, share_capacity_max);
  }
}

/// Events whose failure is noted beside what is in hands: until their next hand-over, or the record of their end.
constexpr std::size_t failed_in_flight_max = 4096;

Result<std::unique_ptr<Store>> open_store(const SpoolOptions& options) {
  if (options.open_store) return options.open_store(options.path);
  auto opened = SqliteStore::open(options.path.string(), {.clock = [] { return read_steady_clock(); }});
  if (!opened) return std::unexpected(opened.error());
  return std::move(*opened);
}

/// Stops agents side by side, so that several that hang cost the time of one.
void stop_all(const std::vector<HostedAgent*>& agents, Duration grace) {
  std::vector<std::jthread> stops;
  for (HostedAgent* agent : agents) stops.emplace_back([agent, grace] { agent->stop(grace); });
}

}  // namespace

// Order of members: what is destroyed last stands first.
struct NodeHost::State {
  NodeHostOptions options;
  LogSink log;
  StateDir state_dir;
  NodeSockets sockets;
  std::shared_ptr<transport::WakeFd> shared_wake;  // with the intake, which may outlive this
  transport::WakeFd& wake;
  int exit_fd;
  std::uint64_t seed = draw_seed();
  NodeStatus status;
  Executor executor;
  std::optional<InFlightFile> in_flight_file;
  std::size_t slots = 0;  // of it: deliveries that may be in hands at once
  std::shared_ptr<const SchemaTable> declared;
  std::shared_ptr<const SchemaGuard> schemas;  // with the intake
  std::shared_ptr<MiddlewareChains> middleware;  // the same
  std::shared_ptr<Intake> shared_intake;  // with programs that publish
  Intake& intake;
  DispatchPool pool;
  RemoteHub remote;  // before the agents: theirs use it until they are gone
  std::vector<std::unique_ptr<HostedAgent>> agents;
  std::vector<bool> has_subscriptions;  // by agent
  std::vector<AgentSpec> specs;         // by agent
  std::vector<SubscriptionSnapshot> subscriptions;
  std::vector<Filter> filters;
  std::vector<std::optional<Filter>> replays;
  std::vector<DurableHandler> handlers;
  std::optional<std::vector<InFlightEntry>> in_flight;
  std::unique_ptr<SpoolService> spool;
  std::unique_ptr<NodeLoop> loop;
  Incarnation kept_incarnation = 0;
  std::vector<Member> kept_roster;
  bool shut_down = false;
  bool handled_all = true;
  mutable std::mutex exit_mutex;
  std::optional<NodeExit> exit;

  State(NodeHostOptions opts, LogSink sink, StateDir dir, NodeSockets bound, transport::WakeFd wake_fd, int exit_descriptor)
      : options(std::move(opts)),
        log(std::move(sink)),
        state_dir(std::move(dir)),
        sockets(std::move(bound)),
        shared_wake(std::make_shared<transport::WakeFd>(std::move(wake_fd))),
        wake(*shared_wake),
        exit_fd(exit_descriptor),
        declared(std::make_shared<const SchemaTable>(options.schemas)),
        schemas(std::make_shared<const SchemaGuard>(options.name, *declared, options.policy, log)),
        middleware(std::make_shared<MiddlewareChains>(std::move(options.middleware), hooks_of(declared))),
        shared_intake(std::make_shared<Intake>(options.name, options.policy, options.queue_capacity,
                                               options.journal.confirmed_bytes,
                                               [waker = shared_wake] { waker->wake_after_fence(); })),
        intake(*shared_intake),
        pool(options.workers, seed),
        remote(options.name, pool, seed ^ 0x72656d6f7465, [this] { wake.wake_always(); }) {
    intake.watch(schemas);
    intake.set_middleware(middleware, [] { return read_clocks(); });
    pool.watch(*schemas);
  }

  ~State() {
    intake.close();
    intake.give_up();
    ::close(exit_fd);
  }

  void end_with(NodeExit why) {
    {
      const std::lock_guard lock(exit_mutex);
      if (exit) return;
      exit = std::move(why);
    }
    const std::uint64_t one = 1;
    if (::write(exit_fd, &one, sizeof one) < 0) log(LogLevel::Error, "cannot report the end of the node");
  }
};

/// What the life before this one had in hands, and a fresh file for this one.
Result<void> NodeHost::track_in_flight(State& state) {
  if (state.handlers.empty()) return {};
  const std::size_t slots = state.slots + state.options.workers + failed_in_flight_max;
  const auto path = state.options.state_dir / "in-flight";
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path, ignored);
  auto opened = InFlightFile::open(path, static_cast<std::uint32_t>(std::min<std::size_t>(slots, InFlightFile::slots_max)));
  if (!opened) return std::unexpected(opened.error());
  if (existed && opened->trouble.empty()) state.in_flight.emplace();
  if (!opened->trouble.empty()) state.log(LogLevel::Warn, opened->trouble);
  std::vector<InFlightBook::Owner> owners;
  for (const DurableHandler& handler : state.handlers) {
    const std::string of_agent = handler.agent.substr(state.options.name.size());  // the slash included
    owners.push_back({handler.durable.empty() ? of_agent : handler.durable, handler.agent});
  }
  for (const InFlightFile::Held& held : opened->held) {
    const auto owner = std::ranges::find(owners, held.subscription, &InFlightBook::Owner::name);
    if (owner == owners.end()) continue;
    if (!state.in_flight) state.in_flight.emplace();
    state.in_flight->push_back(
        {.subscription = state.handlers[static_cast<std::size_t>(owner - owners.begin())].durable,
         .agent = owner->agent,
         .stream = held.stream,
         .sequence = held.in_hands(),
         .attempt = held.attempt,
         .stage = held.stage,
         .path = held.path});
  }
  state.in_flight_file.emplace(std::move(opened->file));
  state.pool.track({&*state.in_flight_file, std::move(owners), opened->held, failed_in_flight_max});
  return {};
}

NodeHost::NodeHost(std::unique_ptr<State> state) : state_(std::move(state)) {}

NodeHost::~NodeHost() { shutdown(); }

Result<std::unique_ptr<NodeHost>> NodeHost::create(NodeHostOptions options, LogSink log) {
  auto state_dir = StateDir::open(options.state_dir);
  if (!state_dir) return std::unexpected(state_dir.error());
  const auto incarnation = state_dir->load_incarnation();
  if (!incarnation) return std::unexpected(incarnation.error());
  auto roster = state_dir->load_roster();
  if (!roster) {
    log(LogLevel::Warn, roster.error().message + "; going on without it, join finds the mesh again");
    roster = std::vector<Member>{};
  }
  std::unique_ptr<Store> store;  // before the ports: nobody is to reach a spool that is not open
  if (options.spool) {
    auto opened = open_store(*options.spool);
    if (!opened) return std::unexpected(opened.error());
    store = std::move(*opened);
  }
  auto sockets = NodeSockets::open(options);
  if (!sockets) return std::unexpected(sockets.error());
  if (auto saved = state_dir->save_endpoints(sockets->endpoints); !saved) return std::unexpected(saved.error());
  auto wake = transport::WakeFd::create();
  if (!wake) return std::unexpected(wake.error());
  const int exit_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (exit_fd < 0) return fail(ErrorCode::Io, "cannot create an eventfd");
  auto state = std::make_unique<State>(std::move(options), std::move(log), std::move(*state_dir), std::move(*sockets),
                                       std::move(*wake), exit_fd);
  if (store) {
    SpoolService::Options service;
    service.writer.retention = state->options.spool->retention;
    service.node = state->options.name;
    service.group_grace = state->options.membership.dead_after + 2 * group_renewal_every;
    auto spool = SpoolService::start(
        std::move(store), *state->sockets.spool, service,
        {.is_gone = [state = state.get()](const Origin& origin) { return state->loop && state->loop->is_gone(origin); },
         .other_query = [state = state.get()](Now now, std::string_view method, BytesView params,
                                              SpoolService::Backend::Answer answer) {
           if (state->loop && DurableControl::knows(method)) {
             state->loop->ask_durable(now, method, params, std::move(answer));
           } else {
             answer(fail(ErrorCode::NotFound, "no such method: " + std::string(method.substr(0, 64))));
           }
         }},
        state->log);
    if (!spool) return std::unexpected(spool.error());
    state->spool = std::move(*spool);
  }
  state->kept_incarnation = *incarnation;
  state->kept_roster = std::move(*roster);
  return std::unique_ptr<NodeHost>(new NodeHost(std::move(state)));
}

/// Before start() by the owner, then on the loop's thread.
AgentId NodeHost::register_agent(State& state, AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent) {
  spec.state = AgentState::Down;
  const HostedAgent::Surroundings around{state.options.name, state.status, state.intake, state.pool, state.log};
  state.slots += spec.concurrency;
  auto hosted = std::make_unique<HostedAgent>(around, spec.name, std::move(kind), std::move(agent));
  const AgentId id = state.pool.add_agent(spec, &hosted->agent());
  hosted->set_id(id);
  state.agents.push_back(std::move(hosted));
  state.has_subscriptions.push_back(false);
  state.specs.push_back(std::move(spec));
  return id;
}

std::vector<SubscriptionId> NodeHost::register_subscriptions(State& state, AgentId id,
                                                         std::vector<SubscriptionOptions> subscriptions) {
  const AgentSpec& spec = state.specs[id.value];
  const std::string& name = spec.name;
  if (!subscriptions.empty()) state.has_subscriptions[id.value] = true;
  DurableHandler handler;  // what the subscriptions have in common
  handler.agent = state.options.name + '/' + name;
  handler.max_attempts = std::max(spec.retry.max_attempts, 1u);
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) handler.capacity[lane] = spec.lanes[lane].capacity;
  std::vector<SubscriptionId> numbers;
  for (SubscriptionOptions& subscription : shares_of(std::move(subscriptions))) {
    const SubscriptionSpec& wanted = subscription.spec;
    DurableHandler& told = state.handlers.emplace_back(handler);
    told.subscription = {static_cast<std::uint32_t>(state.filters.size())};
    told.filter = wanted.filter;
    told.tier = wanted.tier;
    if (subscription.durable) {
      told.durable = subscription.durable->name;
      told.start = durable_start(subscription.durable->start);
    }
    if (subscription.group) make_share(told, *subscription.group);
    state.filters.push_back(wanted.filter);
    const bool takes_replays = subscription.replays == SubscriptionOptions::Replays::Yes;
    state.replays.push_back(takes_replays ? std::optional(wanted.filter.of_replays()) : std::nullopt);
    state.subscriptions.push_back({name,
                                   wanted.filter.text(),
                                   wanted.tier,
                                   {},
                                   told.durable.empty() ? std::nullopt : std::optional(told.durable),
                                   wanted.where ? std::optional(wanted.where->text()) : std::nullopt});
    if (state.loop) state.pool.track_also({told.durable.empty() ? '/' + name : told.durable, told.agent});
    auto chain = state.middleware->for_subscription(name, wanted.tier);
    numbers.push_back(state.pool.add_subscription(id, std::move(subscription.spec), std::move(chain)));
  }
  return numbers;
}

SubscriptionId NodeHost::add_agent(AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent,
                                   std::vector<SubscriptionOptions> subscriptions) {
  LEGION_ASSERT(!state_->loop);
  const SubscriptionId first{static_cast<std::uint32_t>(state_->filters.size())};
  const AgentId id = register_agent(*state_, std::move(spec), std::move(kind), std::move(agent));
  register_subscriptions(*state_, id, std::move(subscriptions));
  return first;
}

/// Before start() here, afterwards on the loop's thread. `task` says what became of it. Errors: Closed.
Result<void> NodeHost::change_agents(State& state, const std::function<Result<void>()>& task) {
  if (!state.loop) return task();
  Result<void> done = fail(ErrorCode::Closed, "the node has stopped");
  state.loop->run_on_loop(
      [&] {
        done = state.loop->is_open_to_agents();
        if (done) done = task();
      },
      NodeLoop::Last::No);
  return done;
}

/// Numbers of `wanted`, and their beginning where there is a loop.
void NodeHost::begin_subscriptions(State& state, AgentId agent, std::vector<SubscriptionOptions> wanted,
                                   const Numbered& numbered) {
  const std::size_t first = state.filters.size();
  register_subscriptions(state, agent, std::move(wanted));
  if (numbered) numbered({static_cast<std::uint32_t>(first)});
  if (state.loop) state.loop->begin_subscriptions(first);
}

Result<void> NodeHost::check_name(const State& state, const std::string& name) {
  const auto has_it = [&](const auto& one) { return one->place() == HostedAgent::Place::Here && one->name() == name; };
  if (!std::ranges::any_of(state.agents, has_it)) return {};
  return fail(ErrorCode::NameTaken, "node " + state.options.name + " has an agent " + name + " already");
}

Result<void> NodeHost::check_room(const State& state, std::size_t more) {
  if (state.filters.size() + more <= subscriptions_max) return {};
  return fail(ErrorCode::Refused, "node " + state.options.name + " has had " + std::to_string(state.filters.size()) +
                                      " subscriptions, of " + std::to_string(subscriptions_max) +
                                      " that it can have; numbers are not used again");
}

Result<AgentId> NodeHost::add_agent_now(AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent,
                                        std::vector<SubscriptionOptions> subscriptions, const Numbered& numbered) {
  State& state = *state_;
  AgentId added;
  const auto done = change_agents(state, [&]() -> Result<void> {
    if (const auto is_free = check_name(state, spec.name); !is_free) return is_free;
    if (const auto room = check_room(state, subscriptions.size()); !room) return room;
    added = register_agent(state, std::move(spec), std::move(kind), std::move(agent));
    begin_subscriptions(state, added, std::move(subscriptions), numbered);
    if (state.loop) state.agents[added.value]->start();
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return added;
}

Result<void> NodeHost::add_subscription_now(AgentId agent, SubscriptionOptions subscription, const Numbered& numbered) {
  return change_agents(*state_, [&]() -> Result<void> {
    if (const auto room = check_room(*state_, 1); !room) return room;
    begin_subscriptions(*state_, agent, {std::move(subscription)}, numbered);
    return {};
  });
}

void NodeHost::end_subscription_now(SubscriptionId subscription) {
  if (!state_->loop) return;
  state_->loop->run_on_loop([&] { state_->loop->end_subscription(subscription); }, NodeLoop::Last::No);
}

void NodeHost::remove_agent(AgentId agent) {
  if (!state_->loop) return;
  HostedAgent* hosted = nullptr;
  state_->loop->run_on_loop(
      [&] {
        for (std::uint32_t i = 0; i < state_->filters.size(); ++i) {
          if (state_->pool.agent_of({i}) == agent) state_->loop->end_subscription({i});
        }
        state_->pool.remove_agent(agent, "the agent was removed");
        hosted = state_->agents[agent.value].get();
        hosted->set_removed();
      },
      NodeLoop::Last::No);
  if (hosted != nullptr) hosted->stop(agent_grace_min);
}

/// What the hub needs for agents no configuration knows. All of it runs on the loop's thread.
RemoteGrowth NodeHost::remote_growth(State& state) {
  return {
      .add = [&state](AgentSpec spec, std::unique_ptr<Agent> agent) -> Result<AgentId> {
        if (const auto takes = state.loop->takes_agents(); !takes) return std::unexpected(takes.error());
        if (const auto is_free = check_name(state, spec.name); !is_free) return std::unexpected(is_free.error());
        const AgentId id = register_agent(state, std::move(spec), "remote", std::move(agent));
        state.agents[id.value]->start();
        return id;
      },
      .subscribe = [&state](AgentId id, SubscriptionOptions subscription) -> Result<SubscriptionId> {
        if (const auto takes = state.loop->takes_agents(); !takes) return std::unexpected(takes.error());
        const auto has = [&](const std::string& name) {
          return std::ranges::find(state.handlers, name, &DurableHandler::durable) != state.handlers.end();
        };
        if (subscription.durable && has(subscription.durable->name)) {
          return fail(ErrorCode::NameTaken, "this node has a durable subscription " + subscription.durable->name + " already");
        }
        if (subscription.group && has(share_name(subscription.group->name, 0))) {
          return fail(ErrorCode::NameTaken, "this node has a member of group " + subscription.group->name + " already");
        }
        const std::size_t first = state.filters.size();
        const SubscriptionId number = register_subscriptions(state, id, {std::move(subscription)}).front();
        state.loop->begin_subscriptions(first);
        return number;
      },
      .unsubscribe = [&state](SubscriptionId subscription) { state.loop->end_subscription(subscription); },
      .subscribe_again = [&state](SubscriptionId subscription) { state.loop->begin_again(subscription); },
  };
}

void NodeHost::add_remote_agent(AgentSpec spec, RemoteOptions remote, std::vector<SubscriptionOptions> subscriptions) {
  auto agent = state_->remote.make_agent(spec, std::move(remote), subscriptions);
  auto next = static_cast<std::uint32_t>(state_->filters.size());
  std::vector<SubscriptionId> numbers;
  for (const SubscriptionOptions& one : subscriptions) {
    numbers.push_back({next});
    next += one.count();
  }
  add_agent(std::move(spec), "remote", std::move(agent), std::move(subscriptions));
  state_->remote.announce({static_cast<std::uint32_t>(state_->agents.size() - 1)}, std::move(numbers));
}

void NodeHost::start() {
  LEGION_ASSERT(!state_->loop);
  State& state = *state_;
  state.remote.grow_by(remote_growth(state), state.options.remote_defaults);
  state.loop = std::make_unique<NodeLoop>(NodeLoop::Setup{
      state.options, state.sockets, state.state_dir, state.intake, state.pool, state.executor, state.status, state.wake,
      state.remote, state.spool.get(), state.log, draw_boot_id(), state.seed, state.kept_incarnation, state.kept_roster, state.agents, state.subscriptions,
      state.filters, state.replays, state.handlers, state.in_flight,
      [&state](NodeExit why) { state.end_with(std::move(why)); }});
  if (auto tracked = track_in_flight(state); !tracked) {
    state.log(LogLevel::Error, tracked.error().message + "; after a crash it will not be known what was in hands");
  }
  state.pool.on_durable_reports = [&wake = state.wake] { wake.wake_always(); };
  state.pool.start();
  state.loop->start();
  Event startup;
  startup.type = "system.startup";
  state.intake.publish(startup, "!node", PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {},
                       read_clocks().wall);
  for (auto& agent : state.agents) agent->start();
}

int NodeHost::exit_fd() const { return state_->exit_fd; }

std::optional<NodeExit> NodeHost::exit() const {
  const std::lock_guard lock(state_->exit_mutex);
  return state_->exit;
}

bool NodeHost::shutdown() {
  State& state = *state_;
  if (!state.loop || std::exchange(state.shut_down, true)) return state.handled_all;
  const SteadyTime deadline = read_clocks().steady + state.options.drain_timeout;
  const auto left = [&] { return std::max(agent_grace_min, deadline - read_clocks().steady); };

  state.loop->run_on_loop({}, NodeLoop::Last::Yes);  // the list of agents stays as it is
  // Nothing new from outside, sources first, then everything held is handled while its consequences still go out.
  state.intake.close_outside();
  std::vector<HostedAgent*> sources;
  std::vector<HostedAgent*> handlers;
  for (std::size_t i = 0; i < state.agents.size(); ++i) {
    (state.has_subscriptions[i] ? handlers : sources).push_back(state.agents[i].get());
  }
  stop_all(sources, std::min(left(), std::max(agent_grace_min, state.options.drain_timeout / 5)));
  state.handled_all = state.loop->quiesce(left());
  state.pool.stop();  // first: what handlers have done is reported before the books are closed
  state.pool.close();
  stop_all(handlers, left());
  if (!state.handled_all) state.log(LogLevel::Warn, "drain_timeout passed: what was still held is lost (shutdown)");

  state.intake.close();
  Event goodbye;
  goodbye.type = "system.shutdown";
  state.intake.publish(goodbye, "!node", PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {},
                       read_clocks().wall);
  state.loop->leave(leave_max);
  state.loop->stop();
  state.intake.give_up();
  state.executor.stop();
  return state.handled_all;
}

const Endpoints& NodeHost::endpoints() const { return state_->sockets.endpoints; }

const std::shared_ptr<Intake>& NodeHost::intake() const { return state_->shared_intake; }

DispatcherStats NodeHost::dispatch_stats() const { return state_->pool.stats(); }

const NodeStatus& NodeHost::status() const { return state_->status; }

}  // namespace legion
