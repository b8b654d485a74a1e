// The dispatcher counted again from its structures, to compare with what it believes.
#include <algorithm>
#include <string_view>
#include <utility>

#include <legion/core/dispatcher_state.hpp>

namespace legion {

namespace {

/// Finds every item through the structure it has to be in, and keeps the first thing that is wrong.
class Walk {
 public:
  explicit Walk(std::size_t slots) : seen_(slots, 0) {}

  void expect(bool holds, std::string_view what, std::uint64_t number) {
    if (!holds && !fault_) fault_ = std::string(what) + " (" + std::to_string(number) + ")";
  }
  void saw(dispatch::Index index) {
    expect(seen_[index] == 0, "item found twice", index);
    seen_[index] = 1;
    ++count_;
  }
  bool has_seen(dispatch::Index index) const { return seen_[index] != 0; }
  std::size_t count() const { return count_; }
  const std::optional<std::string>& fault() const { return fault_; }

 private:
  std::vector<std::uint8_t> seen_;
  std::size_t count_ = 0;
  std::optional<std::string> fault_;
};

}  // namespace

std::optional<std::string> Dispatcher::State::check() const {
  Walk walk(items.end());
  std::vector<std::array<std::size_t, limits::lane_count>> depth(agents.size());
  std::vector<std::array<std::size_t, limits::lane_count>> kept(agents.size());
  std::size_t held_back = 0;
  std::vector<std::uint64_t> pending(handlers.size(), 0);
  std::vector<std::uint64_t> in_flight(handlers.size(), 0);
  std::size_t listed = 0;
  std::vector<std::size_t> retrying(agents.size(), 0);

  const auto count = [&](Index index) {
    const Item& item = items[index];
    walk.expect(items.is_live(index), "dead item in a list", index);
    walk.saw(index);
    const bool is_run = item.count > 1;
    const std::uint32_t end = item.first + item.count;
    walk.expect(item.count > 0 && end <= item.frame->header().event_count, "not events of the frame", index);
    walk.expect(!is_run || (item.flow == no_index && item.domain != no_index), "run with a flow or a key", index);
    walk.expect(!is_run || item.attempts == (item.stage == Stage::InFlight ? 1 : 0), "run that was touched", index);
    if (item.booked == Booked::Yes) pending[item.subscription] += item.count;
    if (item.stage == Stage::InFlight) in_flight[item.subscription] += item.count;
    if (item.stage != Stage::Waiting && item.stage != Stage::InFlight) {
      depth[item.agent][lane_index(item.lane)] += item.count;
      if (item.keep == dispatch::Keep::Yes) kept[item.agent][lane_index(item.lane)] += item.count;
    }
    walk.expect(!item.is_durable() || item.keep == dispatch::Keep::Yes, "durable item that may be dropped", index);
    const bool waits_for_permit = item.stage == Stage::RetryWaiting && item.permit == dispatch::Permit::Wanted;
    walk.expect(!item.is_due || waits_for_permit, "due item that waits for nothing", index);
    if (item.is_due) ++held_back;
    const bool may_come_back = item.stage == Stage::Queued && item.attempts == 0;
    walk.expect(!may_come_back || item.listed == dispatch::Listed::Yes, "untouched item not listed", index);
    if (item.listed == dispatch::Listed::Yes) ++listed;
    const bool has_permit_id = item.stage == Stage::RetryWaiting && item.is_durable();
    walk.expect((item.task != 0) == (item.stage == Stage::InFlight || item.stage == Stage::Deferred || has_permit_id),
                "task id does not fit the stage", index);
  };

  for (std::size_t a = 0; a < agents.size(); ++a) {
    const Agent& agent = agents[a];
    const auto each = [&](const auto& list, auto visit) {
      std::size_t size = 0;
      for (Index at = list.head; at != no_index; at = list.next(items, at), ++size) {
        walk.expect(items[at].agent == a, "item in a list of another agent", at);
        visit(at);
      }
      walk.expect(size == list.size, "list size", a);
    };
    const auto in_stage = [&](Stage stage) {
      return [&walk, &count, this, stage](Index at) {
        walk.expect(items[at].stage == stage, "item in a list of another stage", at);
        count(at);
      };
    };
    for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
      each(agent.fifo[lane], in_stage(Stage::Queued));
      each(agent.front[lane], in_stage(Stage::Queued));
      each(agent.front[lane], [&](Index at) {
        const Item& item = items[at];
        const bool is_rest = item.line.prev != no_index && items[item.line.prev].stage == Stage::InFlight;
        walk.expect(is_head_of_line(item) || is_rest, "blocked item in front", at);
      });
      std::uint64_t oldest = 0;
      const auto untouched = [&](Index at) {
        const Item& item = items[at];
        const bool is_untouched = item.stage == Stage::Queued && item.attempts == 0;
        const bool may_be_again = item.stage == Stage::InFlight && item.attempts == 1 && agent.gets_runs();
        walk.expect(is_untouched || may_be_again, "untouched item was handed over", at);
        walk.expect(item.listed == dispatch::Listed::Yes, "untouched item is not marked", at);
        --listed;
        // A later tier opens late, behind events that arrived after its own.
        if (!agent.gets_runs() || item.flow != no_index) return;
        walk.expect(item.arrival >= oldest, "untouched out of order", at);
        oldest = item.arrival;
      };
      each(agent.untouched[lane], untouched);
      oldest = 0;
      each(agent.untouched_kept[lane], untouched);
    }
    each(agent.in_flight, in_stage(Stage::InFlight));
    each(agent.deferred, in_stage(Stage::Deferred));
    walk.expect(agent.in_flight.size <= agent.spec.concurrency, "more in flight than concurrency", a);
  }

