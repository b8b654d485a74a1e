// The handlers of an embedded agent, between the program that registers them and the node that calls them. Internal.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <legion/agent.hpp>
#include <legion/api/publish_target.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/subscription_options.hpp>

namespace legion {

/// The way back to the node for answers that come later. Cut when the agent stops.
class AnswerLine {
 public:
  void connect(AgentServices* services);
  void complete(TaskId task, Outcome outcome);

 private:
  std::mutex mutex_;
  AgentServices* services_ = nullptr;
};

/// One registered handler. It may be called by several workers while it is removed.
class HandlerSlot {
 public:
  HandlerSlot(HandlerId number, Filter filter, Handler handler, HandlerOptions options);

  /// While one exists the function stays. Nothing of it is to be used when the handler was removed before.
  class Entered {
   public:
    explicit Entered(HandlerSlot& slot);
    ~Entered();
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    explicit operator bool() const { return entered_; }

   private:
    HandlerSlot& slot_;
    const HandlerSlot* outer_;
    bool entered_;
  };

  /// Returns once nobody is in it. On a thread that is in a handler, this or another, it does not wait: two handlers
  /// that remove each other would wait for ever. The function then goes with the last who leaves.
  void remove();
  bool removed() const { return removed_.load(std::memory_order_acquire); }
  /// The innermost of the handlers that this thread is in; null: none.
  static const HandlerSlot* current();
  SubscriptionOptions subscription() const;
  /// How many subscriptions it is: one for each share of a group.
  std::uint32_t subscriptions() const { return options.group.empty() ? 1 : options.shares; }
  bool is_durable() const { return !options.durable.empty() || !options.group.empty(); }
  /// Between enter and leave.
  const std::shared_ptr<Handler>& function() const { return function_; }

  const HandlerId number;
  const Filter filter;
  const HandlerOptions options;
  const bool is_coroutine;

 private:
  void release_once();

  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> removed_{false};
  std::atomic<bool> left_to_handlers_{false};  // to give the function up; else whoever removes it does
  std::atomic<bool> released_{false};
  std::shared_ptr<Handler> function_;  // shared with coroutines under way
};

/// Where a table finds the handler of a subscription: without a lock, while others are added.
class SlotIndex {
 public:
  static constexpr std::uint32_t subscriptions_max = 16384;  ///< that a node ever had

  ~SlotIndex();
  /// One thread at a time. `slot` outlives this.
  void set(SubscriptionId subscription, HandlerSlot* slot);
  HandlerSlot* find(SubscriptionId subscription) const;

 private:
  static constexpr std::uint32_t chunk_size = 128;
  using Chunk = std::array<std::atomic<HandlerSlot*>, chunk_size>;
  std::array<std::atomic<Chunk*>, subscriptions_max / chunk_size> chunks_{};
};

/// The node of a table, where handlers may come and go while it runs. Thread: any, that of a handler too. It is asked
/// without a lock that a handler or its own threads may need.
class RunningNode {
 public:
  /// Told, once and before any event is handed over, the number of the first subscription; the others follow it.
  using Numbered = std::function<void(SubscriptionId first)>;

  virtual ~RunningNode() = default;
  /// An agent that gets what it wants from now on, or from the start of the node. Errors: those of EmbeddedAgent::on()
  /// that only the node knows of; then there is no agent.
  virtual Result<AgentId> begin(std::shared_ptr<HandlerTable> table, std::vector<SubscriptionOptions> wanted,
                                const Numbered& numbered) = 0;
  virtual Result<void> subscribe(AgentId agent, SubscriptionOptions wanted, const Numbered& numbered) = 0;
  /// It gets nothing more that arrives from now on.
  virtual void unsubscribe(SubscriptionId subscription) = 0;
  /// What the agent holds is lost.
  virtual void remove(AgentId agent) = 0;
};

/// Thread: any, except where a function says otherwise. Errors: as EmbeddedAgent.
class HandlerTable : public std::enable_shared_from_this<HandlerTable> {
 public:
  HandlerTable(std::string node, std::string name, AgentOptions options, std::shared_ptr<PublishTarget> target,
               LogSink log);

  const std::string& node() const { return node_; }
  const std::string& name() const { return name_; }
  const AgentOptions& options() const { return options_; }
  const std::shared_ptr<PublishTarget>& target() const { return target_; }

  Result<HandlerId> add(std::string_view filter, Handler handler, HandlerOptions options);
  Result<void> remove(HandlerId handler);
  void log(LogLevel level, std::string_view text) const;
  void set_state(std::string state);
  void count(std::string_view name, std::uint64_t by);

