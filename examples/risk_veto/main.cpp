// A risk agent with a veto: a gate stands before the node, and what it stops nobody below it ever sees.
#include <atomic>
#include <iostream>
#include <string>

#include <legion/in_process.hpp>
#include <legion/types.hpp>

namespace {

constexpr double notional_max = 10'000;

legion::Outcome judge(const legion::OrderRequested& order, legion::Context& context) {
  const double notional = order.quantity * order.price.value_or(0);
  if (notional <= notional_max) return legion::Outcome::done();
  legion::TradeRejected rejected;
  rejected.symbol = order.symbol;
  rejected.action = order.action;
  rejected.notional = notional;
  rejected.reasons = {"more than " + std::to_string(static_cast<int>(notional_max)) + " at once"};
  // In doubt nothing passes: an order that is stopped without being told of is tried again, as a failed attempt.
  if (!context.publish(rejected)) return legion::Outcome::retry("cannot say why");
  return legion::Outcome::stop();
}

}  // namespace

int main() {
  legion::InProcessMesh mesh;
  auto node = mesh.add_node("desk");
  auto risk = node->add_agent("risk");
  auto desk = node->add_agent("execution");
  auto audit = node->add_agent("audit");

  std::atomic<int> executed{0};
  std::atomic<int> rejected{0};
  const auto gate = risk->on<legion::OrderRequested>(&judge, {.tier = legion::Priority::Critical});
  const auto execution = desk->on<legion::OrderRequested>([&](const legion::OrderRequested& order) {
    std::cout << "executed: " << order.action << ' ' << order.quantity << ' ' << order.symbol << '\n';
    ++executed;
  });
  const auto told = audit->on<legion::TradeRejected>([&](const legion::TradeRejected& why) {
    std::cout << "rejected: " << why.symbol << ", " << why.reasons->front() << '\n';
    ++rejected;
  });
  if (!gate || !execution || !told || !node->start()) return 1;

  const legion::Publisher strategy = node->publisher("strategy");
  for (const double quantity : {0.1, 5.0, 0.2}) {
    legion::OrderRequested order;
    order.symbol = "XBT/USDT";
    order.action = "buy";
    order.quantity = quantity;
    order.price = 42'000;
    // An order is of a confirmed type: the confirm says that the mesh has it.
    if (!strategy.publish_confirmed(legion::make_event(order)).get()) return 1;
  }
  node->stop();  // handles what is held, and what comes of it
  return executed == 2 && rejected == 1 ? 0 : 1;
}
