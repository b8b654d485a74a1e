#include "topics.hpp"

#include <algorithm>

namespace legion::sim {

std::uint32_t Topics::child(std::uint32_t parent, std::uint8_t byte) const {
  std::uint32_t at = nodes_[parent].first_child;
  while (at != none && nodes_[at].byte != byte) at = nodes_[at].next;
  return at;
}

std::uint32_t Topics::make_child(std::uint32_t parent, std::uint8_t byte) {
  std::uint32_t made = 0;
  if (free_.empty()) {
    made = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    made = free_.back();
    free_.pop_back();
  }
  nodes_[made] = Node{parent, none, nodes_[parent].first_child, byte, {}};
  nodes_[parent].first_child = made;
  return made;
}

bool Topics::add(std::string_view prefix, Pipe& pipe) {
  std::uint32_t at = root;
  for (const char c : prefix) {
    const auto byte = static_cast<std::uint8_t>(c);
    const std::uint32_t next = child(at, byte);
    at = next != none ? next : make_child(at, byte);
  }
  auto& pipes = nodes_[at].pipes;
  const bool first = pipes.empty();
  if (std::ranges::find(pipes, &pipe) == pipes.end()) pipes.push_back(&pipe);
  return first;
}

Topics::Removed Topics::remove(std::string_view prefix, Pipe& pipe) {
  std::uint32_t at = root;
  for (const char c : prefix) {
    at = child(at, static_cast<std::uint8_t>(c));
    if (at == none) return Removed::NotFound;
  }
  auto& pipes = nodes_[at].pipes;
  if (std::erase(pipes, &pipe) == 0) return Removed::NotFound;
  if (!pipes.empty()) return Removed::OthersRemain;
  prune(at);
  return Removed::LastOne;
}

void Topics::prune(std::uint32_t node) {
  while (node != root && nodes_[node].pipes.empty() && nodes_[node].first_child == none) {
    const std::uint32_t parent = nodes_[node].parent;
    std::uint32_t* link = &nodes_[parent].first_child;
    while (*link != node) link = &nodes_[*link].next;
    *link = nodes_[node].next;
    nodes_[node] = Node{};
    free_.push_back(node);
    node = parent;
  }
}

}  // namespace legion::sim
