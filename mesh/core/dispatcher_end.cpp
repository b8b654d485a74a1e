// How deliveries end: the books, the letters, and what it means for others.
#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

std::string dispatch::bounded_text(std::string_view text) {
  std::size_t size = std::min(text.size(), limits::error_text_bytes_max);
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) --size;
  }
  return std::string(text.substr(0, size));
}

namespace {

/// What the end of a gate, or of a handler that said stop, means for the later tiers.
dispatch::End decision(dispatch::End end) {
  using dispatch::End;
  switch (end) {
    case End::Stopped:
    case End::Rejected: return End::StoppedBefore;
    case End::Exhausted: return End::GateFailed;
    case End::Expired: return End::Expired;
    case End::Undecodable: return End::Undecodable;
    case End::Unfit: return End::Unfit;
    case End::UnknownVersion: return End::UnknownVersion;
    case End::Overflow: return End::GateOverflow;
    case End::Done:
    case End::StoppedBefore:
    case End::GateOverflow:
    case End::GateFailed:
    case End::FilteredWhere:
    case End::FilteredDuplicate:
    case End::FilteredLimited:
    case End::Removed:    // gates are not removed
    case End::Recalled: break;  // and what is recalled is no gate
  }
  LEGION_UNREACHABLE();
}

std::optional<DeathReason> death_of(const dispatch::Item& item, dispatch::End end) {
  using dispatch::End;
  switch (end) {
    case End::Expired: return item.is_durable() ? std::optional(DeathReason::Expired) : std::nullopt;
    case End::Rejected: return DeathReason::Rejected;
    case End::Exhausted: return DeathReason::HandlerError;
    case End::GateFailed: return DeathReason::GateFailed;
    case End::Undecodable: return DeathReason::Undecodable;
    case End::Unfit: return DeathReason::Schema;
    case End::UnknownVersion: return DeathReason::UnknownVersion;
    case End::Done:
    case End::Stopped:
    case End::Overflow:
    case End::StoppedBefore:
    case End::GateOverflow:
    case End::FilteredWhere:
    case End::FilteredDuplicate:
    case End::FilteredLimited:
    case End::Removed:
    case End::Recalled: return std::nullopt;
  }
  LEGION_UNREACHABLE();
}

bool was_refused_for_its_data(dispatch::End end) {
  return end == dispatch::End::Unfit || end == dispatch::End::UnknownVersion;
}

}  // namespace

/// The one way out for a delivery: counted, its event's later tiers told, its place given to the next. `why`: of what an
/// earlier tier decided, and of data that was refused.
void Dispatcher::State::end_item(Index index, End end, const std::string& why) {
  Item& item = items[index];
  const std::uint32_t agent = item.agent;
  settle_books(item, item.count, end);
  write_letters(item, item.count, end, why);
  if (end != End::Recalled) report_over(item, item.count);
  if (item.flow != no_index) {
    if (item.stage != Stage::Waiting) tell_flow(item, end, why);
    unreference(item.flow);
  }
  leave_agent(index);
  leave_domain(index);
  items.give_back(index);
  refresh(agent);
}

void Dispatcher::State::leave_agent(Index index) {
  Item& item = items[index];
  LEGION_ASSERT(item.stage != Stage::RetryWaiting);
  unqueue(index);
  unlist(index);
  if (item.stage == Stage::InFlight) count_left_hands(item, item.count);
  if (item.stage == Stage::Queued || item.stage == Stage::Deferred) take_depth(item, item.count);
}

void Dispatcher::State::tell_flow(Item& item, End end, const std::string& why) {
  Flow& flow = flows[item.flow];
  const bool opens = end == End::Done || end == End::FilteredWhere || end == End::FilteredDuplicate ||
                     end == End::FilteredLimited;
  if (item.is_gate() && opens) {
    if (--flow.pending == 0) queue_advance(item.flow);
    return;
  }
  if (!item.is_gate()) {
    first_outcome(item);
    if (end != End::Stopped && end != End::Expired) return;
  }
  std::string error = was_refused_for_its_data(end) ? why : std::string();
  if (end == End::Exhausted) {
    error = dispatch::bounded_text("gate " + agent_of(item).spec.name + ": " + item.failure->error);
  }
  decide_later_tiers(flow, decision(end), error);
}

/// Moves events from pending to their entry.
void Dispatcher::State::settle_books(const Item& item, std::uint32_t events, End end) {
  if (item.booked == Booked::No) return;
  Books& books = handler_of(item).stats.books;
  books.pending -= events;
  switch (end) {
    case End::Done:
    case End::Stopped: books.delivered += events; return;
    case End::Rejected:
    case End::Exhausted:
    case End::GateFailed:
    case End::Undecodable:
    case End::Unfit:
    case End::UnknownVersion: books.dead += events; return;
    case End::Expired: (item.is_durable() ? books.dead : books.expired) += events; return;
    case End::Overflow: books.lost_for(LossReason::Overflow) += events; return;
    case End::GateOverflow: books.lost_for(LossReason::GateOverflow) += events; return;
    case End::StoppedBefore: books.filtered.stopped += events; return;
    case End::Removed: books.lost_for(LossReason::Shutdown) += events; return;
    case End::Recalled: books.pending += events; return;  // until unbook_recalled()
    case End::FilteredWhere: books.filtered.where += events; return;
    case End::FilteredDuplicate: books.filtered.duplicate += events; return;
    case End::FilteredLimited: books.filtered.limited += events; return;
  }
}

