// Handlers of a family and of one type in it, whose answers say which was called. Settings: fail = "error" | "throw" |
// "late", with a handler there; durable = "NAME", one of that name.
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
  if (wish != settings.end() && wish->second == "late") {
    if (auto added = agent.on("trade.", answering("late")); !added) return std::unexpected(added.error());
  }
  if (wish != settings.end()) return legion::fail(legion::ErrorCode::Configuration, "settings: fail = " + wish->second);
  if (const auto durable = settings.find("durable"); durable != settings.end()) {
    auto added = agent.on("trade.executed", answering("durable"), {.durable = durable->second});
    if (!added) return std::unexpected(added.error());
  }
  for (const char* filter : {"trade.", "trade.approved", "order.requested"}) {
    const std::string who = std::string(filter) == "trade." ? "family" : "type";
    if (auto added = agent.on(filter, answering(who)); !added) return std::unexpected(added.error());
  }
  return {};
}

}  // namespace

LEGION_PLUGIN(set_up)
