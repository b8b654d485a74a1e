#include <legion/api/memory_node.hpp>

#include <algorithm>

#include <legion/api/schemas.hpp>
#include <legion/base/assert.hpp>

namespace legion {

namespace {

// Of an agent with a durable subscription. Nothing is kept but in this memory, so its mailbox has to have room.
constexpr std::size_t durable_capacity = std::size_t{1} << 20;

constexpr Duration drain_look = 1ms;

}  // namespace

// --- MemoryTarget ----------------------------------------------------------------------------------------------------

MemoryTarget::MemoryTarget(std::shared_ptr<Intake> intake, std::function<Now()> clock,
                           std::function<bool(Duration)> pass, LogSink log)
    : intake_(std::move(intake)), clock_(std::move(clock)), pass_(std::move(pass)), log_(std::move(log)) {}

PublishResult MemoryTarget::publish(const Event& event, std::string_view as, PublishOptions options) {
  if (!pass_) guard_callbacks(options, log_);
  const WallTime time = event.time.ns == 0 ? clock_().wall : event.time;
  return intake_->publish(event, as, PublishedBy::Agent, options.priority_from, askers_of(options), time);
}

PublishTarget::Waited MemoryTarget::wait(Duration time) {
  if (pass_) return pass_(time) ? Waited::Passed : Waited::Closed;
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, time, [this] { return closed_; }) ? Waited::Closed : Waited::Passed;
}

void MemoryTarget::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
}

// --- what an agent sees of its node ----------------------------------------------------------------------------------

class MemoryNode::Services final : public AgentServices {
 public:
  Services(MemoryNode& node, std::shared_ptr<HandlerTable> table)
      : node_(node), table_(std::move(table)), host_(table_), id_(node.dispatch_.add_agent(spec(), &host_)) {}

  AgentId id() const { return id_; }
  HandlerTable& table() { return *table_; }

  PublishResult publish(const Event& event, PublishOptions options) override {
    return node_.memory_target_->publish(event, table_->name(), std::move(options));
  }
  void complete(TaskId task, Outcome outcome) override { node_.dispatch_.complete(task, std::move(outcome)); }
  void agent_up() override { node_.dispatch_.agent_up(id_); }
  void agent_down(std::string error) override { node_.dispatch_.agent_down(id_, error); }
  void log(LogLevel level, std::string_view text) override {
    node_.log(level, table_->name() + ": " + std::string(text));
  }
  void set_state(std::string) override {}  // nobody shows it
  void count(std::string_view, std::uint64_t) override {}
  const std::string& node_name() const override { return node_.name(); }
  Now now() const override { return node_.memory_target_->now(); }
  std::size_t alive_members() const override { return node_.mesh_->size(); }
  bool publishing_open() const override { return true; }

 private:
  AgentSpec spec() const {
    AgentSpec spec = table_->spec();
    spec.state = AgentState::Down;
    if (!table_->durables().empty()) {
      for (LaneSpec& lane : spec.lanes) lane.capacity = durable_capacity;
    }
    return spec;
  }

  MemoryNode& node_;
  std::shared_ptr<HandlerTable> table_;  // shared with the program
  EmbeddedHost host_;
  AgentId id_;
};

// --- MemoryNode ------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Backend>> MemoryNode::create(std::shared_ptr<MemoryMesh> mesh, Options options) {
  if (const auto checked = check_middleware(mesh->options().middleware); !checked) {
    return std::unexpected(checked.error());
  }
  const auto schemas = schemas_of(mesh->options().types);
  if (!schemas) return std::unexpected(schemas.error());
  const auto incarnation = mesh->claim(options.name);
  if (!incarnation) return std::unexpected(incarnation.error());
  return std::unique_ptr<Backend>(new MemoryNode(std::move(mesh), std::move(options), *incarnation, *schemas));
}

