#include <string>

#include <legion/plugin.hpp>

namespace {

// Answers the first greeting.
legion::Result<void> set_up(legion::EmbeddedAgent& agent, const legion::PluginSettings&) {
  const auto added = agent.on("consumer.greeting", [](const legion::EventView& event, legion::Context& context) {
    if (!event.causation_id.empty()) return;
    context.publish(event.to_event());
  });
  if (!added) return std::unexpected(added.error());
  return {};
}

}  // namespace

LEGION_PLUGIN(set_up)