/// Of the first `events` of the item, when that is how they end.
void Dispatcher::State::write_letters(const Item& item, std::uint32_t events, End end, const std::string& why) {
  const auto reason = death_of(item, end);
  if (!reason) return;
  // None of these was given to the handler, though it was in flight to whoever found out.
  const bool was_not_given = end == End::Undecodable || end == End::Expired || was_refused_for_its_data(end);
  const bool was_given = !was_not_given || item.stage != Stage::InFlight;
  for (std::uint32_t k = 0; k < events; ++k) {
    Death death{.agent = agents[item.agent].spec.name,
                .reason = *reason,
                .attempts = was_given ? item.attempts : item.attempts - 1,
                .error = why,
                .first = now.wall,
                .last = now.wall};
    EventPtr event = Frame::event_ptr(item.frame, item.first + k);
    if (item.failure) death.first = item.failure->first;
    if (end == End::Undecodable) {
      death.error = dispatch::bounded_text(event->defect);
    } else if (item.failure && !was_refused_for_its_data(end)) {
      death.last = item.failure->last;
      death.error = item.failure->error;
    }
    auto& told = item.is_durable() ? reports.letters : letters;
    told.push_back({.event = std::move(event),
                    .agent = {item.agent},
                    .subscription = {item.subscription},
                    .booked = item.booked,
                    .death = std::move(death),
                    .frame = item.frame,
                    .index = item.first + k,
                    .durable = item.durable});
  }
}

/// The first `events` of the item are over. What is consecutive is told as one.
void Dispatcher::State::report_over(const Item& item, std::uint32_t events) {
  if (!item.is_durable() || events == 0) return;
  const std::uint64_t first = item.frame->header().first_sequence + item.first;
  if (!reports.completed.empty()) {
    Completed& last = reports.completed.back();
    const bool goes_on = last.stream == item.durable && last.subscription.value == item.subscription &&
                         last.first + last.count == first;
    if (goes_on) {
      last.count += events;
      return;
    }
  }
  reports.completed.push_back({{item.subscription}, item.durable, first, events});
}

/// The item waits for its permit from now on, which is known by a task id of its own.
void Dispatcher::State::report_failure(Index index) {
  Item& item = items[index];
  item.permit = dispatch::Permit::Wanted;
  item.task = draw_tasks(index, 1);
  reports.failures.push_back(
      {.subscription = {item.subscription},
       .stream = item.durable,
       .sequence = item.frame->header().first_sequence + item.first,
       .so_far = {item.attempts, item.failure->error, item.failure->first, item.failure->last},
       .permit = item.task});
}

/// What waits for an earlier tier or for its retry ends when its time comes: requeue() and open() see to that.
void Dispatcher::State::remove_agent(AgentId id, std::string_view error) {
  agent_down(id, error);
  agent(id).life = Agent::Life::Removed;
  for (Index index = 0; index < items.end(); ++index) {
    if (!items.is_live(index)) continue;
    const Item& item = items[index];
    if (item.agent == id.value && item.stage == Stage::Queued) end_item(index, End::Removed);
  }
}

void Dispatcher::State::close() {
  intake = Intake::Draining;
  unbook_recalled();
  for (Index index = 0; index < items.end(); ++index) {
    if (!items.is_live(index)) continue;
    Books& books = handler_of(items[index]).stats.books;
    if (items[index].booked == Booked::Yes) {
      books.pending -= items[index].count;
      if (items[index].is_durable()) {
        books.published -= items[index].count;
      } else {
        books.lost_for(LossReason::Shutdown) += items[index].count;
      }
    }
    handler_of(items[index]).stats.in_flight = 0;
  }
  stale_outcomes += early.size();
  early.clear();
  recalled.clear();
  returned.clear();
  items = {};
  flows = {};
  domains = {};
  retries.clear();
  advance_queue.clear();
  waiting_items = 0;
  unpermitted = 0;
  for (auto& lane : lanes) lane.depth = 0;
  ring = {};
  runnable_agents = {};
  for (Agent& agent : agents) {
    // In place: what add_agent() and add_subscription() set is read by needs_events() at any time.
    agent.fifo = {};
    agent.front = {};
    agent.untouched = {};
    agent.untouched_kept = {};
    agent.in_flight = {};
    agent.deferred = {};
    agent.retry_waiting = 0;
    agent.depth = {};
    agent.kept = {};
    agent.runnable = agent.in_ring = 0;
    agent.chooser = {};
    agent.streams.clear();
    agent.durable_streams.clear();
    agent.keys.clear();
  }
}

}  // namespace legion
