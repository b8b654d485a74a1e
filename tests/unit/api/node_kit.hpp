// Nodes for tests of the library: in memory, by hand, and on real sockets, told apart by nothing but their type.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/poll.hpp"

#include <legion/in_process.hpp>
#include <legion/node.hpp>
#include <legion/testing.hpp>

namespace legion::test {

struct Call {
  std::uint64_t number = 0;
  static constexpr auto schema =
      event_schema("test.call", 1, "A call.", data_field("number", &Call::number, "counts from 1"));
};

struct Answer {
  std::uint64_t number = 0;
  static constexpr auto schema =
      event_schema("test.answer", 1, "The answer.", data_field("number", &Answer::number, "that of the call"));
};

inline Event plain(std::string type, std::string key = {}) {
  Event event;
  event.type = std::move(type);
  event.key = std::move(key);
  return event;
}

/// Without a node there is no test.
inline Node made(Result<Node> node) {
  if (!node) throw std::runtime_error(node.error().message);
  return std::move(*node);
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-api-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Of a node on real sockets in a mesh without a spool; a busy machine is not suspected.
inline NodeOptions network_options(const std::string& name, const std::filesystem::path& folder) {
  NodeOptions options;
  options.name = name;
  options.state_dir = folder / name;
  options.heartbeat_interval = 100ms;
  options.suspect_after = 5s;
  options.dead_after = 20s;
  options.spools = NodeOptions::Spools::None;
  return options;
}

struct WorldOptions {
  std::vector<TopicRule> topics{};
  std::vector<EventSchema> types{};
  Duration drain_timeout = 10s;
  LogSink log{};
};

/// Threads, no network.
class MemoryWorld {
 public:
  explicit MemoryWorld(const WorldOptions& options = {})
      : mesh_({.topics = options.topics,
               .types = options.types,
               .drain_timeout = options.drain_timeout,
               .log = options.log}) {}
  Node node(std::string name) { return made(mesh_.add_node(std::move(name))); }
  template <class Condition>
  bool eventually(Condition condition) {
    return test::eventually(condition);
  }

 private:
  InProcessMesh mesh_;
};

/// No threads: what is to happen happens while a condition is waited for.
class HandWorld {
 public:
  explicit HandWorld(const WorldOptions& options = {}) : mesh_({.topics = options.topics, .types = options.types}) {}
  Node node(std::string name) { return made(mesh_.add_node(std::move(name))); }
  template <class Condition>
  bool eventually(Condition condition) {
    mesh_.advance(1s);
    return condition();
  }

 private:
  TestMesh mesh_;
};

/// Real sockets; each node after the first joins it.
class NetworkWorld {
 public:
  explicit NetworkWorld(WorldOptions options = {}) : options_(std::move(options)) {}
  Node node(const std::string& name) {
    NodeOptions wanted = network_options(name, folder_.path());
    wanted.topics = options_.topics;
    wanted.types = options_.types;
    wanted.drain_timeout = options_.drain_timeout;
    wanted.log = options_.log;
    if (!first_.empty()) wanted.join = {first_};
    Node node = made(Node::create(std::move(wanted)));
    if (first_.empty()) first_ = node.address();
    return node;
  }
  template <class Condition>
  bool eventually(Condition condition) {
    return test::eventually(condition);
  }

 private:
  WorldOptions options_;
  TemporaryFolder folder_;
  std::string first_;
};

struct WorldNames {
  template <class World>
  static std::string GetName(int) {
    if (std::is_same_v<World, MemoryWorld>) return "InMemory";
    return std::is_same_v<World, HandWorld> ? "ByHand" : "OnTheNetwork";
  }
};

}  // namespace legion::test
