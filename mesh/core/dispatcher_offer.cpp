// Events come in and pass the tiers.
#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

/// How many events at the beginning of the run are before the baseline.
std::uint32_t unbooked_events(const dispatch::Run& run, std::uint64_t booked_from) {
  const std::uint64_t sequence = run.frame.header().first_sequence + run.first;
  return booked_from > sequence ? static_cast<std::uint32_t>(std::min<std::uint64_t>(booked_from - sequence, run.count))
                                : 0;
}

}  // namespace

bool Dispatcher::State::is_one_tier(std::span<const Route> routes) const {
  return std::ranges::all_of(routes, [&](const Route& route) {
    return handler(route.subscription).spec.tier == handler(routes.front().subscription).spec.tier;
  });
}

/// Whether the agent takes the events as one item. Two handlers of one agent would get a run one after the other, so an
/// event would overtake earlier ones of its domain.
bool Dispatcher::State::takes_run(std::span<const Route> routes, const Route& route) const {
  const AgentId id = handler(route.subscription).agent;
  const Agent& agent = agents[id.value];
  if (!agent.is_ordered_by_stream()) return false;
  if (agent.subscriptions == 1) return true;
  return std::ranges::count_if(routes, [&](const Route& other) {
           return handler(other.subscription).agent == id;
         }) == 1;
}

bool Dispatcher::State::needs_events(std::span<const Route> routes) const {
  return !is_one_tier(routes) || !std::ranges::all_of(routes, [&](const Route& route) {
    return takes_run(routes, route) && agents[handlers[route.subscription.value].agent.value].gets_runs();
  });
}

void Dispatcher::State::offer(const FramePtr& frame, dispatch::Run run, StreamKey stream,
                              std::span<const Route> routes) {
  if (intake == Intake::Draining) return refuse_all(run, routes);
  const auto durable = std::ranges::find_if(routes, [](const Route& route) { return route.durable != no_stream; });
  offered_as = durable == routes.end() ? no_stream : durable->durable;
  offered_round = durable == routes.end() ? 0 : durable->round;
  if (!is_one_tier(routes)) return offer_events(frame, run, stream, routes);
  one_by_one.clear();
  for (const Route& route : routes) {
    if (takes_run(routes, route)) {
      offer_run(frame, run, stream, route);
    } else {
      one_by_one.push_back(route);
    }
  }
  if (!one_by_one.empty()) offer_events(frame, run, stream, one_by_one);
}

void Dispatcher::State::refuse_all(const dispatch::Run& run, std::span<const Route> routes) {
  for (const Route& route : routes) {
    if (route.durable != no_stream) continue;
    Books& books = handler(route.subscription).stats.books;
    const std::uint32_t booked = run.count - unbooked_events(run, route.booked_from);
    books.published += booked;
    books.lost_for(LossReason::Shutdown) += booked;
  }
}

void Dispatcher::State::offer_run(const FramePtr& frame, dispatch::Run run, StreamKey stream, const Route& route) {
  const std::uint32_t unbooked = unbooked_events(run, route.booked_from);
  const dispatch::Addressee outside{route.subscription, Booked::No, route.durable, route.attempts};
  const dispatch::Addressee inside{route.subscription, Booked::Yes, route.durable, route.attempts};
  offer_wanted(frame, {run.frame, run.first, unbooked}, stream, outside);
  offer_wanted(frame, {run.frame, run.first + unbooked, run.count - unbooked}, stream, inside);
}

/// Whoever handles a run asks its condition, outside of all locks. For agents that get no runs it is asked here: what
/// they do not want takes no room in their mailbox.
void Dispatcher::State::offer_wanted(const FramePtr& frame, dispatch::Run run, StreamKey stream,
                                     const dispatch::Addressee& to) {
  const Handler& owner = handler(to.subscription);
  if (!owner.spec.where || agents[owner.agent.value].gets_runs()) return offer_part(frame, run, stream, to);
  const std::vector<EventView>& events = frame->events();
  const std::uint32_t end = run.first + run.count;
  while (run.first < end) {
    const bool unwanted = is_unwanted(owner, events[run.first]);
    run.count = 1;
    while (run.first + run.count < end && is_unwanted(owner, events[run.first + run.count]) == unwanted) ++run.count;
    if (unwanted) {
      end_unoffered(frame, run.first, run.count, to, End::FilteredWhere);
    } else {
      offer_part(frame, run, stream, to);
    }
    run.first += run.count;
  }
}

void Dispatcher::State::offer_part(const FramePtr& frame, dispatch::Run run, StreamKey stream,
                                   const dispatch::Addressee& to) {
  if (run.count == 0) return;
  const Index index = create_item(frame, run.first, run.count, to);
  items[index].arrival = arrivals++;
  enter_domain(index, stream);
  open(index);
}

void Dispatcher::State::offer_events(const FramePtr& frame, dispatch::Run run, StreamKey stream,
                                     std::span<const Route> routes) {
  for (std::uint32_t k = 0; k < run.count; ++k) {
    offer_event(frame, run.first + k, stream, routes);
    advance_flows();
  }
}

