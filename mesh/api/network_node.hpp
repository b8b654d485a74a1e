// A node on the network behind a legion::Node. Internal.
#pragma once

#include <memory>

#include <legion/api/backend.hpp>
#include <legion/api/intake_target.hpp>
#include <legion/runtime/node_host.hpp>

namespace legion {

class NetworkNode final : public Backend {
 public:
  /// Errors: as Node::create().
  static Result<std::unique_ptr<Backend>> create(NodeOptions options);
  ~NetworkNode() override { stop(); }

  const std::string& name() const override { return name_; }
  Result<EmbeddedAgent> add_agent(std::string_view name, AgentOptions options) override;
  const std::shared_ptr<PublishTarget>& target() const override { return agents_.target(); }
  Result<void> start() override;
  bool is_open() const override;
  bool stop() override;
  int ended_fd() const override { return host_->exit_fd(); }
  std::optional<NodeEnd> ended() const override;
  std::string address() const override { return host_->endpoints().control; }
  Statistics statistics() const override;

 private:
  NetworkNode(std::string name, std::unique_ptr<NodeHost> host, std::shared_ptr<IntakeTarget> target, LogSink log);
  Result<void> check_durables() const;

  enum class Phase : std::uint8_t { Building, Started, Stopped };
  const std::string name_;
  const std::shared_ptr<IntakeTarget> intake_target_;  // shared with publishers
  AgentTables agents_;
  std::unique_ptr<NodeHost> host_;
  Phase phase_ = Phase::Building;
};

}  // namespace legion
