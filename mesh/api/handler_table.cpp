#include <legion/api/handler_table.hpp>

#include <algorithm>
#include <exception>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/base/ids.hpp>
#include <legion/event/share.hpp>

namespace legion {

namespace {

/// A handler that is a coroutine, from its first event in hands to its answer.
struct Execution {
  Execution(std::shared_ptr<HandlerTable> of, std::shared_ptr<Handler> handler, const Delivery& given)
      : table(std::move(of)), function(std::move(handler)), delivery(given) {}

  std::shared_ptr<HandlerTable> table;  // both shared: the coroutine may go on after they were removed and ended
  std::shared_ptr<Handler> function;
  Delivery delivery;
  HandlerCall call{*table, delivery};
  Context context{call};
  std::optional<Outcome> outcome;
  // Whoever comes second of "deliver() returns" and "the coroutine has ended" tells the outcome.
  enum class First : std::uint8_t { Nobody, Deliver, Coroutine };
  std::atomic<First> first{First::Nobody};
};

/// A coroutine that runs by itself and frees itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }  // run() catches what handlers throw
  };
};

Outcome failure_of(const std::exception& error) { return Outcome::retry(std::string("exception: ") + error.what()); }
Outcome unknown_failure() { return Outcome::retry("exception that is no std::exception"); }

Detached run(std::shared_ptr<Execution> execution) {
  Outcome outcome;
  try {
    outcome = co_await execution->function->coroutine(*execution->delivery.event, execution->context);
  } catch (const std::exception& error) {
    outcome = failure_of(error);
  } catch (...) {
    outcome = unknown_failure();
  }
  execution->outcome = execution->call.settle(std::move(outcome));
  if (execution->first.exchange(Execution::First::Coroutine) == Execution::First::Nobody) co_return;
  execution->table->line().complete(execution->delivery.task, std::move(*execution->outcome));
}

}  // namespace

namespace {

/// Whether every event that `wanted` matches is one that `by` matches.
bool is_covered(const Filter& wanted, const Filter& by) {
  if (by.text() == "*" || by == wanted) return true;
  return by.text().ends_with('.') && wanted.text().starts_with(by.text());
}

}  // namespace

// --- AnswerLine ------------------------------------------------------------------------------------------------------

void AnswerLine::connect(AgentServices* services) {
  const std::lock_guard lock(mutex_);
  services_ = services;
}

void AnswerLine::complete(TaskId task, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (services_ != nullptr) services_->complete(task, std::move(outcome));
}

// --- SlotIndex -------------------------------------------------------------------------------------------------------

SlotIndex::~SlotIndex() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

void SlotIndex::set(SubscriptionId subscription, HandlerSlot* slot) {
  LEGION_ASSERT(subscription.value < subscriptions_max);
  auto& place = chunks_[subscription.value / chunk_size];
  if (place.load(std::memory_order_relaxed) == nullptr) place.store(new Chunk{}, std::memory_order_release);
  (*place.load(std::memory_order_relaxed))[subscription.value % chunk_size].store(slot, std::memory_order_release);
}

HandlerSlot* SlotIndex::find(SubscriptionId subscription) const {
  const Chunk* chunk = chunks_[subscription.value / chunk_size].load(std::memory_order_acquire);
  return (*chunk)[subscription.value % chunk_size].load(std::memory_order_acquire);
}

// --- HandlerTable: the program's part --------------------------------------------------------------------------------

HandlerTable::HandlerTable(std::string node, std::string name, AgentOptions options,
                           std::shared_ptr<PublishTarget> target, LogSink log)
    : node_(std::move(node)),
      name_(std::move(name)),
      options_(options),
      target_(std::move(target)),
      log_(std::move(log)) {}

Result<void> HandlerTable::check(const Filter& filter, const HandlerOptions& options) const {
  const std::string title = "agent " + name_ + ", handler of " + filter.text() + ": ";
  if (!options.where.empty()) {
    if (const auto where = Where::parse(options.where); !where) {
      return fail(ErrorCode::InvalidArgument, title + where.error().message);
    }
  }
  if (!options.group.empty() || !options.home.empty()) return check_group(title, options);
  if (options.durable.empty()) {
    if (options.start.kind == SubscriptionStart::Kind::Now) return {};
    return fail(ErrorCode::InvalidArgument, title + "start is of durable subscriptions only");
  }
  if (!is_node_name(options.durable)) {
    return fail(ErrorCode::InvalidArgument,
                title + "durable = \"" + options.durable + "\" is not a name: 1 to 64 of a-z, 0-9 and -");
  }
  const bool taken = std::ranges::any_of(
      slots_, [&](const auto& slot) { return !slot->removed() && slot->options.durable == options.durable; });
  if (taken) {
    return fail(ErrorCode::InvalidArgument,
                title + "durable = \"" + options.durable + "\" is taken by another handler");
  }
  return {};
}

