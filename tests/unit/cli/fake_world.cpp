#include "fake_world.hpp"

namespace legion::cli {
namespace {

class FakeConnection : public NodeConnection {
 public:
  explicit FakeConnection(FakeNode& node) : node_(node) {}
  Result<Bytes> call(std::string_view method, BytesView params, Duration) override {
    const auto found = node_.methods.find(std::string(method));
    if (found == node_.methods.end()) return fail(ErrorCode::NotFound, "no such method");
    return found->second(params);
  }

 private:
  FakeNode& node_;
};

class FakeStream : public EventStream {
 public:
  explicit FakeStream(FakeWorld& world) : world_(world) {}
  void run_once(Duration wait, const ObserverHandler& handler) override {
    if (world_.turns.empty()) {
      world_.wait(wait);
      return;
    }
    const auto turn = std::move(world_.turns.front());
    world_.turns.pop_front();
    turn(handler);
  }
  std::vector<Member> members() const override { return world_.members; }

 private:
  FakeWorld& world_;
};

}  // namespace

Result<std::unique_ptr<NodeConnection>> FakeWorld::connect(const Address& address) {
  connected.push_back(address.host_port());
  const auto found = nodes.find(address.host_port());
  if (found == nodes.end()) return fail(ErrorCode::Unreachable, address.host_port() + ": connection refused");
  return std::make_unique<FakeConnection>(found->second);
}

Result<std::unique_ptr<SpoolAsk>> FakeWorld::connect_spool(const Address& address) {
  return fail(ErrorCode::Unreachable, address.host_port() + ": connection refused");
}

Result<std::unique_ptr<EventStream>> FakeWorld::observe(ObserverOptions options, LogSink) {
  observed = std::move(options);
  if (observe_error) return std::unexpected(*observe_error);
  return std::make_unique<FakeStream>(*this);
}

Ran run(FakeWorld& world, const std::vector<std::string>& arguments, const std::string& input, Terminal terminal,
        std::size_t columns) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const bool on_terminal = terminal == Terminal::Yes;
  Console console{in, out, err, on_terminal, columns, on_terminal, on_terminal};
  const int code = run_cli(arguments, console, world);
  return {code, out.str(), err.str()};
}

EventPtr make_event(const std::string& type, Priority priority, const std::string& json, const std::string& source,
                    const std::string& key) {
  struct Owned {
    std::string type, source, key;
    Bytes data;
    EventView view;
  };
  auto owned = std::make_shared<Owned>();
  owned->type = type;
  owned->source = source;
  owned->key = key;
  owned->data = data_from_json(json).value();
  EventView& view = owned->view;
  view.type = owned->type;
  view.origin = "alpha";
  view.incarnation = 7;
  view.lane = priority;
  view.sequence = 1;
  view.time = {1'762'795'433'971'000'000};
  view.source = owned->source;
  view.key = owned->key;
  view.data = owned->data;
  return {owned, &owned->view};
}

}  // namespace legion::cli
