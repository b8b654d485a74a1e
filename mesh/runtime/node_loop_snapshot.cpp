// What the loop tells about itself.
#include <legion/runtime/durable_wire.hpp>
#include <legion/runtime/node_loop.hpp>

namespace legion {

namespace {

// So that an answer stays below limits::message_bytes_max whatever the types are called.
constexpr std::size_t tails_per_answer_max = 8000;

}  // namespace

NodeSnapshot NodeLoop::snapshot(Now now) const {
  NodeSnapshot snapshot;
  snapshot.node = setup_.options.name;
  snapshot.incarnation = membership_.incarnation();
  snapshot.boot = setup_.boot.hex();
  snapshot.version = setup_.options.version;
  snapshot.time = now.wall;
  snapshot.uptime = now.steady - started_at_;
  snapshot.publishing_open = membership_.publishing_open();
  snapshot.subscriptions = setup_.subscriptions;
  // One look at the dispatcher, so that all books belong to the same moment; the ledger does not change meanwhile,
  // because it is this thread's.
  const std::vector<Books> before_dispatch = books_before_dispatch();
  setup_.pool.inspect([&](const Dispatcher& dispatcher) {
    snapshot.dispatcher = dispatcher.stats();
    for (std::uint32_t i = 0; i < snapshot.subscriptions.size(); ++i) {
      Books& books = snapshot.subscriptions[i].books;
      books = dispatcher.books({i});
      books.published = 0;  // known from sequences and tails
      books += before_dispatch[i];
    }
  });
  for (const Priority lane : all_priorities) {
    LaneSnapshot& figures = snapshot.lanes[lane_index(lane)];
    figures.queued = setup_.intake.depth(lane);
    if (!streams_) continue;
    figures.slow_peers = setup_.sockets.lanes[lane_index(lane)]->counters().slow_peer;
    figures.published = streams_->outbound.egress().sent(lane);
    figures.in = streams_->ledger.totals(lane);
  }
  std::vector<AgentStats> dispatched;  // of the agents that are shown: those that were removed are in both lists
  for (std::size_t i = 0; i < setup_.agents.size(); ++i) {
    if (setup_.agents[i]->place() == HostedAgent::Place::Removed) continue;
    snapshot.agents.push_back(setup_.agents[i]->snapshot());
    dispatched.push_back(std::move(snapshot.dispatcher.agents[i]));
  }
  snapshot.dispatcher.agents = std::move(dispatched);
  for (const PublishStatus status : Intake::statuses) {
    snapshot.publish[std::string(to_string(status))] = setup_.intake.answered(status);
  }
  snapshot.middleware = setup_.intake.step_figures();
  snapshot.refused = refused_;
  for (const auto& [reason, count] : refused_at_control_.counts()) snapshot.refused[reason] += count;
  for (const RefusedPeers& lane : refused_at_lane_) {
    for (const auto& [reason, count] : lane.counts()) snapshot.refused[reason] += count;
  }
  for (const auto& [reason, count] : service_.refused()) snapshot.refused[reason] += count;
  const auto& control = setup_.sockets.control->counters();
  snapshot.refused["control_malformed"] = control.malformed;
  snapshot.refused["control_replies_dropped"] = control.replies_full + control.replies_unreachable;
  snapshot.refused["zap"] = setup_.sockets.zap->refused();
  snapshot.refused["upstream"] = 0;
  for (const auto& lane : setup_.sockets.lanes) snapshot.refused["upstream"] += lane->counters().discarded_upstream;
  if (streams_) {
    for (const auto& [reason, count] : streams_->reader->refused()) snapshot.refused[reason] += count;
    snapshot.publish["refused_streams"] = streams_->outbound.egress().refused();
    snapshot.redials = streams_->reader->redials();
  }
  if (local_) snapshot.local = local_->counts();
  tell_of_spools(snapshot);
  snapshot.dead_letters = dead_letters_;
  if (const SchemaGuard* guard = setup_.intake.guard()) snapshot.schema = guard->counts();
  return snapshot;
}

std::vector<Books> NodeLoop::books_before_dispatch() const {
  if (!streams_) return std::vector<Books>(setup_.filters.size());
  const DurableSubscriptions& durable = streams_->durable.subscriptions();
  std::vector<Books> all;
  streams_->inbound.all_link_books(all, [&](SubscriptionId subscription) {
    return durable.is_durable(subscription) ? Inbound::Of::Durable : Inbound::Of::Plain;
  });
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] += durable.books({i});
  return all;
}