Result<void> HandlerTable::check_group(const std::string& title, const HandlerOptions& options) const {
  const auto wrong = [&](const std::string& what) { return fail(ErrorCode::InvalidArgument, title + what); };
  const std::string group = "group = \"" + options.group + "\"";
  if (options.group.empty()) return wrong("home is of groups only");
  if (!is_group_name(options.group)) return wrong(group + " is not a name: 1 to 60 of a-z, 0-9 and -");
  if (!is_node_name(options.home)) return wrong(group + ": home has to name the spool that says who has which share");
  if (options.shares == 0 || options.shares > group_shares_max) return wrong(group + ": shares are 1 to 256");
  if (!options.durable.empty()) return wrong(group + " is durable under its own name; leave durable out");
  if (options.tier == Priority::Critical) return wrong(group + ": a gate is asked on every node");
  if (options.replays == HandlerOptions::Replays::Yes) return wrong(group + ": replays reach every member");
  const bool taken = std::ranges::any_of(
      slots_, [&](const auto& slot) { return !slot->removed() && slot->options.group == options.group; });
  return taken ? wrong(group + " has another handler of this node as its member") : Result<void>{};
}

Result<HandlerId> HandlerTable::add(std::string_view filter, Handler handler, HandlerOptions options) {
  const auto parsed = Filter::parse(filter);
  if (!parsed) return fail(parsed.error().code, "agent " + name_ + ": " + parsed.error().message);
  std::shared_ptr<HandlerSlot> slot;  // outlives the locks: what it holds may call back when it goes
  const std::lock_guard changing(change_mutex_);
  Phase phase{};
  {
    const std::lock_guard lock(mutex_);
    phase = phase_;
    if (phase != Phase::Building) {
      if (auto may = check_late(parsed->text(), handler, options); !may) return std::unexpected(may.error());
    }
    if (auto checked = check(*parsed, options); !checked) return std::unexpected(checked.error());
    slot = std::make_shared<HandlerSlot>(HandlerId{next_number_++}, *parsed, std::move(handler), std::move(options));
    slots_.push_back(slot);
  }
  Result<void> done{};
  if (phase == Phase::Waiting) done = begin_now(*running_);
  if (phase == Phase::Begun) done = subscribe(slot);
  if (done) return slot->number;
  const std::lock_guard lock(mutex_);
  std::erase(slots_, slot);
  return fail(done.error().code,
              "agent " + name_ + ", handler of " + slot->filter.text() + ": " + done.error().message);
}

Result<void> HandlerTable::check_late(const std::string& filter, const Handler& handler,
                                      const HandlerOptions& options) const {
  const std::string title = "agent " + name_ + ", handler of " + filter + ": ";
  if (phase_ == Phase::Over) return fail(ErrorCode::Closed, title + "its node has stopped");
  if (phase_ == Phase::Fixed) {
    return fail(ErrorCode::Refused, title + "handlers of a plugin are added when it is set up");
  }
  if (options.tier == Priority::Critical) {
    return fail(ErrorCode::Refused, title + "a gate is added before start(), so that nothing passes it by");
  }
  if (!options.group.empty()) {
    return fail(ErrorCode::Refused, title + "group = \"" + options.group + "\": members are added before start()");
  }
  if (!options.durable.empty()) {
    return fail(ErrorCode::Refused, title + "durable = \"" + options.durable +
                                        "\" is added before start(): what is in hands has to be known after a crash");
  }
  if (phase_ == Phase::Begun && handler.coroutine && answers_at_once()) {
    return fail(ErrorCode::Refused, title + "the first coroutine of an agent whose other handlers are functions is "
                                            "added before start(); another agent may have it");
  }
  return {};
}

