#include <legion/node.hpp>

#include <legion/api/backend.hpp>
#include <legion/api/network_node.hpp>

namespace legion {

Result<Node> Node::create(NodeOptions options) {
  auto backend = NetworkNode::create(std::move(options));
  if (!backend) return std::unexpected(backend.error());
  return Node(std::move(*backend));
}

Node::Node(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Result<EmbeddedAgent> Node::add_agent(std::string_view name, AgentOptions options) {
  return backend_->add_agent(name, options);
}

Result<void> Node::remove_agent(std::string_view name) {
  auto removed = backend_->remove_agent(name);
  if (removed && main_ && main_->name() == name) main_.reset();
  return removed;
}

Result<HandlerId> Node::on(std::string_view filter, Handler handler, HandlerOptions options) {
  if (!main_) {
    auto added = add_agent("main");
    if (!added) return std::unexpected(added.error());
    main_ = std::move(*added);
  }
  return main_->on(filter, std::move(handler), std::move(options));
}

Result<void> Node::remove(HandlerId handler) {
  if (!main_) return fail(ErrorCode::NotFound, "agent main has no handler " + std::to_string(handler.value));
  return main_->remove(handler);
}

Publisher Node::publisher(std::string_view name) const { return {backend_->target(), std::string(name)}; }

Result<void> Node::start() { return backend_->start(); }

bool Node::is_open() const { return backend_->is_open(); }

bool Node::stop() { return backend_->stop(); }

int Node::ended_fd() const { return backend_->ended_fd(); }

std::optional<NodeEnd> Node::ended() const { return backend_->ended(); }

std::string Node::address() const { return backend_->address(); }

const std::string& Node::name() const { return backend_->name(); }

Statistics Node::statistics() const { return backend_->statistics(); }

}  // namespace legion
