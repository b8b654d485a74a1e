// The roles as nodes of a mesh, with what legion-node does when its configuration says nothing but name and addresses.
#include <iostream>
#include <utility>

#include <legion/config/config.hpp>
#include <legion/daemon/options.hpp>
#include <legion/runtime/node_host.hpp>

#include "roles.hpp"

namespace legion::bench {

namespace {

/// Has no handler: it lends its services to the threads that publish.
class PublishingAgent final : public Agent {
 public:
  explicit PublishingAgent(AgentServices*& services) : services_(services) {}
  void start(AgentServices& services) override {
    services_ = &services;
    services.agent_up();
  }
  std::optional<Outcome> deliver(const Delivery&) override { return Outcome::done(); }
  void stop(Duration) override {}

 private:
  AgentServices*& services_;
};

class MeteringAgent final : public Agent {
 public:
  explicit MeteringAgent(Meters& meters) : meters_(meters) {}
  void start(AgentServices& services) override {
    services_ = &services;
    services.agent_up();
  }
  Answers answers() const override { return Answers::AtOnce; }
  std::optional<Outcome> deliver(const Delivery& delivery) override { return handle(*delivery.event); }
  void stop(Duration) override {}

 private:
  Outcome handle(const EventView& event) {
    meters_.on_arrival(event.data);
    return Outcome::done();
  }

  Meters& meters_;
  AgentServices* services_ = nullptr;
};

Result<NodeConfig> config_of(const RoleSpec& spec) {
  std::string text = "[node]\nname = \"" + spec.name + "\"\nlisten = \"tcp://" + loopback + ":0\"\nstate_dir = \"" +
                     spec.state_dir + "\"\n";
  if (!spec.ports.empty()) text += "join = [\"" + Address{loopback, spec.ports.front()}.uri() + "\"]\n";
  text += spec.topics;
  auto config = parse_config(text, "benchmark", {});
  if (config) return std::move(*config);
  return fail(ErrorCode::Configuration,
              config.error().empty() ? "no configuration" : to_string(config.error().front()));
}

AgentSpec agent_of(const NodeConfig& config, std::string name) {
  AgentConfig agent;
  agent.name = std::move(name);
  agent.host = SinkConfig{};  // like the builtins, it answers before it returns
  agent.mailbox = config.dispatch.mailbox;
  agent.retry = config.retry;
  return agent_spec(agent);
}

void log(LogLevel level, std::string_view text) {
  if (level >= LogLevel::Error) std::cerr << "legion-bench: " << text << '\n';
}

/// Every call publishes the next of the flow's types. The events are made once and filled in anew each time.
class EventOutlet {
 public:
  EventOutlet(AgentServices& services, const FlowSpec& flow) : services_(services) {
    for (const std::string& type : flow.types) {
      Event& event = events_.emplace_back();
      event.type = type;
      event.data = write_payload({});
    }
  }

  Sent send(const Payload& payload) {
    Event& event = events_[next_];
    next_ = next_ + 1 == events_.size() ? 0 : next_ + 1;
    rewrite_payload(event.data, payload);
    switch (services_.publish(event).status) {
      case PublishStatus::Queued: return Sent::Yes;
      case PublishStatus::WouldBlock: return Sent::TryAgain;
      case PublishStatus::TooBig:
      case PublishStatus::Invalid:
      case PublishStatus::Refused:
      case PublishStatus::Closed:
      case PublishStatus::Filtered: return Sent::Failed;
    }
    return Sent::Failed;
  }

 private:
  AgentServices& services_;
  std::vector<Event> events_;
  std::size_t next_ = 0;
};

void add_meters(NodeHost& node, const NodeConfig& config, const RoleSpec& spec, Meters& meters) {
  for (std::size_t begin = 0, end = 0; begin < spec.meters.size(); begin = end) {
    const std::string& name = spec.meters[begin].agent;
    std::vector<SubscriptionOptions> wanted;
    for (; end < spec.meters.size() && spec.meters[end].agent == name; ++end) {
      SubscriptionOptions options;
      options.spec = {*Filter::parse(spec.meters[end].filter), Priority::Normal};
      wanted.push_back(std::move(options));
    }
    node.add_agent(agent_of(config, name), "bench", std::make_unique<MeteringAgent>(meters), std::move(wanted));
  }
}

}  // namespace

int mesh_role(const RoleSpec& spec) {
  const auto config = config_of(spec);
  if (!config) return complain(config.error());
  Meters meters(spec.meters);  // outlives the node
  auto node = NodeHost::create(node_options(*config, "bench"), log);
  if (!node) return complain(node.error());
  AgentServices* services = nullptr;
  if (!spec.flows.empty()) {
    (*node)->add_agent(agent_of(*config, "source"), "bench", std::make_unique<PublishingAgent>(services), {});
  }
  add_meters(**node, *config, spec, meters);
  (*node)->start();
  std::vector<Outlet> outlets;
  for (const FlowSpec& flow : spec.flows) {
    outlets.push_back({flow.number, [outlet = EventOutlet(*services, flow)](const Payload& payload) mutable {
                         return outlet.send(payload);
                       }});
  }
  const std::uint16_t port = parse_address((*node)->endpoints().control, 0).value().port;
  // What is published before the mesh is complete waits in the node's queue: warm-ups, a hundred a second.
  const int code = serve({port}, spec.pace, outlets, meters);
  (*node)->shutdown();
  return code;
}

}  // namespace legion::bench
