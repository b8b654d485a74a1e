#include <legion/testing.hpp>

#include <algorithm>
#include <utility>

#include <legion/api/memory_node.hpp>

namespace legion {

struct TestMesh::State {
  explicit State(TestMeshOptions options)
      : now{{options.start.ns}, options.start},
        hand_overs_max(options.hand_overs_max),
        mesh(std::make_shared<MemoryMesh>(MemoryMesh::Options{
            .runs = MemoryMesh::Runs::ByHand,
            .confirms = options.confirms == TestMeshOptions::Confirms::Held ? MemoryMesh::Confirms::Held
                                                                            : MemoryMesh::Confirms::AtOnce,
            .history = MemoryMesh::Options::History::Kept,
            .topics = std::move(options.topics),
            .middleware = std::move(options.middleware),
            .types = std::move(options.types),
            .queue = options.queue,
            .seed = options.seed,
            .clock = [this] { return now; }})) {}

  /// One hand-over, of whichever node's turn it is.
  bool step() {
    const auto nodes = mesh->nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[(turn + i) % nodes.size()]->dispatch().step()) {
        turn = (turn + i + 1) % nodes.size();
        return true;
      }
    }
    return false;
  }

  std::size_t run() {
    if (std::exchange(running, true)) return 0;
    std::size_t hand_overs = 0;
    bool any = true;
    while (any && hand_overs < hand_overs_max) {
      any = mesh->turn();
      any = mesh->run_callbacks() || any;
      if (!step()) continue;
      any = true;
      ++hand_overs;
    }
    idle = !any;
    running = false;
    return hand_overs;
  }

  std::optional<SteadyTime> next_deadline() const {
    std::optional<SteadyTime> next;
    for (MemoryNode* node : mesh->nodes()) {
      if (const auto deadline = node->dispatch().next_deadline()) next = std::min(next.value_or(*deadline), *deadline);
    }
    return next;
  }

  void pass_to(SteadyTime moment) {
    const Duration passed = std::max(moment - now.steady, Duration{0});
    now = {now.steady + passed, now.wall + passed};
    for (MemoryNode* node : mesh->nodes()) node->dispatch().tick();
  }

  std::size_t advance(Duration time) {
    if (running) return 0;
    const SteadyTime end = now.steady + std::max(time, Duration{0});
    std::size_t hand_overs = run();
    for (auto due = next_deadline(); due && *due <= end; due = next_deadline()) {
      // What is due now and stays due would stop time.
      pass_to(std::max(*due, now.steady + Duration{1}));
      hand_overs += run();
    }
    if (now.steady < end) pass_to(end);
    return hand_overs + run();
  }

  Now now;
  const std::size_t hand_overs_max;
  std::shared_ptr<MemoryMesh> mesh;  // shared with its nodes
  std::size_t turn = 0;
  bool running = false;
  bool idle = true;
};

TestMesh::TestMesh(TestMeshOptions options) : state_(std::make_unique<State>(std::move(options))) {}
TestMesh::~TestMesh() = default;

Result<Node> TestMesh::add_node(std::string name) {
  State* state = state_.get();
  auto backend = MemoryNode::create(state->mesh, {.name = std::move(name), .pass = [state](Duration time) {
                                                    if (state->running) return false;  // inside a handler: no waiting
                                                    state->advance(time);
                                                    return true;
                                                  }});
  if (!backend) return std::unexpected(backend.error());
  return Node(std::move(*backend));
}

std::size_t TestMesh::run_until_idle() { return state_->run(); }

bool TestMesh::is_idle() const { return state_->idle; }

std::size_t TestMesh::advance(Duration time) { return state_->advance(time); }

Now TestMesh::now() const { return state_->now; }

std::vector<EventPtr> TestMesh::published(std::string_view filter) const {
  std::vector<EventPtr> events;
  const auto parsed = Filter::parse(filter);
  if (!parsed) return events;
  for (EventPtr& event : state_->mesh->history()) {
    if (parsed->matches(event->type)) events.push_back(std::move(event));
  }
  return events;
}

std::vector<TestLetter> TestMesh::dead_letters() const {
  std::vector<TestLetter> letters;
  for (MemoryMesh::Letter& letter : state_->mesh->letters()) {
    letters.push_back({.event = std::move(letter.event),
                       .agent = std::move(letter.death.agent),
                       .reason = std::string(to_string(letter.death.reason)),
                       .attempts = letter.death.attempts,
                       .error = std::move(letter.death.error)});
  }
  return letters;
}

std::size_t TestMesh::confirm() { return state_->mesh->settle(Confirm::Status::Confirmed); }

std::size_t TestMesh::lose_confirms() { return state_->mesh->settle(Confirm::Status::Unconfirmed); }

}  // namespace legion