void NodeLoop::tell_of_spools(NodeSnapshot& snapshot) const {
  snapshot.degraded = is_degraded();
  if (streams_) {
    const Journal& journal = streams_->journal.journal();
    JournalSnapshot& told = snapshot.journal.emplace();
    for (const JournalKind kind : all_journals) {
      told.journals[journal_index(kind)] = journal.figures(kind);
      told.waiting[journal_index(kind)] = journal.waiting_events(kind);
    }
    snapshot.durable = streams_->durable.subscriptions().figures(durable_streams_told_max);
    told.links = journal.links();
    snapshot.refused["spool_answers"] = streams_->journal.bad_messages();
  }
  if (setup_.spool == nullptr) return;
  SpoolInfo info = setup_.spool->snapshot();
  snapshot.spool = SpoolSnapshot{
      .path = setup_.options.spool->path.string(),
      .store = info.store,
      .figures = info.figures,
      .inlet = {.links = info.links, .records = info.records, .duplicates = info.duplicates, .rewinds = info.rewinds,
                .refused = info.refused, .bytes_waiting = info.bytes_waiting},
      .catchup = catchup_ ? catchup_->figures() : SpoolCatchupFigures{},
      .frozen = std::move(info.frozen)};
}

std::vector<NodeRow> NodeLoop::node_rows(Now now) const {
  std::vector<NodeRow> rows;
  for (MemberView& view : membership_.view(now)) {
    NodeRow row{std::move(view), std::nullopt, std::nullopt};
    const auto heard = heard_.find(row.view.member.name);
    if (heard != heard_.end() && heard->second.heartbeat.self.incarnation == row.view.member.incarnation) {
      row.heartbeat = heard->second.heartbeat;
      if (!row.view.self) row.clock_skew = heard->second.skew;
    }
    if (row.view.self && last_heartbeat_) row.view.heartbeat_age = now.steady - *last_heartbeat_;
    rows.push_back(std::move(row));
  }
  return rows;
}

void NodeLoop::ask_durable(Now now, std::string_view method, BytesView params, ControlBackend::Answer answer) {
  if (!streams_) return answer(fail(ErrorCode::Closed, "the node has not joined yet"));
  DurableControl(streams_->durable, streams_->stand_ins).handle(now, method, params, std::move(answer));
}

ControlBackend NodeLoop::backend() {
  return {
      .hello = [this](Now now, const HelloRequest& request) { return membership_.on_hello(now, request); },
      .roster = [this] { return membership_.roster(); },
      .roster_page = [this](std::string_view after) { return membership_.roster_page(after); },
      .tails = [this](const Origin& origin, Priority lane) -> std::vector<Tail> {
        if (!streams_) return {};
        const Egress& egress = streams_->outbound.egress();
        auto tails = origin == egress.origin() ? egress.tails(lane) : streams_->ledger.known_tails(origin, lane);
        merge_tails(tails, last_words_.tails(origin, lane));
        if (tails.size() > tails_per_answer_max) tails.resize(tails_per_answer_max);
        return tails;
      },
      .goodbye =
          [this](Now now, const Origin& origin, const LaneTails& tails) {
            membership_.on_goodbye(now, origin.node, origin.incarnation);
            carry_out(now);
            if (!streams_) return;
            for (const Priority lane : all_priorities) {
              streams_->ledger.on_foreign_tails(origin, lane, tails[lane_index(lane)]);
              last_words_.add(origin, lane, tails[lane_index(lane)]);
            }
          },
      .stats = [this](Now now) { return encode(snapshot(now)); },
      .nodes = [this](Now now) { return encode(node_rows(now)); },
      .durable = [this](Now now, std::string_view method, BytesView params,
                        ControlBackend::Answer answer) { ask_durable(now, method, params, std::move(answer)); },
      .replay =
          [this](Now now, BytesView params, const ReplayControl::Answer& answer) {
            if (quiesce_) return answer(fail(ErrorCode::Closed, "the node is shutting down"));
            ReplayControl(setup_.options.name, setup_.intake, streams_ ? &streams_->replay : nullptr)
                .handle(now, params, answer);
          },
      .remote = &setup_.remote,
  };
}

}  // namespace legion
