// A node on the network behind a legion::Node. Internal.
#pragma once

#include <memory>

#include <legion/api/backend.hpp>
#include <legion/api/intake_target.hpp>
#include <legion/runtime/node_host.hpp>

namespace legion {

class NetworkNode final : public Backend, public RunningNode {
 public:
  /// Errors: as Node::create().
  static Result<std::unique_ptr<Backend>> create(NodeOptions options);
  ~NetworkNode() override { end(); }

  const std::string& name() const override { return name_; }
  Result<EmbeddedAgent> add_agent(std::string_view name, AgentOptions options) override;
  Result<void> remove_agent(std::string_view name) override { return agents_.remove(name); }
  const std::shared_ptr<PublishTarget>& target() const override { return agents_.target(); }
  Result<void> start() override;
  bool is_open() const override;
  bool stop() override { return agents_.may_stop() && end(); }
  int ended_fd() const override { return host_->exit_fd(); }
  std::optional<NodeEnd> ended() const override;
  std::string address() const override { return host_->endpoints().control; }
  Statistics statistics() const override;

  Result<AgentId> begin(std::shared_ptr<HandlerTable> table, std::vector<SubscriptionOptions> wanted,
                        const Numbered& numbered) override;
  Result<void> subscribe(AgentId agent, SubscriptionOptions wanted, const Numbered& numbered) override;
  void unsubscribe(SubscriptionId subscription) override;
  void remove(AgentId agent) override;

 private:
  NetworkNode(NodeOptions options, std::unique_ptr<NodeHost> host, std::shared_ptr<IntakeTarget> target, LogSink log);
  void wait_for_start();
  bool end();
  Result<void> check_durables() const;

  enum class Phase : std::uint8_t { Building, Started, Stopped };
  const std::string name_;
  const NodeOptions::Spools spools_;
  const std::shared_ptr<IntakeTarget> intake_target_;  // shared with publishers
  AgentTables agents_;
  std::unique_ptr<NodeHost> host_;
  std::mutex start_mutex_;  // held by start(), by agents that come, and while phase_ changes
  Phase phase_ = Phase::Building;
};

}  // namespace legion
