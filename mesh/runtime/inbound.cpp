#include <legion/runtime/inbound.hpp>

#include <legion/base/assert.hpp>

namespace legion {

Inbound::Inbound(Ledger& ledger, DispatchPool& pool) : ledger_(ledger), pool_(pool) {}

void Inbound::route(SubscriptionId subscription, const Filter& filter) {
  LEGION_ASSERT(subscription.value == ledger_of_.size());
  const LedgerSubscription number = ledger_.add_subscription(filter);
  ledger_of_.push_back(number);
  if (dispatcher_of_.size() <= number) dispatcher_of_.resize(number + 1);
  dispatcher_of_[number] = subscription;
}

void Inbound::on_frame(Now now, const FramePtr& frame, const FrameVerdict& verdict) {
  const std::uint32_t count = frame->header().event_count;
  if (verdict.skip >= count) return;
  if (on_new) on_new(frame, verdict.skip);
  routes_.clear();
  for (const LedgerRoute& route : *verdict.routes) {
    if (route.subscription >= dispatcher_of_.size() || !dispatcher_of_[route.subscription]) continue;
    const SubscriptionId subscription = *dispatcher_of_[route.subscription];
    DurableAnswer durable;
    if (ask_durable) durable = ask_durable(subscription, frame, verdict.skip, verdict.stream);
    if (durable.when == Durable::Later) continue;
    routes_.push_back({subscription, route.booked_from, durable.stream});
  }
  if (routes_.empty()) return;
  offered_ += count - verdict.skip;
  if (on_offered) on_offered(frame, verdict.skip);
  pool_.offer(now, frame, verdict.skip, verdict.stream, routes_);
}

void Inbound::all_link_books(std::vector<Books>& out) const {
  std::vector<Books> by_ledger;
  ledger_.all_books(by_ledger);
  out.clear();
  for (const LedgerSubscription number : ledger_of_) out.push_back(by_ledger[number]);
}

}  // namespace legion
