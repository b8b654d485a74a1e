// A program that takes an agent from a shared object, as legion-node does.
#include <iostream>

#include <legion/plugin.hpp>
#include <legion/testing.hpp>
#include <legion/types.hpp>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: example_plugin_host LIBVETO.so\n";
    return 64;
  }
  legion::TestMesh mesh;
  auto node = mesh.add_node("desk");
  const auto veto = legion::load_plugin(*node, "veto", argv[1], {{"limit", "500"}});
  if (!veto) {
    std::cerr << veto.error().message << '\n';
    return 1;
  }
  int executed = 0;
  const auto desk = node->on<legion::OrderRequested>([&](const legion::OrderRequested&) { ++executed; });
  if (!desk || !node->start()) return 1;
  for (const double quantity : {1.0, 9.0, 2.0}) {
    legion::OrderRequested order;
    order.symbol = "XBT/USDT";
    order.action = "buy";
    order.quantity = quantity;
    order.price = 100;
    node->publisher().publish(order);
  }
  mesh.run_until_idle();
  std::cout << executed << " of 3 orders passed, " << mesh.published("trade.rejected").size() << " rejected\n";

  // What is wrong with a plugin is said before anything runs.
  for (const auto& [path, settings] :
       {std::pair{"nowhere.so", legion::PluginSettings{}}, std::pair{"/proc/self/exe", legion::PluginSettings{}},
        std::pair{static_cast<const char*>(argv[1]), legion::PluginSettings{{"limit", "much"}}}}) {
    auto other = mesh.add_node("other");
    const auto refused = legion::load_plugin(*other, "veto", path, settings);
    if (refused) return 1;
    std::cout << "refused: " << refused.error().message << '\n';
  }
  return executed == 2 && mesh.published("trade.rejected").size() == 1 ? 0 : 1;
}
