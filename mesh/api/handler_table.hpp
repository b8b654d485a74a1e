// The handlers of an embedded agent, between the program that registers them and the node that calls them. Internal.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
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

  /// Returns once nobody is in it, unless this thread is.
  void remove();
  bool removed() const { return removed_.load(std::memory_order_acquire); }
  SubscriptionOptions subscription() const;
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

/// The node of a table, where handlers may come and go while it runs. Thread: any.
class RunningNode {
 public:
  virtual ~RunningNode() = default;
  /// A number for a subscription that gets nothing yet. Errors: Refused.
  virtual Result<SubscriptionId> add_subscription(AgentId agent, const SubscriptionOptions& wanted) = 0;
  /// From the next event on.
  virtual void open(SubscriptionId subscription) = 0;
  /// Gets nothing more that is published from now on.
  virtual void close(SubscriptionId subscription) = 0;
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
  /// The names of its durable subscriptions.
  std::vector<std::string> durables() const;
  /// What the handlers that are there want, in their order; from now on the set is fixed.
  std::vector<SubscriptionOptions> freeze();
  /// The same where somebody else says what is subscribed to: each goes to the handler with the narrowest filter that
  /// covers it. Errors: Configuration naming a filter that none covers.
  Result<void> freeze_for(const std::vector<Filter>& subscriptions);
  /// After freeze_for(): the filters of handlers that get nothing.
  std::vector<std::string> unused() const;
  /// After freeze() or freeze_for(): the number of the first subscription; the others follow it.
  void bind(SubscriptionId first);
  /// Instead of freeze() and bind(), in this order: settles answers_at_once() and spec() ...
  void prepare();
  /// ... and, once the node knows the agent, subscribes the handlers that are there, and later ones when they come.
  /// Errors: those of the node.
  Result<void> attach(RunningNode& node, AgentId agent);
  bool answers_at_once() const { return answers_ == Agent::Answers::AtOnce; }
  void start(AgentServices& services);
  void disconnect();
  /// Destroys the handlers. Nothing is delivered any more.
  void end();
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
  enum class Phase : std::uint8_t { Building, Fixed, Attached, Over };
  Result<void> check(const Filter& filter, const HandlerOptions& options) const;
  Result<void> check_late(const std::string& filter, const Handler& handler, const HandlerOptions& options) const;
  Result<void> subscribe(HandlerSlot& slot);
  void settle_answers();

  const std::string node_;
  const std::string name_;
  const AgentOptions options_;
  const std::shared_ptr<PublishTarget> target_;
  const LogSink log_;
  const std::shared_ptr<AnswerLine> line_ = std::make_shared<AnswerLine>();  // shared with answers that are due

  mutable std::mutex mutex_;  // guards what follows, up to the next comment
  Phase phase_ = Phase::Building;
  std::uint32_t next_number_ = 1;
  AgentServices* services_ = nullptr;
  std::string state_ = "running";
  std::map<std::string, std::uint64_t, std::less<>> counted_;  // before there were services

  std::vector<std::shared_ptr<HandlerSlot>> slots_;  // that were not removed
  std::vector<std::shared_ptr<HandlerSlot>> removed_;  // whose number the node still knows
  std::vector<HandlerSlot*> chosen_;  // by freeze() and freeze_for(), in the order of the subscriptions
  std::vector<std::pair<SubscriptionId, HandlerSlot*>> subscribed_;
  RunningNode* running_ = nullptr;
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
