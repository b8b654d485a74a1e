// The same two roles as nodes of a mesh, with the defaults of legion-node.
#include <iostream>

#include <legion/runtime/clock.hpp>
#include <legion/runtime/node.hpp>

#include "roles.hpp"

namespace legion::bench {

namespace {

constexpr std::size_t mailbox_capacity = 10000;  // what [dispatch] capacity is unless it is set

/// Has no handler: it lends its services to the thread that publishes.
class PublishingAgent final : public Agent {
 public:
  explicit PublishingAgent(AgentServices*& services) : services_(services) {}
  void start(AgentServices& services) override {
    services_ = &services;
    services.agent_up();
  }
  void deliver(const Delivery&) override {}
  void stop(Duration) override {}

 private:
  AgentServices*& services_;
};

class MeteringAgent final : public Agent {
 public:
  explicit MeteringAgent(Meter& meter) : meter_(meter) {}
  void start(AgentServices& services) override {
    services_ = &services;
    services.agent_up();
  }
  void deliver(const Delivery& delivery) override {
    meter_.on_arrival(delivery.event->data, read_clocks().steady);
    services_->complete(delivery.task, Outcome::done());
  }
  void stop(Duration) override {}

 private:
  Meter& meter_;
  AgentServices* services_ = nullptr;
};

NodeOptions options_of(const std::string& name, const std::string& state_dir) {
  NodeOptions options;
  options.name = name;
  options.version = "bench";
  options.listen = {loopback, 0};  // a free run of ports
  options.state_dir = state_dir;
  options.local = false;
  return options;
}

std::uint16_t control_port(const Node& node) { return parse_address(node.endpoints().control, 0).value().port; }

AgentSpec agent_spec(const std::string& name) {
  AgentSpec spec;
  spec.name = name;
  for (LaneSpec& lane : spec.lanes) lane.capacity = mailbox_capacity;
  return spec;
}

void log(LogLevel level, std::string_view text) {
  if (level >= LogLevel::Error) std::cerr << "legion-bench: " << text << '\n';
}

Sent send_event(AgentServices& services, const Payload& payload) {
  Event event;
  event.type = event_type;
  event.data = write_payload(payload);
  switch (services.publish(std::move(event)).status) {
    case PublishStatus::Queued: return Sent::Yes;
    case PublishStatus::WouldBlock: return Sent::TryAgain;
    case PublishStatus::TooBig:
    case PublishStatus::Invalid:
    case PublishStatus::Refused:
    case PublishStatus::Closed: return Sent::Failed;
  }
  return Sent::Failed;
}

}  // namespace

int mesh_publisher(Pace pace, const std::string& state_dir, std::uint16_t join_port) {
  NodeOptions options = options_of("publisher", state_dir);
  options.membership.join.push_back(Address{loopback, join_port}.uri());
  auto node = Node::create(std::move(options), log);
  if (!node) return complain(node.error());
  AgentServices* services = nullptr;
  (*node)->add_agent(agent_spec("source"), "bench", std::make_unique<PublishingAgent>(services), {});
  (*node)->start();
  // What is published before the mesh is complete waits in the node's queue: warm-ups, a hundred a second.
  say_ready(control_port(**node));
  const int code = drive_publisher(pace, [&](const Payload& payload) { return send_event(*services, payload); });
  (*node)->shutdown();
  return code;
}

int mesh_subscriber(const std::string& state_dir) {
  auto node = Node::create(options_of("subscriber", state_dir), log);
  if (!node) return complain(node.error());
  Meter meter;
  std::vector<SubscriptionSpec> wanted{{*Filter::parse(event_type), Priority::Normal}};
  (*node)->add_agent(agent_spec("meter"), "bench", std::make_unique<MeteringAgent>(meter), std::move(wanted));
  (*node)->start();
  say_ready(control_port(**node));
  const int code = answer_reports(meter);
  (*node)->shutdown();
  return code;
}

}  // namespace legion::bench
