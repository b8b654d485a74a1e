#include <legion/runtime/node.hpp>

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
struct Node::State {
  NodeOptions options;
  LogSink log;
  StateDir state_dir;
  NodeSockets sockets;
  transport::WakeFd wake;
  int exit_fd;
  std::uint64_t seed = draw_seed();
  NodeStatus status;
  Executor executor;
  std::optional<InFlightFile> in_flight_file;
  std::size_t slots = 0;  // of it: deliveries that may be in hands at once
  Intake intake;
  DispatchPool pool;
  std::vector<std::unique_ptr<HostedAgent>> agents;
  std::vector<bool> has_subscriptions;  // by agent
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

  State(NodeOptions opts, LogSink sink, StateDir dir, NodeSockets bound, transport::WakeFd wake_fd, int exit_descriptor)
      : options(std::move(opts)),
        log(std::move(sink)),
        state_dir(std::move(dir)),
        sockets(std::move(bound)),
        wake(std::move(wake_fd)),
        exit_fd(exit_descriptor),
        intake(options.name, options.policy, options.queue_capacity, options.journal.confirmed_bytes,
               [this] { wake.wake_after_fence(); }),
        pool(options.workers, seed) {}

  ~State() { ::close(exit_fd); }

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
Result<void> Node::track_in_flight(State& state) {
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

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}

Node::~Node() { shutdown(); }

Result<std::unique_ptr<Node>> Node::create(NodeOptions options, LogSink log) {
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
  return std::unique_ptr<Node>(new Node(std::move(state)));
}

void Node::add_agent(AgentSpec spec, std::string kind, std::unique_ptr<Agent> agent,
                     std::vector<SubscriptionOptions> subscriptions) {
  LEGION_ASSERT(!state_->loop);
  spec.state = AgentState::Down;
  const HostedAgent::Surroundings around{state_->options.name, state_->status, state_->intake, state_->pool, state_->log};
  const std::string name = spec.name;
  state_->slots += spec.concurrency;
  DurableHandler handler;  // what the subscriptions have in common
  handler.agent = state_->options.name + '/' + name;
  handler.max_attempts = std::max(spec.retry.max_attempts, 1u);
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) handler.capacity[lane] = spec.lanes[lane].capacity;
  auto hosted = std::make_unique<HostedAgent>(around, name, std::move(kind), std::move(agent));
  const AgentId id = state_->pool.add_agent(std::move(spec), &hosted->agent());
  hosted->set_id(id);
  state_->agents.push_back(std::move(hosted));
  state_->has_subscriptions.push_back(!subscriptions.empty());
  for (SubscriptionOptions& subscription : subscriptions) {
    const SubscriptionSpec& wanted = subscription.spec;
    DurableHandler& told = state_->handlers.emplace_back(handler);
    told.subscription = {static_cast<std::uint32_t>(state_->filters.size())};
    told.filter = wanted.filter;
    told.tier = wanted.tier;
    if (subscription.durable) {
      told.durable = subscription.durable->name;
      told.start = durable_start(subscription.durable->start);
    }
    state_->filters.push_back(wanted.filter);
    const bool takes_replays = subscription.replays == SubscriptionOptions::Replays::Yes;
    state_->replays.push_back(takes_replays ? std::optional(wanted.filter.of_replays()) : std::nullopt);
    state_->subscriptions.push_back({name,
                                     wanted.filter.text(),
                                     wanted.tier,
                                     {},
                                     told.durable.empty() ? std::nullopt : std::optional(told.durable)});
    state_->pool.add_subscription(id, std::move(subscription.spec));
  }
}

void Node::start() {
  LEGION_ASSERT(!state_->loop);
  State& state = *state_;
  state.loop = std::make_unique<NodeLoop>(NodeLoop::Setup{
      state.options, state.sockets, state.state_dir, state.intake, state.pool, state.executor, state.status, state.wake,
      state.spool.get(), state.log, draw_boot_id(), state.seed, state.kept_incarnation, state.kept_roster, state.agents, state.subscriptions,
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
  state.intake.publish(startup, "!node", Publisher::Node, PublishOptions::PriorityFrom::Policy, {},
                       read_clocks().wall);
  for (auto& agent : state.agents) agent->start();
}

int Node::exit_fd() const { return state_->exit_fd; }

std::optional<NodeExit> Node::exit() const {
  const std::lock_guard lock(state_->exit_mutex);
  return state_->exit;
}

bool Node::shutdown() {
  State& state = *state_;
  if (!state.loop || std::exchange(state.shut_down, true)) return state.handled_all;
  const SteadyTime deadline = read_clocks().steady + state.options.drain_timeout;
  const auto left = [&] { return std::max(agent_grace_min, deadline - read_clocks().steady); };

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
  state.intake.publish(goodbye, "!node", Publisher::Node, PublishOptions::PriorityFrom::Policy, {},
                       read_clocks().wall);
  state.loop->leave(leave_max);
  state.loop->stop();
  return state.handled_all;
}

const Endpoints& Node::endpoints() const { return state_->sockets.endpoints; }

}  // namespace legion
