#include <legion/runtime/inbound.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion {

namespace {

constexpr std::uint64_t outside_the_books = ~std::uint64_t{0};

}  // namespace

Inbound::Inbound(Ledger& ledger, DispatchPool& pool) : ledger_(ledger), pool_(pool) {}

void Inbound::route(const Wanted& wanted) {
  LEGION_ASSERT(wanted.subscription.value == numbers_.size());
  Numbers numbers{.live = add(wanted.subscription, wanted.filter), .replays = {}, .over = {}};
  if (wanted.replays) numbers.replays = add(wanted.subscription, *wanted.replays);
  numbers_.push_back(numbers);
  if (wanted.tier == Priority::Critical) gates_.push_back({wanted.subscription, wanted.filter});
}

Inbound::Was Inbound::unroute(SubscriptionId subscription) {
  Numbers& numbers = numbers_[subscription.value];
  if (std::ranges::find(numbers.over, numbers.live) != numbers.over.end()) return Was::Over;
  const auto end = [&](LedgerSubscription number) {
    ledger_.remove_subscription(number);
    dispatcher_of_[number].reset();
    numbers.over.push_back(number);
  };
  end(numbers.live);
  if (numbers.replays) end(*numbers.replays);
  numbers.replays.reset();
  std::erase_if(gates_, [&](const Gate& gate) { return gate.subscription == subscription; });
  return Was::Routed;
}

void Inbound::route_again(const Wanted& wanted) {
  Numbers& numbers = numbers_[wanted.subscription.value];
  LEGION_ASSERT(!numbers.over.empty());
  numbers.live = add(wanted.subscription, wanted.filter);
  if (wanted.replays) numbers.replays = add(wanted.subscription, *wanted.replays);
}

LedgerSubscription Inbound::add(SubscriptionId subscription, const Filter& filter) {
  const LedgerSubscription number = ledger_.add_subscription(filter);
  if (dispatcher_of_.size() <= number) dispatcher_of_.resize(number + 1);
  dispatcher_of_[number] = subscription;
  return number;
}

void Inbound::on_frame(Now now, const FramePtr& frame, const FrameVerdict& verdict) {
  const std::uint32_t count = frame->header().event_count;
  if (verdict.skip >= count) return;
  if (on_new) on_new(frame, verdict.skip);
  if (is_reserved(frame->header().type)) return on_replay(now, frame, verdict);
  routes_.clear();
  for (const LedgerRoute& route : *verdict.routes) {
    if (route.subscription >= dispatcher_of_.size() || !dispatcher_of_[route.subscription]) continue;
    const SubscriptionId subscription = *dispatcher_of_[route.subscription];
    DurableAnswer durable;
    if (ask_durable) durable = ask_durable(subscription, frame, verdict.skip, verdict.stream);
    if (durable.when == Durable::Later) continue;
    // The baseline of the ledger is none of a durable subscription's: it begins where its cursor says.
    routes_.push_back({subscription, durable.when == Durable::Now ? 0 : route.booked_from, durable.stream});
  }
  offer(now, frame, verdict.skip, verdict.stream);
}

/// A durable subscription takes replays as a plain one does: its cursor is about what happened.
void Inbound::on_replay(Now now, const FramePtr& frame, const FrameVerdict& verdict) {
  routes_.clear();
  for (const LedgerRoute& route : *verdict.routes) {
    if (route.subscription >= dispatcher_of_.size() || !dispatcher_of_[route.subscription]) continue;
    routes_.push_back({*dispatcher_of_[route.subscription], route.booked_from, no_stream});
  }
  add_gates(original_type(frame->header().type));
  offer(now, frame, verdict.skip, verdict.stream);
}

void Inbound::offer_to(Now now, const FramePtr& frame, StreamKey stream,
                       std::span<const SubscriptionId> subscriptions) {
  routes_.clear();
  for (const SubscriptionId subscription : subscriptions) {
    numbers_[subscription.value].offered_to += frame->header().event_count;
    routes_.push_back({subscription, 0, no_stream});
  }
  add_gates(original_type(frame->header().type));
  offer(now, frame, 0, stream);
}

std::vector<SubscriptionId> Inbound::gates_before(std::string_view type,
                                                  std::span<const SubscriptionId> subscriptions) const {
  const auto is_gate = [&](SubscriptionId subscription) {
    return std::ranges::find(gates_, subscription, &Gate::subscription) != gates_.end();
  };
  std::vector<SubscriptionId> before;
  if (std::ranges::all_of(subscriptions, is_gate)) return before;
  for (const Gate& gate : gates_) {
    const bool is_among = std::ranges::find(subscriptions, gate.subscription) != subscriptions.end();
    if (!is_among && gate.filter.matches(type)) before.push_back(gate.subscription);
  }
  return before;
}

/// Gates stand before the lower tiers also where they take no replays themselves: then outside their books.
void Inbound::add_gates(std::string_view type) {
  if (routes_.empty() || gates_.empty()) return;
  std::vector<SubscriptionId> asked;
  for (const Route& route : routes_) asked.push_back(route.subscription);
  for (const SubscriptionId gate : gates_before(type, asked)) routes_.push_back({gate, outside_the_books, no_stream});
}

void Inbound::offer(Now now, const FramePtr& frame, std::uint32_t first, StreamKey stream) {
  if (routes_.empty()) return;
  offered_ += frame->header().event_count - first;
  if (on_offered) on_offered(frame, first);
  pool_.offer(now, frame, first, stream, routes_);
}

void Inbound::all_link_books(std::vector<Books>& out,
                             const std::function<Of(SubscriptionId)>& kind_of) const {
  std::vector<Books> by_ledger;
  ledger_.all_books(by_ledger);
  out.clear();
  for (std::uint32_t subscription = 0; subscription < numbers_.size(); ++subscription) {
    const Numbers& numbers = numbers_[subscription];
    Books books;
    const bool is_over = std::ranges::find(numbers.over, numbers.live) != numbers.over.end();
    if (kind_of({subscription}) == Of::Plain && !is_over) books = by_ledger[numbers.live];
    if (numbers.replays) books += by_ledger[*numbers.replays];
    for (const LedgerSubscription number : numbers.over) books += by_ledger[number];
    books.published += numbers.offered_to;
    out.push_back(books);
  }
}

}  // namespace legion
