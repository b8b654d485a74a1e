// What DurableKit checks after every step.
#include <gtest/gtest.h>

#include "durable_kit.hpp"

namespace legion::test {

void DurableKit::replay(SubscriptionId subscription, const FramePtr& frame) {
  const Route route{.subscription = subscription};
  replayed[subscription.value] += frame->header().event_count;
  constexpr StreamKey of_replays = 5;
  dispatcher.on_run(now, frame, 0, frame->header().event_count, of_replays, {&route, 1});
}

void DurableKit::check() {
  if (const auto fault = durable.check()) ADD_FAILURE() << "durable: " << *fault;
  if (const auto fault = dispatcher.check_conservation()) ADD_FAILURE() << "dispatcher: " << *fault;
  for (const DurableFigures& figures : durable.figures(0)) {
    const Books all = books(figures.subscription);
    if (all.balance() != 0) ADD_FAILURE() << "the books of " << figures.name << " are off by " << all.balance();
  }
}

Books DurableKit::books(SubscriptionId subscription) const {
  Books all = dispatcher.books(subscription);
  const auto replays = replayed.find(subscription.value);
  all.published = replays == replayed.end() ? 0 : replays->second;
  return all += durable.books(subscription);
}

}  // namespace legion::test