  // --- the node's part ----------------------------------------------------------------------------------------------
  AgentSpec spec() const;
  /// The names of its durable subscriptions and groups.
  std::vector<std::string> durables() const;
  /// What the handlers that are there want, in their order; from now on the set is fixed.
  std::vector<SubscriptionOptions> freeze();
  /// The same where somebody else says what is subscribed to: each goes to the handler with the narrowest filter that
  /// covers it. Errors: Configuration naming a filter that none covers.
  Result<void> freeze_for(const std::vector<SubscriptionOptions>& subscriptions);
  /// After freeze_for(): the filters of handlers that get nothing.
  std::vector<std::string> unused() const;
  /// After freeze() or freeze_for(): the number of the first subscription; the others follow it.
  void bind(SubscriptionId first);
  /// Instead of freeze() and bind(), of a node where handlers come and go: those that are there are subscribed, later
  /// ones when they come. `node` is there until end(). Idempotent. Errors: those of the node.
  Result<void> begin(RunningNode& node);
  /// The same once there is a first handler, which decides whether the agent answers at once.
  void begin_with_first(RunningNode& node);
  /// The agent goes: end() is to follow. Errors: Refused naming the handler, of a node that has begun, when one is
  /// durable or a gate.
  Result<void> leave();
  bool answers_at_once() const { return answers_ == Agent::Answers::AtOnce; }
  void start(AgentServices& services);
  void disconnect();
  /// Destroys the handlers. Nothing is delivered any more.
  void end();
  /// Whether this thread is in one of its handlers.
  bool is_calling() const;
  /// On a worker. As Agent::deliver().
  std::optional<Outcome> deliver(const Delivery& delivery);
  struct Known {
    std::string filter;
    Priority tier = Priority::Normal;
  };
  /// The handler of a subscription, unless it was removed or is another agent's.
  std::optional<Known> known(SubscriptionId subscription) const;

  AnswerLine& line() { return *line_; }
  const std::shared_ptr<AnswerLine>& shared_line() const { return line_; }

 private:
  /// Waiting: for the first handler, of a node that runs. Begun: the node knows the agent, and handlers come and go.
  enum class Phase : std::uint8_t { Building, Fixed, Waiting, Begun, Over };
  Result<void> check(const Filter& filter, const HandlerOptions& options) const;
  Result<void> check_group(const std::string& title, const HandlerOptions& options) const;
  Result<void> check_late(const std::string& filter, const Handler& handler, const HandlerOptions& options) const;
  Result<void> begin_now(RunningNode& node);
  Result<void> subscribe(const std::shared_ptr<HandlerSlot>& slot);
  void number(SubscriptionId first, const std::vector<std::shared_ptr<HandlerSlot>>& slots);
  void settle_answers();

  const std::string node_;
  const std::string name_;
  const AgentOptions options_;
  const std::shared_ptr<PublishTarget> target_;
  const LogSink log_;
  const std::shared_ptr<AnswerLine> line_ = std::make_shared<AnswerLine>();  // shared with answers that are due

  // Held while handlers come, go or end, also while the node is asked for that; taken before mutex_.
  std::mutex change_mutex_;

  mutable std::mutex mutex_;  // guards what follows, up to the next comment; no node is asked under it
  Phase phase_ = Phase::Building;
  std::uint32_t next_number_ = 1;
  AgentServices* services_ = nullptr;
  std::string state_ = "running";
  std::map<std::string, std::uint64_t, std::less<>> counted_;  // before there were services

  std::vector<std::shared_ptr<HandlerSlot>> slots_;  // that were not removed
  std::vector<std::shared_ptr<HandlerSlot>> removed_;  // whose number the node still knows
  std::vector<HandlerSlot*> chosen_;  // by freeze() and freeze_for(), in the order of the subscriptions
  std::set<const HandlerSlot*> durable_;  // that have a durable subscription, whoever asked for it
  std::vector<std::pair<SubscriptionId, HandlerSlot*>> subscribed_;
  RunningNode* running_ = nullptr;  // this and the next change under both locks
  AgentId agent_;

  SlotIndex index_;
  Agent::Answers answers_ = Agent::Answers::AtOnce;  // settled before the node knows the agent
};

/// What a Context leads to: one call of a handler.
struct HandlerCall {
  HandlerTable& table;
  const Delivery& delivery;
  std::shared_ptr<PendingAnswer> pending{};

  /// What is told to the node when the handler has said `outcome`.
  Outcome settle(Outcome outcome);
};

/// The node's view of the table.
class EmbeddedHost final : public Agent {
 public:
  explicit EmbeddedHost(std::shared_ptr<HandlerTable> table) : table_(std::move(table)) {}

  Answers answers() const override { return table_->answers_at_once() ? Answers::AtOnce : Answers::Later; }
  void start(AgentServices& services) override { table_->start(services); }
  std::optional<Outcome> deliver(const Delivery& delivery) override { return table_->deliver(delivery); }
  void stop(Duration) override { table_->disconnect(); }

 private:
  std::shared_ptr<HandlerTable> table_;  // shared with the program
};

}  // namespace legion
