// The answers of a run.
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

bool was_refused_for_its_data(OutcomeKind kind) {
  return kind == OutcomeKind::Unfit || kind == OutcomeKind::UnknownVersion;
}

// The last one alone has an error text.
bool may_be_followed(OutcomeKind kind) {
  return kind == OutcomeKind::Done || kind == OutcomeKind::Stop ||
         (!is_handled(kind) && !was_refused_for_its_data(kind));
}

}  // namespace

void Dispatcher::State::report(TaskId task, std::span<const Answered> answered, const Outcome& last) {
  const Index index = find_task(task);
  if (index == no_index || items[index].stage != Stage::InFlight || items[index].task != task) {
    stale_outcomes += answered.size();
    return;
  }
  Item& item = items[index];
  const std::uint32_t count = item.count;
  const std::uint32_t agent = item.agent;
  LEGION_ASSERT(answered.size() <= count);
  record_answers(item, answered);
  if (answered.empty()) {
    take_back(index);
  } else if (count == 1) {
    decide(index, {answered.front().kind, last.error});
  } else {
    report_run(index, answered, last);
  }
  refresh(agent);
  apply_early(task, count);
}

/// Counts what the handler was given.
void Dispatcher::State::record_answers(const Item& item, std::span<const Answered> answered) {
  Agent& agent = agent_of(item);
  HandlerStats& stats = handler_of(item).stats;
  const std::size_t lane = lane_index(item.lane);
  const bool was_counted = !agent.gets_runs();
  const bool is_first_attempt = item.attempts == 1;
  std::uint64_t handled = 0;
  for (const Answered& answer : answered) {
    if (!is_handled(answer.kind)) continue;
    ++handled;
    stats.handler_time.record(answer.handler_time);
    if (was_counted || !is_first_attempt) continue;
    stats.publish_to_dispatch.record(answer.age);
    lanes[lane].publish_to_dispatch.record(answer.age);
  }
  if (handled == 0) {
    chooser.turn_unused(lane);
    agent.chooser.turn_unused(lane);
  }
  if (was_counted) return;
  count_handed_over(item, handled);
  stats.ended += handled;
}

void Dispatcher::State::report_run(Index index, std::span<const Answered> answered, const Outcome& last) {
  const std::uint32_t ended = end_answered(index, answered, last);
  Item& item = items[index];
  handler_of(item).stats.in_flight -= ended;
  item.first += ended;
  item.count -= ended;
  if (item.count == 0) {
    leave_agent(index);
    leave_domain(index);
    items.give_back(index);
  } else if (ended == answered.size()) {
    take_back(index);
  } else {
    // The last one stays, under its own task id; the rest waits behind it.
    item.task = task_of(item.task, ended);
    if (item.count > 1) split_rest(index);
    decide(index, {answered.back().kind, last.error});
  }
}

/// Settles the events of a run that are over, and says how many: all that were answered, except that the last one may
/// have been retried or deferred.
std::uint32_t Dispatcher::State::end_answered(Index index, std::span<const Answered> answered, const Outcome& last) {
  Item& item = items[index];
  const std::uint32_t first = item.first;
  std::uint32_t delivered = 0;
  std::uint32_t expired = 0;
  std::uint32_t filtered = 0;  // by a condition: often most of a run
  const auto bury = [&](std::uint32_t k, End end, const std::string& why = {}) {
    item.first = first + k;
    settle_books(item, 1, end);
    write_letters(item, 1, end, why);
    item.first = first;
  };
  std::uint32_t ended = 0;
  for (const Answered& answer : answered) {
    const bool is_last = ended + 1 == answered.size();
    LEGION_ASSERT(is_last || may_be_followed(answer.kind));
    if (answer.kind == OutcomeKind::Deferred) break;
    if (answer.kind == OutcomeKind::Retry && !is_last_attempt(item)) break;
    switch (answer.kind) {
      case OutcomeKind::Done:
      case OutcomeKind::Stop: ++delivered; break;
      case OutcomeKind::Expired:
        if (item.is_durable()) {
          bury(ended, End::Expired);
        } else {
          ++expired;
        }
        break;
      case OutcomeKind::Undecodable: bury(ended, End::Undecodable); break;
      case OutcomeKind::Unfit: bury(ended, End::Unfit, dispatch::bounded_text(last.error)); break;
      case OutcomeKind::UnknownVersion:
        bury(ended, End::UnknownVersion, dispatch::bounded_text(last.error));
        break;
      case OutcomeKind::FilteredWhere: ++filtered; break;
      case OutcomeKind::FilteredDuplicate:
      case OutcomeKind::FilteredLimited: settle_books(item, 1, dispatch::end_of_filtered(answer.kind)); break;
      case OutcomeKind::Reject:
      case OutcomeKind::Retry:
        note_failure(item, last.error);
        bury(ended, answer.kind == OutcomeKind::Reject ? End::Rejected : End::Exhausted);
        item.failure.reset();
        break;
      case OutcomeKind::Deferred: LEGION_UNREACHABLE();
    }
    ++ended;
  }
  settle_books(item, delivered, End::Done);
  settle_books(item, expired, End::Expired);
  settle_books(item, filtered, End::FilteredWhere);
  report_over(item, ended);
  return ended;
}

/// Answers that came before the report of their run: they belong to what the report deferred.
void Dispatcher::State::apply_early(TaskId task, std::uint32_t count) {
  if (early.empty()) return;
  std::vector<Early> due;
  std::erase_if(early, [&](Early& answer) {
    if (answer.task < task || (answer.task - task) % (TaskId{1} << task_index_bits) != 0) return false;
    if ((answer.task - task) >> task_index_bits >= count) return false;
    due.push_back(std::move(answer));
    return true;
  });
  for (Early& answer : due) {
    const Index index = find_task(answer.task);
    if (index != no_index && items[index].stage == Stage::Deferred) {
      decide(index, answer.outcome);
    } else {
      ++stale_outcomes;
    }
  }
}

/// Drops the early answers whose run is over without a report.
void Dispatcher::State::forget_early() {
  stale_outcomes += std::erase_if(early, [this](const Early& answer) { return find_task(answer.task) == no_index; });
}

}  // namespace legion
