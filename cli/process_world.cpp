#include <legion/cli/process_world.hpp>

#include <cstdlib>

#include <legion/cli/asked_spool.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/control_connection.hpp>

extern char** environ;

namespace legion::cli {
namespace {

class MeshConnection : public NodeConnection {
 public:
  explicit MeshConnection(std::unique_ptr<ControlConnection> connection) : connection_(std::move(connection)) {}
  Result<Bytes> call(std::string_view method, BytesView params, Duration timeout) override {
    return connection_->call(method, params, timeout);
  }

 private:
  std::unique_ptr<ControlConnection> connection_;
};

class MeshStream : public EventStream {
 public:
  explicit MeshStream(std::unique_ptr<Observer> observer) : observer_(std::move(observer)) {}
  void run_once(Duration wait, const ObserverHandler& handler) override { observer_->run_once(wait, handler); }
  std::vector<Member> members() const override { return observer_->members(); }

 private:
  std::unique_ptr<Observer> observer_;
};

}  // namespace

std::optional<std::string> ProcessWorld::variable(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::vector<std::pair<std::string, std::string>> ProcessWorld::environment() const {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

Result<std::unique_ptr<NodeConnection>> ProcessWorld::connect(const Address& address) {
  auto connection = ControlConnection::open(address);
  if (!connection) return std::unexpected(connection.error());
  return std::make_unique<MeshConnection>(std::move(*connection));
}

Result<std::unique_ptr<SpoolAsk>> ProcessWorld::connect_spool(const Address& address) { return open_spool_ask(address); }

Result<std::unique_ptr<EventStream>> ProcessWorld::observe(ObserverOptions options, LogSink log) {
  auto observer = Observer::open(std::move(options), std::move(log));
  if (!observer) return std::unexpected(observer.error());
  return std::make_unique<MeshStream>(std::move(*observer));
}

Now ProcessWorld::now() { return read_clocks(); }

}  // namespace legion::cli
