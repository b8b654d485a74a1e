#include <legion/runtime/stats.hpp>

#include <legion/base/assert.hpp>
#include <legion/base/units.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/durable_wire.hpp>

namespace legion {

namespace {

double microseconds(Duration value) { return static_cast<double>(value.count()) / 1000.0; }

void write(MsgpackWriter& out, std::string_view key, std::uint64_t value) {
  out.str(key);
  out.uint(value);
}

void write(MsgpackWriter& out, std::string_view key, std::string_view value) {
  out.str(key);
  out.str(value);
}

void write(MsgpackWriter& out, std::string_view key, const NamedCounts& counts) {
  out.str(key);
  out.map(counts.size());
  for (const auto& [name, value] : counts) write(out, name, value);
}

constexpr std::size_t latency_members = 3;
void write_latency(MsgpackWriter& out, std::string_view prefix, const LatencyHistogram& histogram) {
  const std::string base(prefix);
  out.str(base + "p50_us");
  out.float64(microseconds(histogram.percentile(50)));
  out.str(base + "p99_us");
  out.float64(microseconds(histogram.percentile(99)));
  out.str(base + "max_us");
  out.float64(microseconds(histogram.max()));
}

void write_text_or_nil(MsgpackWriter& out, std::string_view key, const std::optional<std::string>& text) {
  out.str(key);
  if (text) {
    out.str(*text);
  } else {
    out.nil();
  }
}

void write_lane(MsgpackWriter& out, Priority lane, const NodeSnapshot& snapshot) {
  const LaneSnapshot& figures = snapshot.lanes[lane_index(lane)];
  const LaneStats& dispatch = snapshot.dispatcher.lanes[lane_index(lane)];
  out.map(15 + latency_members);
  write(out, "lane", to_string(lane));
  write(out, "published", figures.published);
  write(out, "queued", figures.queued);
  write(out, "received", figures.in.events);
  write(out, "frames", figures.in.frames);
  write(out, "markers", figures.in.markers);
  write(out, "duplicates", figures.in.duplicates);
  write(out, "streams", figures.in.streams);
  write(out, "refused_streams", figures.in.refused_streams);
  write(out, "implausible", figures.in.implausible);
  write(out, "slow_peers", figures.slow_peers);
  write(out, "enqueued", dispatch.enqueued);
  write(out, "dispatched", dispatch.dispatched);
  write(out, "depth", dispatch.depth);
  out.str("lost");
  out.map(1);
  write(out, "link", figures.in.lost_link);
  write_latency(out, "", dispatch.publish_to_dispatch);
}

void write_subscription(MsgpackWriter& out, const SubscriptionSnapshot& subscription) {
  const Books& books = subscription.books;
  out.map(13);
  write(out, "agent", subscription.agent);
  write(out, "type", subscription.type);
  write(out, "tier", to_string(subscription.tier));
  write(out, "published", books.published);
  write(out, "delivered", books.delivered);
  out.str("filtered");
  out.map(4);
  write(out, "where", books.filtered.where);
  write(out, "stopped", books.filtered.stopped);
  write(out, "duplicate", books.filtered.duplicate);
  write(out, "limited", books.filtered.limited);
  write(out, "expired", books.expired);
  write(out, "dead", books.dead);
  out.str("lost");
  out.map(loss_reason_count);
  for (const LossReason reason : all_loss_reasons) write(out, to_string(reason), books.lost_for(reason));
  write(out, "pending", books.pending);
  out.str("balance");
  out.integer(books.balance());
  write_text_or_nil(out, "durable", subscription.durable);
  write_text_or_nil(out, "where", subscription.where);
}

void write_handler(MsgpackWriter& out, const HandlerStats& handler, const NodeSnapshot& snapshot) {
  const SubscriptionSnapshot& subscription = snapshot.subscriptions[handler.subscription.value];
  out.map(10 + 2 * latency_members);
  write(out, "agent", subscription.agent);
  write(out, "type", subscription.type);
  write(out, "tier", to_string(subscription.tier));
  write(out, "total", handler.total);
  write(out, "errors", handler.errors);
  out.str("error_rate");
  out.float64(handler.error_rate());
  write(out, "retries", handler.retries);
  write(out, "timeouts", handler.timeouts);
  write(out, "deferrals", handler.deferrals);
  write(out, "in_flight", handler.in_flight);
  write_latency(out, "", handler.handler_time);
  write_latency(out, "dispatch_", handler.publish_to_dispatch);
}

void write_agent(MsgpackWriter& out, const AgentSnapshot& agent, const AgentStats& dispatch) {
  out.map(8);
  write(out, "agent", agent.name);
  write(out, "kind", agent.kind);
  write(out, "state", agent.state);
  out.str("up");
  out.boolean(dispatch.state == AgentState::Up);
  write(out, "in_flight", dispatch.in_flight);
  out.str("depth");
  out.map(limits::lane_count);
  for (const Priority lane : all_priorities) write(out, to_string(lane), dispatch.depth[lane_index(lane)]);
  write(out, "retry_waiting", dispatch.retry_waiting);
  write(out, "counters", agent.counters);
}

std::string_view to_string(Journal::LinkFigures::State state) {
  using State = Journal::LinkFigures::State;
  switch (state) {
    case State::Down: return "down";
    case State::Opening: return "opening";
    case State::Open: return "open";
    case State::Refused: return "refused";
  }
  LEGION_UNREACHABLE();
}

void write_journal_figures(MsgpackWriter& out, const Journal::Figures& figures, std::uint64_t waiting) {
  out.map(9);
  write(out, "last", figures.last);
  write(out, "durable", figures.durable);
  write(out, "bytes", figures.bytes);
  write(out, "bytes_max", figures.bytes_max);
  write(out, "unconfirmed_events", figures.unconfirmed_events);
  write(out, "voided_events", figures.voided_events);
  write(out, "journalled_events", figures.appended_events);
  write(out, "confirmed_events", figures.durable_events);
  write(out, "waiting_events", waiting);
}

void write_link(MsgpackWriter& out, const Journal::LinkFigures& link) {
  out.map(4 + std::size(all_journals));
  write(out, "spool", link.spool);
  write(out, "state", to_string(link.state));
  write_text_or_nil(out, "store", link.store ? std::optional(link.store->hex()) : std::nullopt);
  write(out, "trouble", link.trouble);
  for (const JournalKind kind : all_journals) {
    out.str(to_string(kind));
    out.map(2);
    write(out, "sent", link.sent[journal_index(kind)]);
    write(out, "acknowledged", link.acknowledged[journal_index(kind)]);
  }
}

void write_journal(MsgpackWriter& out, const JournalSnapshot& journal) {
  out.map(1 + std::size(all_journals));
  for (const JournalKind kind : all_journals) {
    out.str(to_string(kind));
    write_journal_figures(out, journal.journals[journal_index(kind)], journal.waiting[journal_index(kind)]);
  }
  out.str("links");
  out.array(journal.links.size());
  for (const auto& link : journal.links) write_link(out, link);
}

void write_spool(MsgpackWriter& out, const SpoolSnapshot& spool) {
  const auto time_text = [](const std::optional<WallTime>& time) {
    return time ? std::optional(format_time(*time)) : std::nullopt;
  };
  out.map(22);
  write(out, "path", spool.path);
  write(out, "store", spool.store.hex());
  write_text_or_nil(out, "frozen", spool.frozen);
  write(out, "frames", spool.figures.frames);
  write(out, "events", spool.figures.events);
  write(out, "blocks", spool.figures.blocks);
  write(out, "quarantined", spool.figures.quarantined);
  write(out, "bytes_on_disk", spool.figures.bytes_on_disk);
  write(out, "commits", spool.figures.commits);
  out.str("last_commit_us");
  out.float64(microseconds(spool.figures.last_commit));
  write(out, "mark", spool.figures.next_commit);
  write_text_or_nil(out, "oldest", time_text(spool.figures.oldest));
  write_text_or_nil(out, "newest", time_text(spool.figures.newest));
  write(out, "dead_letters", spool.figures.dead_letters);
  write(out, "stale_cursors", spool.figures.stale_cursors);
  write(out, "links", spool.inlet.links);
  write(out, "records", spool.inlet.records);
  write(out, "duplicates", spool.inlet.duplicates);
  write(out, "rewinds", spool.inlet.rewinds);
  write(out, "refused", spool.inlet.refused);
  write(out, "bytes_waiting", spool.inlet.bytes_waiting);
  out.str("catchup");
  out.map(5);
  write(out, "peers", spool.catchup.peers);
  write(out, "rounds", spool.catchup.rounds);
  write(out, "missing", spool.catchup.missing);
  write(out, "adopted", spool.catchup.adopted);
  const std::string& trouble = spool.catchup.trouble;
  write_text_or_nil(out, "trouble", trouble.empty() ? std::nullopt : std::optional(trouble));
}

void write_step(MsgpackWriter& out, const StepFigures& step) {
  out.map(10);
  write(out, "name", step.name);
  write(out, "step", step.step);
  write(out, "on", step.on == MiddlewareSpec::On::Publish ? std::string_view("publish") : std::string_view("dispatch"));
  write(out, "type", step.type);
  write(out, "seen", step.seen);
  write(out, "changed", step.changed);
  write(out, "filtered", step.filtered);
  write(out, "limited", step.limited);
  write(out, "expired", step.expired);
  write(out, "rejected", step.rejected);
}

}  // namespace

Bytes encode(const NodeSnapshot& snapshot) {
  MsgpackWriter out;
  out.map(24);
  write(out, "node", snapshot.node);
  write(out, "incarnation", snapshot.incarnation);
  write(out, "boot", snapshot.boot);
  write(out, "version", snapshot.version);
  write(out, "time", format_time(snapshot.time));
  write(out, "uptime_ms", static_cast<std::uint64_t>(snapshot.uptime.count() / 1'000'000));
  out.str("publishing");
  out.boolean(snapshot.publishing_open);
  out.str("lanes");
  out.array(limits::lane_count);
  for (const Priority lane : all_priorities) write_lane(out, lane, snapshot);
  out.str("middleware");
  out.array(snapshot.middleware.size());
  for (const StepFigures& step : snapshot.middleware) write_step(out, step);
  out.str("subscriptions");
  out.array(snapshot.subscriptions.size());
  for (const auto& subscription : snapshot.subscriptions) write_subscription(out, subscription);
  out.str("handlers");
  out.array(snapshot.dispatcher.handlers.size());
  for (const auto& handler : snapshot.dispatcher.handlers) write_handler(out, handler, snapshot);
  out.str("agents");
  out.array(snapshot.agents.size());
  for (std::size_t i = 0; i < snapshot.agents.size(); ++i) {
    write_agent(out, snapshot.agents[i], snapshot.dispatcher.agents[i]);
  }
  write(out, "publish", snapshot.publish);
  write(out, "refused", snapshot.refused);
  write(out, "local", snapshot.local);
  write(out, "dead_letters", snapshot.dead_letters);
  write(out, "schema", snapshot.schema);
  write(out, "redials", snapshot.redials);
  write(out, "stale_outcomes", snapshot.dispatcher.stale_outcomes);
  write(out, "waiting_for_earlier_tier", snapshot.dispatcher.waiting_for_earlier_tier);
  out.str("degraded");
  out.boolean(snapshot.degraded);
  out.str("journal");
  if (snapshot.journal) {
    write_journal(out, *snapshot.journal);
  } else {
    out.nil();
  }
  out.str("spool");
  if (snapshot.spool) {
    write_spool(out, *snapshot.spool);
  } else {
    out.nil();
  }
  out.str("durable");
  out.array(snapshot.durable.size());
  for (const DurableFigures& figures : snapshot.durable) write_durable(out, figures, snapshot.time);
  return out.take();
}

Bytes encode(const std::vector<NodeRow>& rows) {
  MsgpackWriter out;
  out.array(rows.size());
  for (const NodeRow& row : rows) {
    const Member& member = row.view.member;
    constexpr std::string_view scheme = "tcp://";
    std::string_view address = member.endpoints.control;
    if (address.starts_with(scheme)) address.remove_prefix(scheme.size());
    out.map(17);
    write(out, "name", member.name);
    write(out, "state", to_string(member.state));
    write(out, "incarnation", member.incarnation);
    write(out, "boot", member.boot.hex());
    out.str("roles");
    out.array(member.roles.size());
    for (const auto& role : member.roles) out.str(role);
    write(out, "address", address);
    write(out, "version", member.version);
    out.str("self");
    out.boolean(row.view.self);
    out.str("heartbeat_age_ms");
    if (row.view.heartbeat_age) {
      out.uint(static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.view.heartbeat_age->count() / 1'000'000)));
    } else {
      out.nil();
    }
    out.str("clock_skew_ms");
    if (row.clock_skew) {
      out.float64(microseconds(*row.clock_skew) / 1000.0);
    } else {
      out.nil();
    }
    out.str("depth");
    out.map(limits::lane_count);
    for (const Priority lane : all_priorities) {
      write(out, to_string(lane), row.heartbeat ? row.heartbeat->lane_depth[lane_index(lane)] : 0);
    }
    out.str("lost");
    out.map(row.heartbeat ? row.heartbeat->lost.size() : 0);
    if (row.heartbeat) {
      for (const auto& [reason, count] : row.heartbeat->lost) write(out, reason, count);
    }
    out.str("agents");
    out.array(row.heartbeat ? row.heartbeat->agents.size() : 0);
    if (row.heartbeat) {
      for (const auto& [name, state] : row.heartbeat->agents) {
        out.map(2);
        write(out, "agent", name);
        write(out, "state", state);
      }
    }
    write(out, "policy", row.heartbeat ? std::string_view(row.heartbeat->policy_hash) : std::string_view());
    out.str("degraded");
    out.boolean(row.heartbeat && row.heartbeat->degraded);
    const auto spool = row.heartbeat ? row.heartbeat->spool : std::nullopt;
    out.str("spool_mark");
    if (spool) {
      out.uint(spool->mark);
    } else {
      out.nil();
    }
    out.str("spool_frozen");
    out.boolean(spool && spool->frozen);
  }
  return out.take();
}

}  // namespace legion
