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

void Inbound::on_frame(Now now, const std::shared_ptr<const Frame>& frame, const FrameVerdict& verdict) {
  const std::size_t count = frame->events().size();
  if (verdict.skip >= count) return;
  events_.clear();
  for (std::size_t i = verdict.skip; i < count; ++i) {
    events_.push_back(Frame::event_ptr(frame, i));
    if (on_event) on_event(events_.back());
  }
  targets_.clear();
  for (const LedgerRoute& route : *verdict.routes) {
    if (route.subscription >= dispatcher_of_.size() || !dispatcher_of_[route.subscription]) continue;
    targets_.push_back({*dispatcher_of_[route.subscription], route.booked_from});
  }
  if (targets_.empty()) return;
  offered_ += events_.size();
  if (on_offered) {
    for (const EventPtr& event : events_) on_offered(event);
  }
  pool_.offer(now, events_, verdict.stream, [this](std::size_t index) -> std::span<const Route> {
    const std::uint64_t sequence = events_[index]->sequence;
    routes_.clear();
    for (const Target& target : targets_) {
      routes_.push_back({target.subscription, sequence >= target.booked_from ? Booked::Yes : Booked::No});
    }
    return routes_;
  });
}

Books Inbound::link_books(SubscriptionId subscription) const { return ledger_.books(ledger_of_[subscription.value]); }

}  // namespace legion
