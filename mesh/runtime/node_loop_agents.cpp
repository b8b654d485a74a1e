// Agents and subscriptions that come and go while the loop runs.
#include <legion/runtime/node_loop.hpp>

namespace legion {

Result<void> NodeLoop::takes_agents() const {
  if (!streams_) return fail(ErrorCode::WouldBlock, "the node is starting");
  if (quiesce_ || closed_to_agents_ || fenced_) return fail(ErrorCode::Closed, "the node is stopping");
  return {};
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
  for (std::size_t i = first; i < setup_.filters.size(); ++i) {
    streams_->durable.subscriptions().add_handler(setup_.handlers[i]);
    if (!setup_.handlers[i].durable.empty() && !streams_->inbound.ask_durable) watch_durable();
    route(i);
  }
  streams_->reader->sync_all(now_);
  streams_->durable.on_tick(now_);
}

void NodeLoop::end_subscription(SubscriptionId subscription) {
  streams_->inbound.unroute(subscription);
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
  const auto done = std::make_shared<Latch>();  // the loop may run it after this has given up
  post([this, task = std::move(task), last, done] {
    if (task) task();
    if (last == Last::Yes) closed_to_agents_ = true;
    done->set();
  });
  while (!stopping_.load(std::memory_order_acquire) && !done->wait(100ms)) {
  }
}

}  // namespace legion
