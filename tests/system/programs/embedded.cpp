// A program with a node of its own that does what standard input says, one command a line, and answers each:
//
//     on TYPE             a handler of agent main                  -> on NUMBER
//     off NUMBER          it is removed                            -> off
//     agent NAME TYPE     an agent with a coroutine of that type   -> agent
//     gone NAME           it is removed                            -> gone
//     publish TYPE COUNT                                           -> published COUNT
//
// or `error TEXT`. It begins with `at ADDRESS` and ends, drained, with its input.
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>

#include <legion/node.hpp>

namespace {

std::string error(const legion::Error& error) { return "error " + error.message; }

std::string carry_out(legion::Node& node, std::istream& words) {
  std::string verb;
  std::string name;
  words >> verb >> name;
  if (verb == "on") {
    const auto added = node.on(name, [](const legion::EventView&) {});
    return added ? "on " + std::to_string(added->value) : error(added.error());
  }
  if (verb == "off") {
    const auto removed = node.remove({static_cast<std::uint32_t>(std::stoul(name))});
    return removed ? "off" : error(removed.error());
  }
  if (verb == "agent") {
    std::string type;
    words >> type;
    const auto agent = node.add_agent(name);
    if (!agent) return error(agent.error());
    const auto added = agent->on(type, [](const legion::EventView&) -> legion::Async<void> { co_return; });
    return added ? "agent" : error(added.error());
  }
  if (verb == "gone") {
    const auto removed = node.remove_agent(name);
    return removed ? "gone" : error(removed.error());
  }
  if (verb == "publish") {
    std::size_t count = 0;
    words >> count;
    legion::Event event;
    event.type = name;
    for (std::size_t i = 0; i < count; ++i) {
      if (auto result = node.publisher().publish_with_retry(event); !result) return "error " + result.detail;
    }
    return "published " + std::to_string(count);
  }
  return "error no such command: " + verb;
}

}  // namespace

/// embedded_program NAME STATE_DIR JOIN
int main(int argc, char** argv) {
  if (argc != 4) return 64;
  auto node = legion::Node::create({.name = argv[1],
                                    .join = {argv[3]},
                                    .state_dir = argv[2],
                                    .spools = legion::NodeOptions::Spools::None,
                                    .log = [](legion::LogLevel, std::string_view text) { std::cerr << text << '\n'; }});
  if (!node) {
    std::cerr << node.error().message << '\n';
    return 1;
  }
  if (auto started = node->start(); !started) {
    std::cerr << started.error().message << '\n';
    return 1;
  }
  std::cout << "at " << node->address() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::cout << carry_out(*node, words) << std::endl;
  }
  return node->stop() ? 0 : 2;
}