Result<void> HandlerTable::remove(HandlerId handler) {
  std::shared_ptr<HandlerSlot> slot;
  {
    const std::lock_guard changing(change_mutex_);
    std::vector<SubscriptionId> subscriptions;
    RunningNode* node = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::ranges::find_if(slots_, [&](const auto& one) { return one->number == handler; });
      if (found == slots_.end()) {
        return fail(ErrorCode::NotFound, "agent " + name_ + " has no handler " + std::to_string(handler.value));
      }
      if (durable_.contains(found->get())) {
        return fail(ErrorCode::Refused, "agent " + name_ + ", handler of " + (*found)->filter.text() +
                                            ": a durable subscription stays until the node stops, for what nobody "
                                            "handles must not count as done");
      }
      slot = *found;
      slots_.erase(found);
      if (phase_ != Phase::Building) removed_.push_back(slot);
      node = running_;
      for (const auto& [subscription, of] : subscribed_) {
        if (of == slot.get()) subscriptions.push_back(subscription);
      }
    }
    for (const SubscriptionId subscription : subscriptions) {
      if (node != nullptr) node->unsubscribe(subscription);
    }
  }
  slot->remove();  // without a lock: it waits for handlers
  return {};
}

void HandlerTable::log(LogLevel level, std::string_view text) const {
  if (log_) log_(level, name_ + ": " + std::string(text));
}

void HandlerTable::set_state(std::string state) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
  if (services_ != nullptr) services_->set_state(state_);
}

void HandlerTable::count(std::string_view name, std::uint64_t by) {
  const std::lock_guard lock(mutex_);
  if (services_ != nullptr) return services_->count(name, by);
  if (phase_ == Phase::Over) return;
  const auto found = counted_.find(name);
  if (found == counted_.end()) {
    counted_.emplace(std::string(name), by);
  } else {
    found->second += by;
  }
}

// --- HandlerTable: the node's part -----------------------------------------------------------------------------------

AgentSpec HandlerTable::spec() const {
  AgentSpec spec;
  spec.name = name_;
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    spec.lanes[lane].capacity = std::max<std::size_t>(options_.mailbox[lane], 1);
  }
  spec.concurrency = std::max(options_.concurrency, 1u);
  spec.retry.max_attempts = std::max(options_.max_attempts, 1u);
  spec.retry.delay = options_.retry_delay;
  spec.retry.backoff = options_.retry_backoff;
  if (!answers_at_once()) spec.handler_timeout = options_.handler_timeout;
  return spec;
}

std::vector<std::string> HandlerTable::durables() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& slot : slots_) {
    if (!slot->options.durable.empty()) names.push_back(slot->options.durable);
    if (!slot->options.group.empty()) names.push_back(slot->options.group);
  }
  return names;
}

void HandlerTable::settle_answers() {
  const bool waits = std::ranges::any_of(slots_, [](const auto& slot) { return slot->is_coroutine; });
  if (waits) answers_ = Agent::Answers::Later;
}

std::vector<SubscriptionOptions> HandlerTable::freeze() {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::Fixed;
  settle_answers();
  std::vector<SubscriptionOptions> subscriptions;
  for (const auto& slot : slots_) {
    subscriptions.push_back(slot->subscription());
    chosen_.insert(chosen_.end(), subscriptions.back().count(), slot.get());
    if (slot->is_durable()) durable_.insert(slot.get());
  }
  return subscriptions;
}

Result<void> HandlerTable::freeze_for(const std::vector<SubscriptionOptions>& subscriptions) {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::Fixed;
  settle_answers();
  for (const SubscriptionOptions& subscription : subscriptions) {
    const Filter& wanted = subscription.spec.filter;
    HandlerSlot* best = nullptr;
    for (const auto& slot : slots_) {
      if (!is_covered(wanted, slot->filter)) continue;
      if (best == nullptr || is_covered(slot->filter, best->filter)) best = slot.get();
    }
    if (best == nullptr) return fail(ErrorCode::Configuration, "no handler takes all of " + wanted.text());
    chosen_.insert(chosen_.end(), subscription.group ? subscription.group->shares : 1, best);  // numbered by share
    if (subscription.durable || subscription.group) durable_.insert(best);
  }
  return {};
}

std::vector<std::string> HandlerTable::unused() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> filters;
  for (const auto& slot : slots_) {
    if (std::ranges::find(chosen_, slot.get()) == chosen_.end()) filters.push_back(slot->filter.text());
  }
  return filters;
}

void HandlerTable::bind(SubscriptionId first) {
  const std::lock_guard lock(mutex_);
  for (HandlerSlot* slot : chosen_) {
    index_.set(first, slot);  // of a group there is one for each share
    subscribed_.emplace_back(first, slot);
    ++first.value;
  }
}

Result<void> HandlerTable::begin(RunningNode& node) {
  const std::lock_guard changing(change_mutex_);
  return begin_now(node);
}

void HandlerTable::begin_with_first(RunningNode& node) {
  const std::lock_guard changing(change_mutex_);
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::Building) return;
  phase_ = Phase::Waiting;
  running_ = &node;
}

