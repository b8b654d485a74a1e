#include <legion/in_process.hpp>

#include <legion/api/memory_node.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

InProcessMesh::InProcessMesh(InProcessOptions options)
    : drain_timeout_(options.drain_timeout),
      mesh_(std::make_shared<MemoryMesh>(MemoryMesh::Options{.topics = std::move(options.topics),
                                                             .middleware = std::move(options.middleware),
                                                             .types = std::move(options.types),
                                                             .queue = options.queue,
                                                             .seed = static_cast<std::uint64_t>(read_clocks().wall.ns),
                                                             .log = std::move(options.log),
                                                             .clock = [] { return read_clocks(); }})) {}

Result<Node> InProcessMesh::add_node(std::string name, std::size_t workers) {
  auto backend = MemoryNode::create(mesh_, {.name = std::move(name), .workers = workers, .drain_timeout = drain_timeout_});
  if (!backend) return std::unexpected(backend.error());
  return Node(std::move(*backend));
}

}  // namespace legion
