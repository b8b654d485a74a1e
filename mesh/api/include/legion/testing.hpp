// For tests of agents: a mesh in memory whose time stands still until the test lets it pass.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <legion/node.hpp>

namespace legion {

struct TestMeshOptions {
  WallTime start{1'767'225'600'000'000'000};  ///< what the clock shows to begin with: 2026-01-01
  std::vector<TopicRule> topics{};            ///< as NodeOptions::topics
  std::vector<MiddlewareSpec> middleware{};   ///< of every node, each with steps of its own; by the clock of this mesh
  std::vector<EventSchema> types{};           ///< as NodeOptions::types
  /// Held: events of confirmed types wait for TestMesh::confirm(), and those that are delivered after the confirm are
  /// delivered then.
  enum class Confirms : std::uint8_t { AtOnce, Held } confirms = Confirms::AtOnce;
  std::array<std::size_t, 4> queue{8192, 8192, 8192, 8192};  ///< events that publish() takes between two runs
  std::uint64_t seed = 1;  ///< of the jitter of retries
  std::size_t hand_overs_max = 1'000'000;  ///< of one run
};

/// An event that no handler of a subscription took in the end.
struct TestLetter {
  EventPtr event{};
  std::string agent{};  ///< its name
  /// "handler_error", "rejected", "gate_failed", "undecodable", "expired", "schema", "unknown_version"
  std::string reason{};
  std::uint32_t attempts = 0;
  std::string error{};  ///< the last one
};

/// Nodes as a program has them, without threads: everything happens inside run_until_idle() and advance(), in an order
/// that is the same in every run. Handlers, coroutines and callbacks of confirms run there, on the test's thread.
/// It knows no network and no spool: a durable subscription is a plain one with a large mailbox, and a confirm is given
/// as TestMeshOptions::confirms says.
///
/// Thread: one, and not from inside handlers, now() excepted. Ownership: the nodes are to be gone first.
class TestMesh {
 public:
  explicit TestMesh(TestMeshOptions options = {});
  ~TestMesh();
  TestMesh(const TestMesh&) = delete;
  TestMesh& operator=(const TestMesh&) = delete;

  /// Errors: InvalidArgument (the name, or it is taken; a declaration among the types; the middleware). To be started as
  /// any node.
  Result<Node> add_node(std::string name);

  /// Handles what there is to handle at this moment, and what comes of it. How many times handlers were called.
  /// Bounds: after hand_overs_max it stops, and is_idle() is false: two agents that answer each other for ever.
  std::size_t run_until_idle();
  bool is_idle() const;
  /// Lets time pass, stopping for everything that is due meanwhile (retries, time-outs), and runs until idle at each
  /// stop and in the end. How many times handlers were called.
  std::size_t advance(Duration time);
  Now now() const;

  /// Every event published so far that matches, oldest first. Errors in `filter`: nothing matches.
  std::vector<EventPtr> published(std::string_view filter = "*") const;
  /// As structs; what does not decode is left out.
  template <TypedEvent T>
  std::vector<T> published() const {
    std::vector<T> values;
    for (const EventPtr& event : published(T::schema.type)) {
      if (auto value = decode_data<T>(*event)) values.push_back(std::move(*value));
    }
    return values;
  }
  std::vector<TestLetter> dead_letters() const;

  /// Of Confirms::Held: all that wait are confirmed, and delivered where that was what they waited for. How many.
  std::size_t confirm();
  /// ... or never will be, as if the node had stopped first: Confirm::Status::Unconfirmed.
  std::size_t lose_confirms();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
