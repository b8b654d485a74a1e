// Events come in and pass the tiers.
#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

void Dispatcher::State::offer(EventPtr event, StreamKey stream, std::span<const Route> routes) {
  scratch.clear();
  for (const Route& route : routes) {
    Books& books = handler(route.subscription).stats.books;
    if (route.booked == Booked::Yes) ++books.published;
    if (intake == Intake::Draining) {
      if (route.booked == Booked::Yes) ++books.lost_for(LossReason::Shutdown);
      continue;
    }
    if (!event->defect.empty()) {
      refuse_undecodable(event, route);
      continue;
    }
    scratch.push_back(create_item(event, route));
  }
  if (scratch.empty()) return;

  // Every item gets its place in its order domain now, the later tiers too: what opens first must not overtake.
  const auto tier_of = [this](Index index) { return items[index].tier; };
  if (scratch.size() > 1) std::ranges::stable_sort(scratch, {}, tier_of);
  for (const Index index : scratch) {
    items[index].arrival = arrivals++;
    enter_domain(index, stream);
  }
  if (tier_of(scratch.front()) == tier_of(scratch.back())) {
    for (const Index index : scratch) open(index);
  } else {
    create_flow(scratch);
  }
}

Dispatcher::State::Index Dispatcher::State::create_item(const EventPtr& event, Route route) {
  const Index index = items.take();
  Handler& owner = handler(route.subscription);
  Item& item = items[index];
  item.event = event;
  item.agent = owner.agent.value;
  item.subscription = route.subscription.value;
  item.lane = event->lane;
  item.tier = owner.spec.tier;
  item.booked = route.booked;
  ++waiting_items;
  if (route.booked == Booked::Yes) ++owner.stats.books.pending;
  return index;
}

void Dispatcher::State::refuse_undecodable(const EventPtr& event, Route route) {
  Handler& owner = handler(route.subscription);
  Item item;
  item.event = event;
  item.agent = owner.agent.value;
  item.subscription = route.subscription.value;
  item.booked = route.booked;
  count_end(owner, route.booked, End::Undecodable);
  write_letter(item, End::Undecodable, {});
}

void Dispatcher::State::create_flow(std::span<const Index> by_tier) {
  const Index flow_index = flows.take();
  Flow& flow = flows[flow_index];
  Index last = no_index;
  for (const Index index : by_tier) {
    items[index].flow = flow_index;
    (last == no_index ? flow.waiting_head : items[last].flow_next) = index;
    last = index;
  }
  flow.references = static_cast<std::uint32_t>(by_tier.size());
  queue_advance(flow_index);
}

void Dispatcher::State::queue_advance(Index flow) {
  ++flows[flow].references;
  advance_queue.push_back(flow);
}

void Dispatcher::State::unreference(Index flow) {
  if (--flows[flow].references == 0) flows.give_back(flow);
}

/// Opens the next tier of every flow that nothing holds back. Opening may drop items and so release further flows.
void Dispatcher::State::advance_flows() {
  for (std::size_t next = 0; next < advance_queue.size(); ++next) {
    const Index flow_index = advance_queue[next];
    Flow& flow = flows[flow_index];
    if (flow.pending == 0 && flow.waiting_head != no_index) {
      const Priority tier = items[flow.waiting_head].tier;
      scratch.clear();
      while (flow.waiting_head != no_index && items[flow.waiting_head].tier == tier) {
        const Index index = flow.waiting_head;
        flow.waiting_head = std::exchange(items[index].flow_next, no_index);
        scratch.push_back(index);
      }
      flow.pending = static_cast<std::uint32_t>(scratch.size());
      for (const Index index : scratch) open(index);
    }
    unreference(flow_index);
  }
  advance_queue.clear();
}

/// The item enters the mailbox of its agent, or is lost when that is full.
void Dispatcher::State::open(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  --waiting_items;
  const LaneSpec& bounds = agent.spec.lanes[lane];
  item.stage = Stage::Queued;
  if (item.holds_release() && item.domain != no_index) ++domains[item.domain].unreleased;
  ++agent.depth[lane];
  ++lanes[lane].depth;
  enqueue_back(index);
  agent.untouched[lane].push_back(items, index);
  if (agent.depth[lane] > bounds.capacity) {
    const Index dropped = bounds.overflow == Overflow::DropOldest ? agent.untouched[lane].head : index;
    end_item(dropped, End::Overflow);
    if (dropped == index) return;
  }
  ++lanes[lane].enqueued;
  refresh(item.agent);
  if (agent.state == AgentState::Down || is_held(item)) first_outcome(item);
}

/// From here on the later tiers do not wait for this handler. Gates never come here: they hold until they said done.
void Dispatcher::State::first_outcome(Item& item) {
  if (!item.holds_release()) return;
  item.released = true;
  if (item.domain != no_index) --domains[item.domain].unreleased;
  Flow& flow = flows[item.flow];
  if (--flow.pending == 0) queue_advance(item.flow);
}

void Dispatcher::State::decide_later_tiers(Flow& flow, End end, const std::string& error) {
  while (flow.waiting_head != no_index) {
    const Index index = flow.waiting_head;
    flow.waiting_head = std::exchange(items[index].flow_next, no_index);
    --waiting_items;
    end_item(index, end, error);
  }
}

}  // namespace legion
