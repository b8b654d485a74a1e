// Agents and subscriptions that come and go while the loop runs.
#include <span>

#include <legion/base/assert.hpp>
#include <legion/runtime/node_loop.hpp>

namespace legion {

Result<void> NodeLoop::is_open_to_agents() const {
  if (quiesce_ || closed_to_agents_ || fenced_) return fail(ErrorCode::Closed, "the node is stopping");
  return {};
}

Result<void> NodeLoop::takes_agents() const {
  if (!streams_) return fail(ErrorCode::WouldBlock, "the node is starting");
  return is_open_to_agents();
}

void NodeLoop::route(std::size_t subscription) {
  streams_->inbound.route({.subscription = {static_cast<std::uint32_t>(subscription)},
                           .filter = setup_.filters[subscription],
                           .tier = setup_.handlers[subscription].tier,
                           .replays = setup_.replays[subscription]});
  streams_->reader->subscribe(setup_.filters[subscription]);
  if (setup_.replays[subscription]) streams_->reader->subscribe(*setup_.replays[subscription]);
}

void NodeLoop::begin_subscriptions(std::size_t first) {
  if (!streams_) return;  // open_streams() begins all
  for (std::size_t i = first; i < setup_.filters.size(); ++i) {
    streams_->durable.subscriptions().add_handler(setup_.handlers[i]);
    if (!setup_.handlers[i].durable.empty() && !streams_->inbound.ask_durable) watch_durable();
    route(i);
  }
  streams_->groups.add(GroupHost::memberships(std::span(setup_.handlers).subspan(first),
                                              streams_->durable.setup().self, setup_.boot));
  streams_->reader->sync_all(now_);
  streams_->durable.on_tick(now_);
}

void NodeLoop::end_subscription(SubscriptionId subscription) {
  if (!streams_) return ended_early_.push_back(subscription);
  if (streams_->inbound.unroute(subscription) == Inbound::Was::Over) return;
  streams_->reader->unsubscribe(setup_.filters[subscription.value]);
  const auto& replays = setup_.replays[subscription.value];
  if (replays) streams_->reader->unsubscribe(*replays);
}

void NodeLoop::begin_again(SubscriptionId subscription) {
  const std::size_t i = subscription.value;
  streams_->inbound.route_again({.subscription = subscription,
                                 .filter = setup_.filters[i],
                                 .tier = setup_.handlers[i].tier,
                                 .replays = setup_.replays[i]});
  streams_->reader->subscribe(setup_.filters[i]);
  if (setup_.replays[i]) streams_->reader->subscribe(*setup_.replays[i]);
  streams_->reader->sync_all(now_);
}

void NodeLoop::run_on_loop(std::function<void()> task, Last last) {
  struct Order {
    std::mutex mutex;  // held while the task runs: it may refer to what lies on the caller's stack
    std::function<void()> task;
    Latch done;
  };
  const auto order = std::make_shared<Order>();  // the loop may come to it after this has given up
  order->task = std::move(task);
  post([this, last, order] {
    const std::lock_guard lock(order->mutex);
    if (order->task) order->task();
    if (last == Last::Yes) closed_to_agents_ = true;
    order->done.set();
  });
  while (!stopping_.load(std::memory_order_acquire) && !order->done.wait(100ms)) {
  }
  const std::lock_guard lock(order->mutex);
  order->task = nullptr;
}

}  // namespace legion