MemoryNode::MemoryNode(std::shared_ptr<MemoryMesh> mesh, Options options, Incarnation incarnation,
                       const SchemaTable& schemas)
    : mesh_(std::move(mesh)),
      options_(std::move(options)),
      schemas_(std::make_shared<const SchemaGuard>(
          options_.name, schemas, PolicyTable(mesh_->options().topics),
          [sink = mesh_->options().log, name = options_.name](LogLevel level, std::string_view text) {
            if (sink) sink(level, name + ": " + std::string(text));
          })),
      middleware_(std::make_shared<MiddlewareChains>(mesh_->options().middleware,
                                                     hooks_of(std::make_shared<const SchemaTable>(schemas)))),
      intake_(std::make_shared<Intake>(options_.name, PolicyTable(mesh_->options().topics), mesh_->options().queue,
                                       mesh_->options().journal_bytes,
                                       [signal = mesh_->signal()] { signal->raise(); })),
      memory_target_(std::make_shared<MemoryTarget>(intake_, mesh_->options().clock, options_.pass, mesh_->options().log)),
      egress_({options_.name, incarnation}, {}),
      dispatch_(mesh_->options().clock, mesh_->options().seed + incarnation),
      agents_(options_.name, memory_target_, mesh_->options().log) {
  intake_->watch(schemas_);
  intake_->set_middleware(middleware_, mesh_->options().clock);
  dispatch_.watch(*schemas_);
  dispatch_.on_letters = [this](std::vector<DeadLetter> letters) { mesh_->on_letters(*this, std::move(letters)); };
}

MemoryNode::~MemoryNode() {
  end();
  mesh_->release(options_.name);
}

void MemoryNode::log(LogLevel level, std::string_view text) const {
  if (mesh_->options().log) mesh_->options().log(level, options_.name + ": " + std::string(text));
}

Result<EmbeddedAgent> MemoryNode::add_agent(std::string_view name, AgentOptions options) {
  const std::lock_guard lock(start_mutex_);
  if (phase_ == Phase::Stopped) return fail(ErrorCode::Closed, "the node has stopped");
  auto table = agents_.add(name, options);
  if (!table) return std::unexpected(table.error());
  if (phase_ == Phase::Started) (*table)->begin_with_first(*this);
  return EmbeddedAgent(std::move(*table));
}

Result<void> MemoryNode::start() {
  const std::lock_guard lock(start_mutex_);
  if (phase_ != Phase::Building) return fail(ErrorCode::Refused, "the node was started before");
  if (auto checked = agents_.check_durables(); !checked) return checked;
  // All gates are there before the first event of any agent.
  for (const auto& table : agents_.all()) {
    if (auto begun = table->begin(*this); !begun) return begun;
  }
  phase_ = Phase::Started;
  if (mesh_->options().runs == MemoryMesh::Runs::ByThreads) dispatch_.start(std::max<std::size_t>(options_.workers, 1));
  mesh_->add(*this);
  mesh_->signal()->raise();
  return {};
}

// --- handlers that come and go ----------------------------------------------------------------------------------------

Result<AgentId> MemoryNode::begin(std::shared_ptr<HandlerTable> table, std::vector<SubscriptionOptions> wanted,
                                  const Numbered& numbered) {
  if (auto room = check_room(wanted.size()); !room) return std::unexpected(room.error());
  for (const SubscriptionOptions& one : wanted) {
    if (one.group) {
      return fail(ErrorCode::Refused, "agent " + table->name() + ", handler of " + one.spec.filter.text() +
                                          ": group = \"" + one.group->name +
                                          "\": a mesh in memory has no spool that could be its home");
    }
    if (!one.durable || one.durable->start.kind == SubscriptionStart::Kind::Now) continue;
    return fail(ErrorCode::Refused, "agent " + table->name() + ", handler of " + one.spec.filter.text() +
                                        ": durable = \"" + one.durable->name +
                                        "\": a mesh in memory has no past to start from; start now");
  }
  auto made = std::make_unique<Services>(*this, table);
  Services& services = *made;
  {
    const std::lock_guard lock(mutex_);
    services_.push_back(std::move(made));
  }
  open(services.id(), wanted, numbered);
  table->start(services);
  return services.id();
}

