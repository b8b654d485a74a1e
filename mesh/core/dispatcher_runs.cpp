// Runs are taken apart and put together again.
//
// While a part of an item is in flight, its rest keeps its places: in the fifo or the front list, behind the part in
// the line, and among the untouched. An item that is in flight whole keeps only its places in the line and, where it
// may come back untouched, among the untouched. So taking and giving back cost the same whatever is queued.
#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

/// Makes the first `count` events an item of their own, at the head of the line and in no list.
Dispatcher::State::Index Dispatcher::State::split_front(Index index, std::uint32_t count) {
  const Index part_index = items.take();
  Item& rest = items[index];
  Item& part = items[part_index];
  LEGION_ASSERT(count < rest.count && rest.domain != no_index && rest.flow == no_index && rest.attempts == 0);
  part.frame = rest.frame;
  part.first = rest.first;
  part.count = count;
  part.agent = rest.agent;
  part.subscription = rest.subscription;
  part.domain = rest.domain;
  part.lane = rest.lane;
  part.tier = rest.tier;
  part.booked = rest.booked;
  part.keep = rest.keep;
  part.durable = rest.durable;
  part.round = rest.round;
  part.arrival = rest.arrival;
  part.stage = Stage::Queued;
  rest.first += count;
  rest.count -= count;
  domains[rest.domain].line.push_front(items, part_index);
  return part_index;
}

/// The item behind this one in its line that is untouched and goes on where this one ends.
Dispatcher::State::Index Dispatcher::State::continuation(const Item& item) const {
  if (item.domain == no_index || item.flow != no_index) return no_index;
  const Index next = item.line.next;
  if (next == no_index) return no_index;
  const Item& other = items[next];
  const bool goes_on = other.stage == Stage::Queued && other.attempts == 0 && other.frame == item.frame &&
                       other.first == item.first + item.count && other.subscription == item.subscription &&
                       other.booked == item.booked && other.durable == item.durable && other.flow == no_index &&
                       other.keep == item.keep && other.round == item.round;
  return goes_on ? next : no_index;
}

/// Of an item in flight, all but the first event go back into the mailbox, untouched and behind it. Returns the item
/// they are in now.
Dispatcher::State::Index Dispatcher::State::split_rest(Index index) {
  const Index next = continuation(items[index]);
  const Index rest_index = next == no_index ? items.take() : next;
  Item& item = items[index];
  Item& rest = items[rest_index];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  LEGION_ASSERT(item.stage == Stage::InFlight && item.count > 1 && item.attempts == 1);
  const std::uint32_t count = item.count - 1;
  item.count = 1;
  handler_of(item).stats.in_flight -= count;
  add_depth(item, count);
  if (next != no_index) {
    rest.first -= count;
    rest.count += count;
    came_back(rest_index);
    return rest_index;
  }
  rest.frame = item.frame;
  rest.first = item.first + 1;
  rest.count = count;
  rest.agent = item.agent;
  rest.subscription = item.subscription;
  rest.domain = item.domain;
  rest.lane = item.lane;
  rest.tier = item.tier;
  rest.booked = item.booked;
  rest.keep = item.keep;
  rest.durable = item.durable;
  rest.round = item.round;
  rest.arrival = item.arrival;
  rest.stage = Stage::Queued;
  rest.listed = dispatch::Listed::Yes;
  park_successor(item);
  domains[item.domain].line.insert_after(items, index, rest_index);
  // A part without a continuation: it has been dropped, and with it all that was older.
  auto& untouched = agent.untouched_of(item.keep)[lane];
  if (item.listed == dispatch::Listed::Yes) {
    untouched.insert_after(items, index, rest_index);
  } else {
    untouched.push_front(items, rest_index);
  }
  came_back(rest_index);
  return rest_index;
}

/// An item in flight that no handler was given goes back as if it had never been handed over.
void Dispatcher::State::take_back(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  LEGION_ASSERT(item.stage == Stage::InFlight);
  unqueue(index);
  handler_of(item).stats.in_flight -= item.count;
  add_depth(item, item.count);
  item.task = 0;
  --item.attempts;
  if (const Index next = item.attempts == 0 ? continuation(item) : no_index; next != no_index) {
    items[next].first = item.first;
    items[next].count += item.count;
    item.stage = Stage::Queued;
    item.place = Place::Parked;
    if (items[next].place == Place::Parked) enqueue_first(next);
    unlist(index);
    leave_domain(index);
    items.give_back(index);
    return came_back(next);
  }
  item.stage = Stage::Queued;
  park_successor(item);
  enqueue_first(index);
  came_back(index);
  if (item.attempts == 0 && item.listed == dispatch::Listed::No) {
    agent.untouched_of(item.keep)[lane].push_front(items, index);
    item.listed = dispatch::Listed::Yes;
  }
}

/// The item is not just in flight any more, so its rest must not stand among the runnable.
void Dispatcher::State::park_successor(const Item& item) {
  if (item.domain == no_index || item.line.next == no_index) return;
  const Item& next = items[item.line.next];
  if (next.stage == Stage::Queued && next.place == Place::Front) unqueue(item.line.next);
}

/// Ends the first `count` events of a queued item.
void Dispatcher::State::end_front(Index index, std::uint32_t count, End end) {
  Item& item = items[index];
  if (count == item.count) return end_item(index, end);
  LEGION_ASSERT(item.stage == Stage::Queued && item.flow == no_index);
  settle_books(item, count, end);
  write_letters(item, count, end, {});
  report_over(item, count);
  item.first += count;
  item.count -= count;
  take_depth(item, count);
  refresh(item.agent);
}

/// Ends the last `count` events of a queued item.
void Dispatcher::State::end_back(Index index, std::uint32_t count, End end) {
  Item& item = items[index];
  if (count == item.count) return end_item(index, end);
  LEGION_ASSERT(item.stage == Stage::Queued && item.flow == no_index);
  settle_books(item, count, end);
  item.count -= count;
  take_depth(item, count);
}

}  // namespace legion
