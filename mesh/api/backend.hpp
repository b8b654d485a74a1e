// What stands behind a legion::Node: a node on the network, or one in memory. Internal.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <legion/api/handler_table.hpp>
#include <legion/core/dispatcher_stats.hpp>
#include <legion/node.hpp>
#include <legion/runtime/intake.hpp>

namespace legion {

/// Thread: as Node.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const std::string& name() const = 0;
  virtual Result<EmbeddedAgent> add_agent(std::string_view name, AgentOptions options) = 0;
  virtual Result<void> remove_agent(std::string_view name) = 0;
  virtual const std::shared_ptr<PublishTarget>& target() const = 0;
  virtual Result<void> start() = 0;
  virtual bool is_open() const = 0;
  virtual bool stop() = 0;
  virtual int ended_fd() const = 0;
  virtual std::optional<NodeEnd> ended() const = 0;
  virtual std::string address() const = 0;
  virtual Statistics statistics() const = 0;
};

/// The agents of one node, which every backend has. Thread: any.
class AgentTables {
 public:
  AgentTables(std::string node, std::shared_ptr<PublishTarget> target, LogSink log)
      : node_(std::move(node)), target_(std::move(target)), log_(std::move(log)) {}

  /// Errors: as Node::add_agent(), but for whether agents may still come.
  Result<std::shared_ptr<HandlerTable>> add(std::string_view name, AgentOptions options);
  /// The agent leaves its node, its handlers are destroyed. Errors: NotFound, and as HandlerTable::leave().
  Result<void> remove(std::string_view name);
  const std::shared_ptr<PublishTarget>& target() const { return target_; }
  std::vector<std::shared_ptr<HandlerTable>> all() const;
  /// Whether no two handlers want a durable subscription of one name. Errors: InvalidArgument.
  Result<void> check_durables() const;
  /// Destroys the handlers of all.
  void end();
  /// Whether the node may be stopped on this thread; if not, that is in the log.
  bool may_stop() const;

  Statistics statistics(const DispatcherStats& dispatch, const Intake& intake) const;

 private:
  const std::string node_;
  const std::shared_ptr<PublishTarget> target_;  // shared with publishers
  const LogSink log_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<HandlerTable>> tables_;  // guarded by mutex_; shared with EmbeddedAgent objects
};

}  // namespace legion
