// Order domains and the lists of an agent.
//
// A queued item is in the fifo of its lane, or in the front list, or parked. The fifo is in order of arrival and may
// hold items whose domain is taken; those are parked when they reach its front, each at most once. When a domain
// becomes free its next item, if parked, goes to the front list. So taking the next runnable item is O(1) amortised.
#include <functional>

#include <legion/base/assert.hpp>
#include <legion/base/planted.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

/// Two keys with the same hash share a domain: they wait for each other more than they need to, nothing else.
std::uint64_t key_of(dispatch::Numbering numbering, StreamKey stream, std::string_view key) {
  const std::uint64_t hash = std::hash<std::string_view>{}(key);
  const std::uint64_t number = stream + 1ull + (numbering == dispatch::Numbering::Durable ? 1ull << 32 : 0);
  return hash ^ (number * 0x9E3779B97F4A7C15ull);
}

}  // namespace

void Dispatcher::State::enter_domain(Index index, StreamKey stream) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  Index* domain = nullptr;
  auto numbering = dispatch::Numbering::Plain;
  if (item.is_durable() || stream == no_stream) {
    numbering = dispatch::Numbering::Durable;
    stream = item.is_durable() ? item.durable : offered_as;
  }
  std::uint64_t key = stream;
  if (agent.is_ordered_by_stream()) {
    std::vector<Index>& streams = agent.streams_of(numbering);
    if (stream >= streams.size()) streams.resize(stream + std::size_t{1}, no_index);
    domain = &streams[stream];
  } else if (const std::string_view own = item.frame->events()[item.first].key; !own.empty()) {
    key = key_of(numbering, stream, own);
    domain = &agent.keys.try_emplace(key, no_index).first->second;
  } else {
    return;
  }
  if (*domain == no_index) {
    *domain = domains.take();
    domains[*domain].agent = item.agent;
    domains[*domain].key = key;
    domains[*domain].numbering = numbering;
  }
  item.domain = *domain;
  domains[*domain].line.push_back(items, index);
}

void Dispatcher::State::leave_domain(Index index) {
  const Index domain_index = items[index].domain;
  if (domain_index == no_index) return;
  Domain& domain = domains[domain_index];
  const bool was_head = domain.line.head == index;
  domain.line.remove(items, index);
  if (domain.line.empty()) {
    Agent& agent = agents[domain.agent];
    if (agent.is_ordered_by_stream()) {
      agent.streams_of(domain.numbering)[domain.key] = no_index;
    } else {
      agent.keys.erase(domain.key);
    }
    domains.give_back(domain_index);
  } else if (was_head) {
    const Item& head = items[domain.line.head];
    if (head.stage == Stage::Queued && head.place == Place::Parked) enqueue_runnable(domain.line.head);
  }
}

bool Dispatcher::State::is_head_of_line(const Item& item) const {
  return item.domain == no_index || &items[domains[item.domain].line.head] == &item;
}

/// Whether the item stands behind one that is retried or deferred.
bool Dispatcher::State::is_held(const Item& item) const {
  if (is_head_of_line(item)) return false;
  const Stage head = items[domains[item.domain].line.head].stage;
  return head == Stage::RetryWaiting || head == Stage::Deferred;
}

/// What stands behind a retried or deferred item must not hold back the later tiers of its own event. From the back,
/// because what was there when the domain was held before is released already.
void Dispatcher::State::on_hold_started(const Item& item) {
  if (item.domain == no_index) return;
  Domain& domain = domains[item.domain];
  for (Index at = domain.line.tail; domain.unreleased > 0; at = domain.line.prev(items, at)) {
    LEGION_ASSERT(at != no_index);
    if (items[at].stage != Stage::Waiting) first_outcome(items[at]);
  }
}

void Dispatcher::State::enqueue_back(Index index) {
  Item& item = items[index];
  item.place = Place::Fifo;
  agent_of(item).fifo[lane_index(item.lane)].push_back(items, index);
}

void Dispatcher::State::enqueue_runnable(Index index) {
  Item& item = items[index];
  item.place = Place::Front;
  agent_of(item).front[lane_index(item.lane)].push_back(items, index);
}

void Dispatcher::State::enqueue_first(Index index) {
  Item& item = items[index];
  item.place = Place::Front;
  agent_of(item).front[lane_index(item.lane)].push_front(items, index);
}

/// Takes the item out of whichever list of its agent it is in.
void Dispatcher::State::unqueue(Index index) {
  Item& item = items[index];
  Agent& agent = agent_of(item);
  const std::size_t lane = lane_index(item.lane);
  switch (item.stage) {
    case Stage::Waiting:
    case Stage::RetryWaiting: return;
    case Stage::InFlight: agent.in_flight.remove(items, index); return;
    case Stage::Deferred: agent.deferred.remove(items, index); return;
    case Stage::Queued: break;
  }
  switch (item.place) {
    case Place::Parked: break;
    case Place::Fifo: agent.fifo[lane].remove(items, index); break;
    case Place::Front: agent.front[lane].remove(items, index); break;
  }
  item.place = Place::Parked;
}

void Dispatcher::State::unlist(Index index) {
  Item& item = items[index];
  if (item.listed == dispatch::Listed::No) return;
  agent_of(item).untouched_of(item.keep)[lane_index(item.lane)].remove(items, index);
  item.listed = dispatch::Listed::No;
}

void Dispatcher::State::add_depth(const Item& item, std::uint32_t events) {
  const std::size_t lane = lane_index(item.lane);
  Agent& agent = agents[item.agent];
  agent.depth[lane] += events;
  lanes[lane].depth += events;
  if (item.keep == dispatch::Keep::Yes) agent.kept[lane] += events;
}

void Dispatcher::State::take_depth(const Item& item, std::uint32_t events) {
  const std::size_t lane = lane_index(item.lane);
  Agent& agent = agents[item.agent];
  agent.depth[lane] -= events;
  lanes[lane].depth -= events;
  if (item.keep == dispatch::Keep::Yes) agent.kept[lane] -= events;
}

void Dispatcher::State::settle(Agent& agent, std::size_t lane) {
  auto& fifo = agent.fifo[lane];
  while (!fifo.empty() && !is_head_of_line(items[fifo.head])) unqueue(fifo.head);
}

/// Brings the runnable lanes of an agent up to date, and its place among the agents that take turns.
void Dispatcher::State::refresh(std::uint32_t agent_index) {
  Agent& agent = agents[agent_index];
  const bool one_more = LEGION_PLANTED(OneTooManyInHands) && agent.in_flight.size == agent.spec.concurrency;
  const bool can_run = agent.state == AgentState::Up && (agent.has_slot() || one_more);
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    const auto bit = static_cast<dispatch::LaneMask>(1u << lane);
    if (can_run) settle(agent, lane);
    const bool runnable = can_run && !(agent.front[lane].empty() && agent.fifo[lane].empty());
    if (runnable != ((agent.runnable & bit) != 0)) {
      agent.runnable ^= bit;
      runnable ? ++runnable_agents[lane] : --runnable_agents[lane];
    }
    if (runnable && (agent.in_ring & bit) == 0) {
      agent.in_ring |= bit;
      ring[lane].push_back(agent_index);
    }
  }
}

}  // namespace legion