Result<void> MemoryNode::subscribe(AgentId agent, SubscriptionOptions wanted, const Numbered& numbered) {
  if (auto room = check_room(1); !room) return room;
  open(agent, {std::move(wanted)}, numbered);
  return {};
}

Result<void> MemoryNode::check_room(std::size_t more) const {
  const std::lock_guard lock(mutex_);
  if (subscriptions_.size() + more <= SlotIndex::subscriptions_max) return {};
  return fail(ErrorCode::Refused, "node " + options_.name + " has had " + std::to_string(subscriptions_.size()) +
                                      " handlers, of " + std::to_string(SlotIndex::subscriptions_max) +
                                      " that it can have; numbers are not used again");
}

void MemoryNode::open(AgentId agent, const std::vector<SubscriptionOptions>& wanted, const Numbered& numbered) {
  {
    const std::lock_guard lock(mutex_);
    const auto of = std::ranges::find_if(services_, [&](const auto& known) { return known->id() == agent; });
    const std::string& agent_name = (*of)->table().name();
    const SubscriptionId first{static_cast<std::uint32_t>(subscriptions_.size())};
    for (const SubscriptionOptions& one : wanted) {
      auto chain = middleware_->for_subscription(agent_name, one.spec.tier);
      const SubscriptionId subscription = dispatch_.add_subscription(agent, one.spec, std::move(chain));
      LEGION_ASSERT(subscription.value == subscriptions_.size());
      subscriptions_.push_back({.filter = one.spec.filter, .agent = agent});
    }
    numbered(first);
  }
  mesh_->routes_changed();
}

void MemoryNode::unsubscribe(SubscriptionId subscription) {
  {
    const std::lock_guard lock(mutex_);
    subscriptions_[subscription.value].state = Subscribed::State::Closed;
  }
  mesh_->routes_changed();
}

void MemoryNode::remove(AgentId agent) {
  {
    const std::lock_guard lock(mutex_);
    for (Subscribed& one : subscriptions_) {
      if (one.agent == agent) one.state = Subscribed::State::Closed;
    }
  }
  mesh_->routes_changed();
  dispatch_.remove_agent(agent, "the agent was removed");
}

std::vector<Route> MemoryNode::routes(std::string_view type) const {
  const std::lock_guard lock(mutex_);
  std::vector<Route> routes;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    const Subscribed& subscribed = subscriptions_[i];
    if (subscribed.state != Subscribed::State::Open || !subscribed.filter.matches(type)) continue;
    routes.push_back({.subscription = {i}});
  }
  return routes;
}

bool MemoryNode::drain() {
  const auto idle = [this] { return intake_->empty() && dispatch_.drained(); };
  if (mesh_->options().runs == MemoryMesh::Runs::ByHand) return idle();
  const SteadyTime deadline = mesh_->options().clock().steady + options_.drain_timeout;
  std::mutex mutex;
  std::condition_variable look;  // that nobody notifies: what is waited for has many ends
  std::unique_lock lock(mutex);
  while (!idle()) {
    if (mesh_->options().clock().steady > deadline) return false;
    look.wait_for(lock, drain_look);
  }
  return true;
}

bool MemoryNode::end() {
  Phase before{};
  {
    const std::lock_guard lock(start_mutex_);
    before = phase_.exchange(Phase::Stopped);
  }
  if (before != Phase::Started) {
    intake_->close();
    intake_->give_up();
    agents_.end();
    return true;
  }
  memory_target_->close();
  const bool handled_all = drain();
  dispatch_.stop();
  intake_->close();
  mesh_->remove(*this);
  dispatch_.close();
  agents_.end();
  intake_->give_up();
  mesh_->finish_callbacks();  // afterwards nothing of the program is called any more
  return handled_all;
}

Statistics MemoryNode::statistics() const {
  Statistics statistics = agents_.statistics(dispatch_.stats(), *intake_);
  statistics.alive_members = std::max<std::size_t>(mesh_->size(), 1);
  return statistics;
}

}  // namespace legion
