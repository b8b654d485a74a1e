#include "durable_kit.hpp"

#include <algorithm>

#include <legion/event/msgpack_writer.hpp>

namespace legion::test {

StreamId stream_named(std::string type, std::string node, std::uint8_t shard) {
  return {{std::move(node), 7}, Priority::High, std::move(type), shard};
}

std::string event_id(const StreamId& stream, std::uint64_t sequence) {
  return EventId{stream.origin.node, stream.origin.incarnation, stream.lane, stream.type, stream.shard, sequence}
      .to_string();
}

FramePtr frame_in(const StreamId& stream, std::uint64_t first, std::size_t count, WallTime time,
                  std::optional<WallTime> expires, std::size_t data_bytes) {
  FrameBuilder builder;
  builder.begin(stream.origin, stream.lane, stream.type, stream.shard, first);
  for (std::size_t i = 0; i < count; ++i) {
    Event event;
    event.type = std::string(original_type(stream.type));
    event.source = stream.origin.node + "/feed";
    event.priority = stream.lane;
    event.time = time + std::chrono::seconds(i);
    event.expires_at = expires;
    MsgpackWriter data;
    data.bin(Bytes(data_bytes));
    event.data = data.take();
    builder.append(encode_event(event, stream.shard, limits::event_bytes_max).value().bytes);
  }
  return Frame::decode(builder.finish()).value();
}

namespace {

StreamId stream_of(const FrameHeader& header) {
  return {{std::string(header.origin), header.incarnation}, header.lane, std::string(header.type), header.shard};
}

}  // namespace

// --- DurableKit -----------------------------------------------------------------------------------------------------

namespace {

DurableConfig for_node(DurableConfig config) {
  if (config.node.empty()) config.node = "c";
  return config;
}

}  // namespace

DurableKit::DurableKit(DurableConfig config, std::uint64_t seed)
    : durable(for_node(std::move(config))), dispatcher(seed) {}

SubscriptionId DurableKit::add(const std::string& agent, const Sub& sub, const std::string& durable_name) {
  if (!agents_.contains(agent)) {
    AgentSpec spec;
    spec.name = agent;
    spec.concurrency = sub.concurrency;
    spec.lanes.fill({.capacity = sub.capacity});
    spec.retry.max_attempts = sub.max_attempts;
    spec.run_events_max = sub.run_events_max;
    agents_[agent] = dispatcher.add_agent(spec);
  }
  const Filter filter = Filter::parse(sub.filter).value();
  const SubscriptionId id = dispatcher.add_subscription(agents_[agent], {filter, sub.tier});
  DurableHandler added{.subscription = id,
                       .agent = "c/" + agent,
                       .filter = filter,
                       .tier = sub.tier,
                       .max_attempts = sub.max_attempts,
                       .durable = durable_name,
                       .start = sub.start,
                       .role = sub.role,
                       .share = sub.share,
                       .home = sub.share ? sub.home : std::string()};
  added.capacity.fill(sub.capacity);
  durable.add_handler(std::move(added));
  known_.push_back({filter, "c/" + agent, durable_name, sub.run_events_max > 1});
  return id;
}

SubscriptionId DurableKit::subscribe(const Sub& sub) {
  return add(sub.agent.empty() ? sub.name : sub.agent, sub, sub.name);
}

SubscriptionId DurableKit::gate(const std::string& agent, const std::string& filter) {
  return add(agent, {.filter = filter, .tier = Priority::Critical}, {});
}

SubscriptionId DurableKit::plain(const std::string& agent, const std::string& filter) {
  return add(agent, {.filter = filter}, {});
}

ModelSpool& DurableKit::spool(const std::string& name) { return spools[name]; }

void DurableKit::meet_spools() {
  std::vector<KnownSpool> all;
  for (const auto& [name, model] : spools) {
    all.push_back({name, model.reachable ? KnownSpool::Reach::Reachable : KnownSpool::Reach::Unreachable, model.mark,
                   model.presence});
  }
  durable.on_spools(now, std::move(all));
  drain();
}

void DurableKit::live(const FramePtr& frame, std::uint32_t skip) {
  const StreamId stream = stream_of(frame->header());
  const auto hint = hints_.try_emplace(stream, static_cast<std::uint32_t>(hints_.size())).first->second;
  std::vector<Route> routes;
  for (std::uint32_t id = 0; id < known_.size(); ++id) {
    if (!known_[id].filter.matches(stream.type)) continue;
    if (known_[id].durable.empty()) {
      routes.push_back({.subscription = {id}});
    } else if (const auto key = durable.on_frame(now, {id}, frame, skip, hint)) {
      routes.push_back({.subscription = {id}, .durable = *key});
    }
  }
  if (!routes.empty()) dispatcher.on_run(now, frame, skip, frame->header().event_count - skip, hint, routes);
  drain();
}

void DurableKit::publish(const FramePtr& frame) {
  for (auto& [name, model] : spools) model.store(frame);
  live(frame);
}

void DurableKit::drain() {
  for (auto effects = durable.take_effects(); !effects.empty(); effects = durable.take_effects()) {
    for (DurableEffect& effect : effects) carry_out(std::move(effect));
  }
  check();
}

void DurableKit::carry_out(DurableEffect effect) {
  if (auto* offer = std::get_if<DurableOffer>(&effect)) {
    if (offer->earlier) {
      dispatcher.on_again(now, offer->frame, offer->first, offer->routes, *offer->earlier);
    } else {
      dispatcher.on_run(now, offer->frame, offer->first, offer->count, no_stream, offer->routes);
    }
    offers.push_back(std::move(*offer));
  } else if (auto* permit = std::get_if<PermitRetry>(&effect)) {
    dispatcher.permit_retry(now, permit->permit);
  } else if (const auto* recall = std::get_if<RecallOffers>(&effect)) {
    dispatcher.recall(now, recall->subscription, recall->streams);
  } else if (auto* query = std::get_if<SpoolQuery>(&effect)) {
    queries.push_back(std::move(*query));
  } else if (auto* record = std::get_if<WriteRecord>(&effect)) {
    journal.push_back(*record);
    written_.push_back(record->record);
    records.push_back(std::move(*record));
  } else if (auto* gone = std::get_if<LostForGood>(&effect)) {
    lost.push_back(std::move(*gone));
  } else if (auto* stall = std::get_if<StallChanged>(&effect)) {
    stalls.push_back(std::move(*stall));
  } else if (const auto* over = std::get_if<InFlightOver>(&effect)) {
    in_flight.erase({over->agent, over->event, over->path});
  } else if (auto* answered = std::get_if<RequestAnswer>(&effect)) {
    answers.push_back(std::move(*answered));
  } else if (auto* line = std::get_if<DurableLog>(&effect)) {
    logs.push_back(std::move(line->text));
  } else if (auto* given_back = std::get_if<ShareReleased>(&effect)) {
    released.push_back(*given_back);
  }
}

bool DurableKit::answer_queries() {
  const auto mine =
      std::ranges::stable_partition(queries, [&](const SpoolQuery& q) { return !spools[q.spool].reachable; });
  const std::vector<SpoolQuery> due(mine.begin(), mine.end());
  queries.erase(mine.begin(), mine.end());
  for (const SpoolQuery& query : due) {
    answer(query);
    drain();
  }
  return !due.empty();
}

void DurableKit::answer(const SpoolQuery& query) {
  ModelSpool& model = spools[query.spool];
  More more = More::No;
  if (const auto* claim = std::get_if<AskClaim>(&query.what)) {
    (void)claim;
    model.holder.empty() ? durable.on_claimed(now, query.id) : durable.on_claim_refused(now, query.id, model.holder);
  } else if (std::holds_alternative<AskUnclaim>(query.what)) {
    unclaimed.push_back(query.spool);
  } else if (const auto* cursor = std::get_if<AskCursor>(&query.what)) {
    const ModelSpool::State& state = model.subscriptions[cursor->subscription];
    std::vector<AttemptRecord> attempts;
    for (const auto& [event, attempt] : state.attempts) attempts.push_back(attempt);
    const bool any = state.cursor.generation.counter > 0;
    durable.on_cursor(now, query.id, any ? std::optional(state.cursor) : std::nullopt, std::move(attempts));
  } else if (std::holds_alternative<AskLetters>(query.what)) {
    durable.on_letters(now, query.id, model.letters_requeued(), More::No);
  } else if (const auto* tails = std::get_if<AskTails>(&query.what)) {
    auto found = model.tails(*tails, more);
    durable.on_tails(now, query.id, std::move(found), more);
  } else if (const auto* stream = std::get_if<AskStream>(&query.what)) {
    durable.on_stream(now, query.id, model.read(*stream));
  } else if (const auto* find = std::get_if<AskFind>(&query.what)) {
    durable.on_found(now, query.id, model.find(find->event));
  } else if (const auto* scan = std::get_if<AskScan>(&query.what)) {
    durable.on_scan(now, query.id, model.scan(*scan));
  }
}

void DurableKit::fail_queries(const std::string& why) {
  const auto due = std::exchange(queries, {});
  for (const SpoolQuery& query : due) durable.on_query_failed(now, query.id, {ErrorCode::Unreachable, why});
  drain();
}

bool DurableKit::confirm_records() {
  const bool any_spool = std::ranges::any_of(spools, [](const auto& entry) { return entry.second.reachable; });
  if (records.empty() || !any_spool) return false;
  store_records(records.size());
  const auto due = std::exchange(records, {});
  for (const WriteRecord& record : due) {
    // What goes over the wire has to come out the same.
    const auto decoded = decode_spool_record(encode(record.record));
    EXPECT_TRUE(decoded && *decoded == record.record) << (decoded ? "differs" : decoded.error().message);
  }
  durable.on_recorded(now, due.back().token);
  drain();
  return true;
}
void DurableKit::store_records(std::size_t unconfirmed) {
  const std::size_t end = written_.size() - records.size() + unconfirmed;
  for (auto& [name, model] : spools) {
    std::size_t& at = stored_[name];
    for (; model.reachable && at < end; ++at) model.record(written_[at]);
  }
}

bool DurableKit::handle(std::size_t tasks) {
  bool any = false;
  for (; tasks > 0; --tasks) {
    const auto task = dispatcher.next(now);
    if (!task) return take_reports() || any;  // events that expired on the way ended without a task
    any = true;
    if (known_[task->subscription.value].gets_runs) {
      handle_run(*task);
    } else {
      dispatcher.on_outcome(now, task->id, hand_over(*task, 0));
    }
    take_reports();
  }
  return any;
}

Outcome DurableKit::hand_over(const Task& task, std::uint32_t k) {
  const Known& known = known_[task.subscription.value];
  const StreamId stream = stream_of(task.frame->header());
  const std::tuple key{known.agent, event_id(stream, task.sequence(k)), task.path.value_or(InFlightPath{})};
  if (task.path) {
    in_flight[key] = {known.durable, known.agent, stream, task.sequence(k), task.attempt, InFlightEntry::Stage::InHands,
                      *task.path};
  }
  const Handled one{task.subscription, stream, task.sequence(k), task.attempt, task_of(task, k), task.path};
  handed.push_back(one);
  Outcome outcome = handler(one);
  if (!task.path || outcome.kind == OutcomeKind::Deferred) return outcome;
  const bool is_rejected = outcome.kind == OutcomeKind::Reject && task.path->role == InFlightPath::Role::Target;
  if (outcome.kind == OutcomeKind::Retry || is_rejected) {
    in_flight[key].stage = is_rejected ? InFlightEntry::Stage::Rejected : InFlightEntry::Stage::Failed;
  } else {
    in_flight.erase(key);
  }
  return outcome;
}

void DurableKit::handle_run(const Task& task) {
  std::vector<Answered> answered;
  Outcome last = Outcome::done();
  for (std::uint32_t k = 0; k < task.count; ++k) {
    const auto fate = fate_before_handling(*task.event(k), now);
    last = fate ? Outcome{*fate, {}} : hand_over(task, k);
    answered.push_back({.kind = last.kind});
    if (!fate && last.kind != OutcomeKind::Done && last.kind != OutcomeKind::Stop) break;
  }
  dispatcher.on_answers(now, task.id, answered, last);
}

void DurableKit::complete(const Handled& deferred) {
  in_flight.erase({known_[deferred.subscription.value].agent, event_id(deferred.stream, deferred.sequence),
                   deferred.path.value_or(InFlightPath{})});
  dispatcher.on_outcome(now, deferred.task, Outcome::done());
  take_reports();
}

bool DurableKit::take_reports() {
  const bool any = dispatcher.has_durable_reports();
  if (any) {
    DurableReports reports = dispatcher.drain_durable();
    if (on_reports) on_reports(reports);
    durable.on_reports(now, std::move(reports));
  }
  durable.on_plain_letters(now, dispatcher.drain_letters());
  drain();
  return any;
}

void DurableKit::pass(Duration time) {
  now.steady = now.steady + time;
  now.wall = now.wall + time;
  dispatcher.on_tick(now);
  take_reports();
  durable.on_tick(now);
  drain();
}

void DurableKit::settle(Duration for_time) {
  const SteadyTime end = now.steady + for_time;
  while (true) {
    for (bool more = true; more;) {
      more = answer_queries();
      for (const bool done : {confirm_records(), handle()}) more |= done;
    }
    if (now.steady >= end) return;
    pass(50ms);
  }
}

void DurableKit::start() {
  meet_spools();
  settle();
}

DurableFigures DurableKit::figures(const std::string& name) const {
  for (DurableFigures& figures : durable.figures(100)) {
    if (figures.name == name) return figures;
  }
  return {};
}

const CursorRecord& DurableKit::cursor(const std::string& name, const std::string& spool_name) {
  return spools[spool_name].subscriptions[name].cursor;
}

std::uint64_t DurableKit::done(const StreamId& stream, const std::string& name, const std::string& spool_name) {
  for (const StreamCursor& entry : cursor(name, spool_name).streams) {
    if (entry.stream == stream) return entry.done;
  }
  return 0;
}

Seqs DurableKit::handled(SubscriptionId id) const {
  Seqs out;
  for (const Handled& one : handed) {
    if (one.subscription == id) out.push_back(one.sequence);
  }
  return out;
}

Spans DurableKit::offered() const {
  Spans out;
  for (const DurableOffer& offer : offers) {
    const std::uint64_t first = offer.frame->header().first_sequence + offer.first;
    out.emplace_back(first, first + offer.count - 1);
  }
  return out;
}

}  // namespace legion::test
