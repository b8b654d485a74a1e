#include <legion/api/memory_node.hpp>

#include <algorithm>
#include <limits>

#include <legion/base/assert.hpp>

namespace legion {

namespace {

// Of an agent with a durable subscription. Nothing is kept but in this memory, so its mailbox has to have room.
constexpr std::size_t durable_capacity = std::size_t{1} << 20;

constexpr Duration drain_look = 1ms;

}  // namespace

// --- MemoryTarget
// -----------------------------------------------------------------------------------------------------

MemoryTarget::MemoryTarget(std::shared_ptr<Intake> intake, std::function<Now()> clock,
                           std::function<bool(Duration)> pass)
    : intake_(std::move(intake)), clock_(std::move(clock)), pass_(std::move(pass)) {}

PublishResult MemoryTarget::publish(const Event& event, std::string_view as, PublishOptions options) {
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

// --- what an agent sees of its node
// -----------------------------------------------------------------------------------

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

// --- MemoryNode
// -------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Backend>> MemoryNode::create(std::shared_ptr<MemoryMesh> mesh, Options options) {
  if (const auto checked = check_middleware(mesh->options().middleware); !checked) {
    return std::unexpected(checked.error());
  }
  const auto incarnation = mesh->claim(options.name);
  if (!incarnation) return std::unexpected(incarnation.error());
  return std::unique_ptr<Backend>(new MemoryNode(std::move(mesh), std::move(options), *incarnation));
}

MemoryNode::MemoryNode(std::shared_ptr<MemoryMesh> mesh, Options options, Incarnation incarnation)
    : mesh_(std::move(mesh)),
      options_(std::move(options)),
      middleware_(std::make_shared<MiddlewareChains>(
          mesh_->options().middleware, hooks_of(std::make_shared<const SchemaTable>(SchemaTable::built_in())))),
      intake_(std::make_shared<Intake>(options_.name, PolicyTable(mesh_->options().topics), mesh_->options().queue,
                                       mesh_->options().journal_bytes,
                                       [signal = mesh_->signal()] { signal->raise(); })),
      memory_target_(std::make_shared<MemoryTarget>(intake_, mesh_->options().clock, options_.pass)),
      egress_({options_.name, incarnation}, {}),
      dispatch_(mesh_->options().clock, mesh_->options().seed + incarnation),
      agents_(options_.name, memory_target_, mesh_->options().log) {
  intake_->set_middleware(middleware_, mesh_->options().clock);
  dispatch_.on_letters = [this](std::vector<DeadLetter> letters) { mesh_->on_letters(*this, std::move(letters)); };
}

MemoryNode::~MemoryNode() {
  stop();
  mesh_->release(options_.name);
}

void MemoryNode::log(LogLevel level, std::string_view text) const {
  if (mesh_->options().log) mesh_->options().log(level, options_.name + ": " + std::string(text));
}

Result<EmbeddedAgent> MemoryNode::add_agent(std::string_view name, AgentOptions options) {
  if (phase_ == Phase::Stopped) return fail(ErrorCode::Closed, "the node has stopped");
  auto table = agents_.add(name, options);
  if (!table) return std::unexpected(table.error());
  if (phase_ == Phase::Started) {
    if (auto begun = begin(**table); !begun) return std::unexpected(begun.error());
  }
  return EmbeddedAgent(std::move(*table));
}

Result<void> MemoryNode::begin(HandlerTable& table) {
  table.prepare();
  auto made = std::make_unique<Services>(*this, table.shared_from_this());
  Services& services = *made;
  {
    const std::lock_guard lock(mutex_);
    services_.push_back(std::move(made));
  }
  if (auto attached = table.attach(*this, services.id()); !attached) return attached;
  table.start(services);
  return {};
}

Result<void> MemoryNode::start() {
  if (phase_ != Phase::Building) return fail(ErrorCode::Refused, "the node was started before");
  // All gates are there before the first event of any agent.
  for (const auto& table : agents_.all()) {
    if (auto begun = begin(*table); !begun) return begun;
  }
  phase_ = Phase::Started;
  if (mesh_->options().runs == MemoryMesh::Runs::ByThreads) dispatch_.start(std::max<std::size_t>(options_.workers, 1));
  mesh_->add(*this);
  mesh_->signal()->raise();
  return {};
}

Result<SubscriptionId> MemoryNode::add_subscription(AgentId agent, const SubscriptionOptions& wanted) {
  if (wanted.durable && wanted.durable->start.kind != SubscriptionStart::Kind::Now) {
    return fail(ErrorCode::Refused,
                "durable = \"" + wanted.durable->name + "\": a mesh in memory has no past to start from; start now");
  }
  const std::lock_guard lock(mutex_);
  if (subscriptions_.size() >= SlotIndex::subscriptions_max) {
    return fail(ErrorCode::Refused, "this node has had 16384 handlers, and numbers are not used again");
  }
  const auto of = std::ranges::find_if(services_, [&](const auto& one) { return one->id() == agent; });
  const std::string& agent_name = (*of)->table().name();
  const SubscriptionId subscription =
      dispatch_.add_subscription(agent, wanted.spec, middleware_->for_subscription(agent_name, wanted.spec.tier));
  LEGION_ASSERT(subscription.value == subscriptions_.size());
  subscriptions_.push_back({wanted.spec.filter});
  return subscription;
}

void MemoryNode::open(SubscriptionId subscription) {
  {
    const std::lock_guard lock(mutex_);
    subscriptions_[subscription.value].state = Subscribed::State::Open;
  }
  mesh_->routes_changed();
}

void MemoryNode::close(SubscriptionId subscription) {
  {
    const std::lock_guard lock(mutex_);
    subscriptions_[subscription.value].state = Subscribed::State::Closed;
  }
  mesh_->routes_changed();
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

bool MemoryNode::stop() {
  if (phase_.exchange(Phase::Stopped) != Phase::Started) {
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
  return handled_all;
}

Statistics MemoryNode::statistics() const {
  Statistics statistics = agents_.statistics(dispatch_.stats(), *intake_);
  statistics.alive_members = std::max<std::size_t>(mesh_->size(), 1);
  return statistics;
}

}  // namespace legion
