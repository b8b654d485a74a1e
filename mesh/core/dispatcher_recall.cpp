// Durable deliveries are taken back before they are over.
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

void Dispatcher::State::recall(SubscriptionId subscription, std::span<const StreamKey> streams) {
  LEGION_ASSERT(handler(subscription).spec.tier != Priority::Critical);
  for (const StreamKey stream : streams) {
    if (stream >= recalled.size()) recalled.resize(stream + std::size_t{1}, 0);
    recalled[stream] = 1;
  }
  for (Index index = 0; index < items.end(); ++index) {
    if (!items.is_live(index)) continue;
    const Item& item = items[index];
    const bool is_in_hands = item.stage == Stage::InFlight || item.stage == Stage::Deferred;
    if (item.subscription == subscription.value && is_recalled(item) && !is_in_hands) end_recalled(index);
  }
}

bool Dispatcher::State::is_recalled(const Item& item) const {
  return item.is_durable() && item.durable < recalled.size() && recalled[item.durable] != 0;
}

/// Noted only: whoever calls this may not be done with the item.
void Dispatcher::State::came_back(Index index) {
  if (is_recalled(items[index])) returned.push_back(index);
}

void Dispatcher::State::end_recalled() {
  for (const Index index : std::exchange(returned, {})) {
    if (!items.is_live(index) || !is_recalled(items[index])) continue;
    const Stage stage = items[index].stage;
    if (stage == Stage::Queued || stage == Stage::RetryWaiting) end_recalled(index);
  }
}

void Dispatcher::State::end_recalled(Index index) {
  Item& item = items[index];
  if (item.stage == Stage::Waiting) leave_flow(index);
  if (item.stage == Stage::RetryWaiting) {
    if (std::exchange(item.is_due, false)) {
      --unpermitted;
    } else {
      retries.remove(index);
    }
    --agent_of(item).retry_waiting;
    item.stage = Stage::Queued;
    item.task = 0;
  }
  reports.recalled.push_back({.subscription = {item.subscription},
                              .stream = item.durable,
                              .first = item.frame->header().first_sequence + item.first,
                              .count = item.count,
                              .booked = item.booked});
  end_item(index, End::Recalled);
}

/// Whoever offered them has them again.
void Dispatcher::State::unbook_recalled() {
  for (Recalled& one : reports.recalled) {
    if (std::exchange(one.booked, Booked::No) == Booked::No) continue;
    Books& books = handler(one.subscription).stats.books;
    books.pending -= one.count;
    books.published -= one.count;
  }
}

/// Of an item that waits for an earlier tier of its event.
void Dispatcher::State::leave_flow(Index index) {
  Flow& flow = flows[items[index].flow];
  Index* at = &flow.waiting_head;
  while (*at != index) at = &items[*at].flow_next;
  *at = std::exchange(items[index].flow_next, no_index);
  --waiting_items;
}

}  // namespace legion
