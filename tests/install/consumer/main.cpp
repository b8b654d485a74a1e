#include <filesystem>
#include <iostream>
#include <string>

#include <legion/node.hpp>
#include <legion/plugin.hpp>
#include <legion/testing.hpp>
#include <legion/types.hpp>

namespace {

struct Greeting {
  std::string text;
  static constexpr auto schema = legion::event_schema("consumer.greeting", 1, "Somebody says hello.",
                                                      legion::data_field("text", &Greeting::text, "what was said"));
};

int complain(const legion::Error& error) {
  std::cerr << legion::to_string(error.code) << ": " << error.message << '\n';
  return 1;
}

}  // namespace

/// consumer STATE_DIR [PLUGIN]
int main(int argc, char** argv) {
  if (argc < 2) return 64;
  legion::TestMesh mesh;
  auto tested = mesh.add_node("desk");
  std::string heard;
  if (auto on = tested->on<Greeting>([&](const Greeting& greeting) { heard = greeting.text; }); !on) {
    return complain(on.error());
  }
  if (argc > 2) {
    if (auto loaded = legion::load_plugin(*tested, "plugin", argv[2]); !loaded) return complain(loaded.error());
  }
  if (auto started = tested->start(); !started) return complain(started.error());
  tested->publisher().publish(Greeting{"hello"});
  mesh.run_until_idle();
  if (heard != "hello") return 2;
  if (argc > 2 && mesh.published<Greeting>().size() != 2) return 3;

  legion::NodeOptions options;
  options.name = "consumer";
  options.state_dir = argv[1];
  auto node = legion::Node::create(options);
  if (!node) return complain(node.error());
  if (auto started = node->start(); !started) return complain(started.error());
  std::cout << "legion " << legion::product_version() << " at " << node->address() << '\n';
  return node->stop() ? 0 : 4;
}
