// Handlers of a family and of one type in it, whose answers say which was called. Settings: fail = "error" | "throw".
#include <stdexcept>
#include <string>

#include <legion/plugin.hpp>

namespace {

legion::Handler answering(std::string who) {
  return [who](const legion::EventView&, legion::Context& context) {
    legion::Event event;
    event.type = "answer." + who;
    context.publish(event);
  };
}

legion::Result<void> set_up(legion::EmbeddedAgent& agent, const legion::PluginSettings& settings) {
  const auto wish = settings.find("fail");
  if (wish != settings.end() && wish->second == "throw") throw std::runtime_error("thrown in set_up");
  if (wish != settings.end()) return legion::fail(legion::ErrorCode::Configuration, "settings: fail = " + wish->second);
  for (const char* filter : {"trade.", "trade.approved", "order.requested"}) {
    const std::string who = std::string(filter) == "trade." ? "family" : "type";
    if (auto added = agent.on(filter, answering(who)); !added) return std::unexpected(added.error());
  }
  return {};
}

}  // namespace

LEGION_PLUGIN(set_up)