Result<void> HandlerTable::begin_now(RunningNode& node) {
  std::vector<std::shared_ptr<HandlerSlot>> slots;
  std::vector<SubscriptionOptions> wanted;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::Building && phase_ != Phase::Waiting) return {};
    settle_answers();
    slots = slots_;
    for (const auto& slot : slots) wanted.push_back(slot->subscription());
  }
  const auto agent =
      node.begin(shared_from_this(), std::move(wanted), [&](SubscriptionId first) { number(first, slots); });
  if (!agent) return std::unexpected(agent.error());
  const std::lock_guard lock(mutex_);
  running_ = &node;
  agent_ = *agent;
  phase_ = Phase::Begun;
  return {};
}

Result<void> HandlerTable::subscribe(const std::shared_ptr<HandlerSlot>& slot) {
  return running_->subscribe(agent_, slot->subscription(), [&](SubscriptionId first) { number(first, {slot}); });
}

/// On a thread of the node.
void HandlerTable::number(SubscriptionId first, const std::vector<std::shared_ptr<HandlerSlot>>& slots) {
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots) {
    for (std::uint32_t left = slot->subscriptions(); left > 0; --left, ++first.value) {
      index_.set(first, slot.get());
      subscribed_.emplace_back(first, slot.get());
    }
    if (slot->is_durable()) durable_.insert(slot.get());
  }
}

Result<void> HandlerTable::leave() {
  const std::lock_guard changing(change_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::Begun) return {};
    const auto stays = [&](const auto& slot) {
      return durable_.contains(slot.get()) || slot->options.tier == Priority::Critical;
    };
    for (const auto* slots : {&slots_, &removed_}) {
      const auto found = std::ranges::find_if(*slots, stays);
      if (found == slots->end()) continue;
      return fail(ErrorCode::Refused, "agent " + name_ + ", handler of " + (*found)->filter.text() +
                                          ": an agent with a gate or a durable subscription stays until its node "
                                          "stops");
    }
    phase_ = Phase::Over;
  }
  running_->remove(agent_);
  return {};
}

void HandlerTable::start(AgentServices& services) {
  line_->connect(&services);
  {
    const std::lock_guard lock(mutex_);
    services_ = &services;
    services.set_state(state_);
    for (const auto& [name, by] : counted_) services.count(name, by);
    counted_.clear();
  }
  services.agent_up();
}

void HandlerTable::disconnect() {
  line_->connect(nullptr);
  const std::lock_guard lock(mutex_);
  if (services_ == nullptr) return;
  services_->set_state("stopped");
  services_ = nullptr;
}

void HandlerTable::end() {
  disconnect();
  std::vector<std::shared_ptr<HandlerSlot>> ended;
  {
    const std::lock_guard changing(change_mutex_);  // nobody is with the node any more
    const std::lock_guard lock(mutex_);
    phase_ = Phase::Over;
    running_ = nullptr;
    ended = slots_;
  }
  for (const auto& slot : ended) slot->remove();
}

bool HandlerTable::is_calling() const {
  const HandlerSlot* current = HandlerSlot::current();
  if (current == nullptr) return false;
  const std::lock_guard lock(mutex_);
  const auto is_it = [&](const auto& slot) { return slot.get() == current; };
  return std::ranges::any_of(slots_, is_it) || std::ranges::any_of(removed_, is_it);
}

std::optional<HandlerTable::Known> HandlerTable::known(SubscriptionId subscription) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [of, slot] : subscribed_) {
    if (of == subscription && !slot->removed()) return Known{slot->filter.text(), slot->options.tier};
  }
  return std::nullopt;
}

std::optional<Outcome> HandlerTable::deliver(const Delivery& delivery) {
  HandlerSlot& slot = *index_.find(delivery.subscription);
  const HandlerSlot::Entered entered(slot);
  if (!entered) return Outcome::done();  // nobody wants it any more
  if (slot.is_coroutine) {
    const auto execution = std::make_shared<Execution>(shared_from_this(), slot.function(), delivery);
    run(execution);
    if (execution->first.exchange(Execution::First::Deliver) == Execution::First::Nobody) return std::nullopt;
    return std::move(execution->outcome);
  }
  HandlerCall call{*this, delivery};
  Context context(call);
  try {
    return call.settle(slot.function()->plain(*delivery.event, context));
  } catch (const std::exception& error) {
    return call.settle(failure_of(error));
  } catch (...) {
    return call.settle(unknown_failure());
  }
}

}  // namespace legion
