// An agent in a shared object. On a node:
//
//     [[agent]]
//     name = "veto"
//     plugin = "libveto.so"
//     settings = { limit = 10000 }
#include <charconv>
#include <string>

#include <legion/plugin.hpp>
#include <legion/types.hpp>

namespace {

legion::Result<double> limit_of(const legion::PluginSettings& settings) {
  double limit = 10'000;
  for (const auto& [name, value] : settings) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
    if (name == "limit" && error == std::errc{} && end == value.data() + value.size()) continue;
    return legion::fail(legion::ErrorCode::Configuration,
                        "settings: expected limit = NUMBER, found " + name + " = " + value);
  }
  return limit;
}

legion::Result<void> set_up(legion::EmbeddedAgent& agent, const legion::PluginSettings& settings) {
  const auto limit = limit_of(settings);
  if (!limit) return std::unexpected(limit.error());
  const auto judge = [limit = *limit](const legion::OrderRequested& order, legion::Context& context) {
    const double notional = order.quantity * order.price.value_or(0);
    if (notional <= limit) return legion::Outcome::done();
    legion::TradeRejected rejected;
    rejected.symbol = order.symbol;
    rejected.action = order.action;
    rejected.notional = notional;
    rejected.reasons = {"over the limit"};
    if (!context.publish(rejected)) return legion::Outcome::retry("cannot say why");
    return legion::Outcome::stop();
  };
  const auto added = agent.on<legion::OrderRequested>(judge, {.tier = legion::Priority::Critical});
  if (!added) return std::unexpected(added.error());
  return {};
}

}  // namespace

LEGION_PLUGIN(set_up)