void Dispatcher::State::offer_event(const FramePtr& frame, std::uint32_t event, StreamKey stream,
                                    std::span<const Route> routes) {
  const std::uint64_t sequence = frame->header().first_sequence + event;
  const bool has_defect = !frame->events()[event].defect.empty();
  scratch.clear();
  for (const Route& route : routes) {
    const dispatch::Addressee to{route.subscription, sequence >= route.booked_from ? Booked::Yes : Booked::No,
                                 route.durable, route.attempts};
    if (has_defect) {
      end_unoffered(frame, event, 1, to, End::Undecodable);
    } else if (is_unwanted(handler(to.subscription), frame->events()[event])) {
      end_unoffered(frame, event, 1, to, End::FilteredWhere);
    } else {
      scratch.push_back(create_item(frame, event, 1, to));
    }
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

/// The attempts of an event that was handed over in an earlier life of the node go on. A gate knows nothing of them.
void Dispatcher::State::offer_again(const FramePtr& frame, std::uint32_t event, std::span<const Route> routes,
                                    const Earlier& so_far) {
  earlier = &so_far;
  offer(frame, {*frame, event, 1}, no_stream, routes);
  earlier = nullptr;
}

Dispatcher::State::Index Dispatcher::State::create_item(const FramePtr& frame, std::uint32_t first, std::uint32_t count,
                                                        const dispatch::Addressee& to) {
  const Index index = items.take();
  Handler& owner = handler(to.subscription);
  Item& item = items[index];
  item.frame = frame;
  item.first = first;
  item.count = count;
  item.agent = owner.agent.value;
  item.subscription = to.subscription.value;
  item.lane = frame->header().lane;
  item.tier = owner.spec.tier;
  item.booked = to.booked;
  item.durable = to.durable;
  if (is_recalled(item)) recalled[item.durable] = 0;
  if (item.is_durable() || (offered_as != no_stream && item.is_gate())) item.keep = dispatch::Keep::Yes;
  if (item.keep == dispatch::Keep::Yes) item.round = offered_round;
  if (to.attempts > 0 && item.keep == dispatch::Keep::Yes && !item.is_durable()) take_up_gate(item, to.attempts);
  if (earlier != nullptr && item.is_durable()) take_up(item, *earlier);
  ++waiting_items;
  if (to.booked == Booked::Yes) {
    owner.stats.books.published += count;
    owner.stats.books.pending += count;
  }
  return index;
}

void Dispatcher::State::take_up(Item& item, const Earlier& so_far) {
  item.attempts = so_far.attempts;
  item.permit = dispatch::Permit::Given;
  item.failure = std::make_unique<dispatch::Failure>(so_far.first, so_far.last, dispatch::bounded_text(so_far.error));
}

/// A gate that had the event in hands in an earlier life of the node. Nobody has to permit its next attempt.
void Dispatcher::State::take_up_gate(Item& item, std::uint32_t attempts) {
  item.attempts = attempts;
  item.failure = std::make_unique<dispatch::Failure>(now.wall, now.wall, std::string(ended_in_hands_text));
}

/// Whether its condition says no. An event that does not decode is nobody's to judge: its bytes are a dead letter.
bool Dispatcher::State::is_unwanted(const Handler& handler, const EventView& event) {
  return handler.spec.where && event.defect.empty() && !handler.spec.where->matches(event);
}

/// Events whose fate is known before they are in any mailbox.
void Dispatcher::State::end_unoffered(const FramePtr& frame, std::uint32_t first, std::uint32_t count,
                                      const dispatch::Addressee& to, End end) {
  Handler& owner = handler(to.subscription);
  Item item;
  item.frame = frame;
  item.first = first;
  item.count = count;
  item.agent = owner.agent.value;
  item.subscription = to.subscription.value;
  item.booked = to.booked;
  item.durable = to.durable;
  if (to.booked == Booked::Yes) {
    owner.stats.books.published += count;
    owner.stats.books.pending += count;
  }
  settle_books(item, count, end);
  write_letters(item, count, end, {});
  report_over(item, count);
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

/// The item enters the mailbox of its agent; what there is no room for is lost.
void Dispatcher::State::open(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  --waiting_items;
  item.stage = Stage::Queued;
  if (item.holds_release() && item.domain != no_index) ++domains[item.domain].unreleased;
  add_depth(item, item.count);
  enqueue_back(index);
  if (item.attempts == 0) {
    agent.untouched_of(item.keep)[lane].push_back(items, index);
    item.listed = dispatch::Listed::Yes;
  }
  if (item.keep == dispatch::Keep::No && agent.depth[lane] - agent.kept[lane] > agent.spec.lanes[lane].capacity) {
    drop_excess(index);
    if (!items.is_live(index)) return;
  }
  lanes[lane].enqueued += item.count;
  refresh(item.agent);
  if (agent.state == AgentState::Down || is_held(item)) first_outcome(item);
  if (agent.life == Agent::Life::Removed) end_item(index, End::Removed);
}

/// Makes up for the item that came last: what came back from in flight may stay above the capacity.
void Dispatcher::State::drop_excess(Index newest) {
  const Item& item = items[newest];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  const LaneSpec& bounds = agent.spec.lanes[lane];
  const std::size_t excess = agent.depth[lane] - agent.kept[lane] - bounds.capacity;
  auto left = static_cast<std::uint32_t>(std::min<std::size_t>(excess, item.count));
  if (bounds.overflow == Overflow::DropNewest) return end_back(newest, left, End::Overflow);
  auto& untouched = agent.untouched[lane];
  for (Index at = untouched.head; left > 0 && at != no_index;) {
    const Index next = untouched.next(items, at);
    if (items[at].stage == Stage::Queued) {
      const std::uint32_t dropped = std::min(left, items[at].count);
      left -= dropped;
      end_front(at, dropped, End::Overflow);
    }
    at = next;
  }
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