  for (Index d = 0; d < domains.end(); ++d) {
    if (!domains.is_live(d)) continue;
    const Domain& domain = domains[d];
    walk.expect(!domain.line.empty(), "empty order domain kept", d);
    std::uint32_t unreleased = 0;
    std::pair<std::uint64_t, std::uint32_t> last{};
    for (Index at = domain.line.head; at != no_index; at = domain.line.next(items, at)) {
      const Item& item = items[at];
      walk.expect(item.domain == d, "item in the line of another domain", at);
      const std::pair place{item.arrival, item.first};
      walk.expect(at == domain.line.head || place > last, "line out of order", at);
      last = place;
      const bool is_head = at == domain.line.head;
      walk.expect(is_head || item.stage == Stage::Waiting || item.stage == Stage::Queued, "active behind the head", at);
      if (item.stage != Stage::Waiting && item.holds_release()) ++unreleased;
      if (item.stage == Stage::Queued && item.place == Place::Parked) {
        walk.expect(!is_head, "head of a line is parked", at);
        count(at);
      }
    }
    walk.expect(unreleased == domain.unreleased, "unreleased items of a domain", d);
  }

  std::size_t waiting = 0;
  for (Index f = 0; f < flows.end(); ++f) {
    if (!flows.is_live(f)) continue;
    walk.expect(flows[f].pending > 0 || flows[f].waiting_head == no_index, "later tier held back by nothing", f);
    for (Index at = flows[f].waiting_head; at != no_index; at = items[at].flow_next, ++waiting) {
      walk.expect(items[at].stage == Stage::Waiting, "opened item still waits for its tier", at);
      count(at);
    }
  }
  walk.expect(waiting == waiting_items, "items waiting for a tier", waiting);

  for (Index index = 0; index < items.end(); ++index) {
    if (!items.is_live(index) || items[index].stage != Stage::RetryWaiting) continue;
    ++retrying[items[index].agent];
    count(index);
  }
  std::size_t retrying_total = 0;
  std::array<std::size_t, limits::lane_count> lane_depth{};
  for (std::size_t a = 0; a < agents.size(); ++a) {
    const Agent& agent = agents[a];
    walk.expect(retrying[a] == agent.retry_waiting, "retries of an agent", a);
    retrying_total += retrying[a];
    for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
      const std::size_t may_return = agent.gets_runs() ? agent.run_events : agent.spec.concurrency;
      const std::size_t bound = agent.spec.lanes[lane].capacity + may_return;
      walk.expect(depth[a][lane] == agent.depth[lane], "depth of a lane", a);
      walk.expect(kept[a][lane] == agent.kept[lane], "kept deliveries of a lane", a);
      walk.expect(agent.depth[lane] - agent.kept[lane] <= bound, "lane above its capacity", a);
      lane_depth[lane] += agent.depth[lane];
    }
  }
  walk.expect(listed == 0, "item marked as untouched in no list", listed);
  walk.expect(held_back == unpermitted, "items that wait for their permit", unpermitted);
  walk.expect(retrying_total == retries.size() + unpermitted, "retry queue", retries.size());
  walk.expect(walk.count() == items.live_count(), "items in no structure", items.live_count() - walk.count());

  std::vector<unsigned> has_work(agents.size(), 0);
  for (Index i = 0; i < items.end(); ++i) {
    if (!items.is_live(i) || items[i].stage != Stage::Queued || !is_head_of_line(items[i])) continue;
    has_work[items[i].agent] |= 1u << lane_index(items[i].lane);
  }
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    walk.expect(lane_depth[lane] == lanes[lane].depth, "lane depth over all agents", lane);
    std::size_t runnable = 0;
    for (std::size_t a = 0; a < agents.size(); ++a) {
      const bool can_run = agents[a].state == AgentState::Up && agents[a].has_slot();
      const bool marked = (agents[a].runnable & (1u << lane)) != 0;
      const bool expected = can_run && (has_work[a] & (1u << lane)) != 0;
      walk.expect(marked == expected, "runnable mark of an agent", a);
      runnable += marked ? 1 : 0;
    }
    walk.expect(runnable == runnable_agents[lane], "runnable agents of a lane", lane);
  }

  for (const Recalled& one : reports.recalled) {
    if (one.booked == Booked::Yes) pending[one.subscription.value] += one.count;
  }
  for (std::size_t h = 0; h < handlers.size(); ++h) {
    const Books& books = handlers[h].stats.books;
    walk.expect(books.balance() == 0, "books out of balance", h);
    walk.expect(books.pending == pending[h], "pending is not what is held", h);
    walk.expect(handlers[h].stats.in_flight == in_flight[h], "events in flight", h);
  }
  return walk.fault();
}

}  // namespace legion
