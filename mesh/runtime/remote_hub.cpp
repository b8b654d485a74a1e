#include <legion/runtime/remote_hub.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/base/units.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/control_params.hpp>

namespace legion {

namespace {

constexpr Duration tick_interval = 20ms;
constexpr std::uint32_t run_events_max = 256;
// So that every client, whatever its language, has it as an exact number.
constexpr std::uint64_t session_limit = 1ull << 53;

std::uint64_t in_ms(Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

void write(MsgpackWriter& out, const SubscriptionOptions& subscription) {
  const auto& group = subscription.group;
  out.map(3u + (subscription.durable ? 1 : 0) + (subscription.spec.where ? 1 : 0) + (group ? 3 : 0));
  out.str("type");
  out.str(subscription.spec.filter.text());
  out.str("tier");
  out.str(to_string(subscription.spec.tier));
  out.str("replay");
  out.boolean(subscription.replays == SubscriptionOptions::Replays::Yes);
  if (subscription.spec.where) {
    out.str("where");
    out.str(subscription.spec.where->text());
  }
  if (group) {
    out.str("group");
    out.str(group->name);
    out.str("home");
    out.str(group->home);
    out.str("shares");
    out.uint(group->shares);
  }
  if (!subscription.durable) return;
  out.str("durable");
  out.str(subscription.durable->name);
}

Result<std::uint64_t> session_of(BytesView params) {
  const auto read = ControlParams::read(params);
  if (!read) return std::unexpected(read.error());
  return read->number("session");
}

/// Never more than the node allows.
RemoteTerms agreed(RemoteTerms terms, const RemoteAttach& wanted) {
  if (wanted.credit) terms.credit = std::min(terms.credit, *wanted.credit);
  if (wanted.lease) terms.lease = std::min(terms.lease, *wanted.lease);
  if (wanted.handler_timeout && *wanted.handler_timeout > Duration{0}) {
    const bool limited = terms.handler_timeout > Duration{0};
    terms.handler_timeout =
        limited ? std::min(terms.handler_timeout, *wanted.handler_timeout) : *wanted.handler_timeout;
  }
  return terms;
}

Bytes nil() {
  MsgpackWriter out;
  out.nil();
  return out.take();
}

}  // namespace

RemoteHub::RemoteHub(std::string node, DispatchPool& pool, std::uint64_t seed, std::function<void()> wake)
    : node_(std::move(node)), pool_(pool), rng_(seed), inbox_(std::move(wake)) {}

std::unique_ptr<RemoteAgent> RemoteHub::make_agent(AgentSpec& spec, RemoteOptions options,
                                                   const std::vector<SubscriptionOptions>& subscriptions) {
  const bool runs = spec.concurrency <= 1;
  spec.run_events_max = runs ? run_events_max : 1;
  spec.handler_timeout.reset();  // the session's affair: it knows since when an event is in the client's hands
  const auto index = static_cast<RemoteInbox::AgentIndex>(agents_.size());
  auto agent =
      std::make_unique<RemoteAgent>(inbox_, index, runs ? RemoteAgent::Takes::Runs : RemoteAgent::Takes::Singles);
  agents_.push_back(std::make_unique<Served>(Served{.index = index,
                                                    .name = spec.name,
                                                    .agent = agent.get(),
                                                    .concurrency = spec.concurrency,
                                                    .options = std::move(options),
                                                    .subscriptions = subscriptions}));
  return agent;
}

void RemoteHub::announce(AgentId id, std::vector<SubscriptionId> subscriptions) {
  LEGION_ASSERT(!agents_.empty());
  agents_.back()->id = id;
  agents_.back()->numbers = std::move(subscriptions);
}

// --- turns -----------------------------------------------------------------------------------------------------------

void RemoteHub::on_turn(Now now) {
  take_inbox(now);
  const bool tick = now.steady >= next_tick_;
  if (tick) next_tick_ = now.steady + tick_interval;
  for (const auto& served : agents_) {
    if (!served->session) {
      if (served->away_since && now.steady - *served->away_since > undeclared_away_max) remove_undeclared(*served);
      continue;
    }
    RemoteSession& session = *served->session;
    if (tick) session.on_tick(now.steady);
    session.pump(now.steady);
    if (session.lost().empty()) continue;
    tell_closed(session.peer(), session.number(), "closed", session.lost());
    end_session(*served, std::string(session.lost()), RemoteSession::Blame::InHands);
  }
}

void RemoteHub::take_inbox(Now now) {
  RemoteInbox::Contents contents = inbox_.take();
  if (contents.empty()) return;
  for (const auto index : contents.started) agents_[index]->stage = Served::Stage::Started;
  for (RemoteInbox::Handed& handed : contents.runs) {
    Served& served = *agents_[handed.agent];
    // Of an earlier life: the dispatcher has taken it back already.
    if (!served.session || handed.life != served.agent->life()) continue;
    served.session->take(now.steady, std::move(handed.run));
  }
  for (const auto index : contents.stopped) stop(*agents_[index]);
}

void RemoteHub::stop(Served& served) {
  served.stage = Served::Stage::Stopped;
  if (!served.session) return;
  tell_closed(served.session->peer(), served.session->number(), "closed", "the node is stopping");
  by_peer_.erase(served.session->peer());
  served.session.reset();  // the pool has stopped: there is nobody to report to
}

void RemoteHub::end_session(Served& served, std::string_view error, RemoteSession::Blame blame) {
  const auto session = std::move(served.session);
  by_peer_.erase(session->peer());
  // What a worker has handed over and nobody has looked at was not sent: it comes again untouched.
  const auto life = served.agent->life();
  served.agent->next_life();
  for (RemoteInbox::Handed& handed : inbox_.take_of(served.index)) {
    if (handed.life == life) session->take(session->last_heard(), std::move(handed.run));
  }
  AgentServices& services = *served.agent->services();
  services.log(LogLevel::Warn, "away: " + std::string(error));
  services.set_state("away");
  if (served.declared == Served::Declared::No) served.away_since = session->last_heard();
  session->end(error, blame);
  services.agent_down(std::string(error));
}

// --- what clients ask ------------------------------------------------------------------------------------------------

void RemoteHub::on_request(Now now, const Peer& peer, std::string_view method, BytesView params, const Answer& answer) {
  if (method == "agent.attach") return answer(attach(now, peer, params));
  if (method == "agent.detach") return answer(detach(params));
  if (method == "agent.beat") return answer(beat(params));
  answer(fail(ErrorCode::NotFound, "no such method: " + std::string(method.substr(0, 64))));
}

Result<Bytes> RemoteHub::attach(Now now, const Peer& peer, BytesView params) {
  if (peer.envelope == Peer::Envelope::Delimited) {
    return fail(ErrorCode::InvalidArgument, "a REQ socket cannot be handed events; use a DEALER");
  }
  const auto wanted = decode_remote_attach(params);
  if (!wanted) return std::unexpected(wanted.error());
  const auto found = find_or_add(*wanted);
  if (!found) return std::unexpected(found.error());
  Served& served = **found;
  if (served.stage == Served::Stage::New) return fail(ErrorCode::WouldBlock, "the node is starting");
  if (served.stage == Served::Stage::Stopped) return fail(ErrorCode::Closed, "the node is stopping");
  if (const auto agrees = check_agrees(served, *wanted); !agrees) return std::unexpected(agrees.error());
  if (const auto room = make_room(now, served, peer); !room) return std::unexpected(room.error());

  if (served.declared == Served::Declared::No) {
    if (const auto done = change_subscriptions(served, *wanted->subscriptions); !done)
      return std::unexpected(done.error());
    served.away_since.reset();
  }
  const RemoteTerms terms = agreed(served.options.terms, *wanted);
  AgentServices& services = *served.agent->services();
  served.session = std::make_unique<RemoteSession>(
      RemoteSession::Setup{.number = 1 + rng_.below(session_limit - 1),
                           .peer = peer,
                           .agent = served.id,
                           .subscriptions = ranges_of(served),
                           .terms = terms,
                           .services = services,
                           .pool = pool_,
                           .send = [this, peer](BytesView message) { return send_(peer, message); }},
      now.steady);
  by_peer_[peer] = &served;
  services.count("attached", 1);
  services.set_state("attached");
  services.log(LogLevel::Info, "a client has attached");
  services.agent_up();
  return attached(served);
}

std::vector<RemoteSession::Numbers> RemoteHub::ranges_of(const Served& served) {
  std::vector<RemoteSession::Numbers> all;
  for (std::size_t i = 0; i < served.numbers.size(); ++i) {
    all.push_back({served.numbers[i], served.subscriptions[i].count()});
  }
  return all;
}

Bytes RemoteHub::attached(const Served& served) const {
  const RemoteTerms& terms = served.session->terms();
  MsgpackWriter out;
  out.map(8);
  out.str("session");
  out.uint(served.session->number());
  out.str("node");
  out.str(node_);
  out.str("agent");
  out.str(served.name);
  out.str("subscriptions");
  out.array(served.subscriptions.size());
  for (const SubscriptionOptions& one : served.subscriptions) write(out, one);
  out.str("concurrency");
  out.uint(served.concurrency);
  out.str("credit");
  out.uint(terms.credit);
  out.str("lease_ms");
  out.uint(in_ms(terms.lease));
  out.str("handler_timeout_ms");
  out.uint(in_ms(terms.handler_timeout));
  return out.take();
}

/// What a client states has to be what the configuration says; what it leaves out it takes as it is.
Result<void> RemoteHub::check_agrees(const Served& served, const RemoteAttach& attach) const {
  if (served.declared == Served::Declared::No) {
    if (attach.concurrency.value_or(1) == served.concurrency) return {};
    return fail(ErrorCode::InvalidArgument, "params.concurrency: it is " + std::to_string(served.concurrency) +
                                                " for this agent until the node is started again");
  }
  if (attach.concurrency && *attach.concurrency != served.concurrency) {
    return fail(ErrorCode::InvalidArgument, "params.concurrency: the configuration of node " + node_ + " says " +
                                                std::to_string(served.concurrency));
  }
  if (attach.max_attempts || attach.retry_delay || attach.backoff) {
    return fail(ErrorCode::InvalidArgument,
                "params.retry: the agent is declared in the configuration of node " + node_ + ", which decides");
  }
  if (!attach.subscriptions) return {};
  for (const SubscriptionOptions& wanted : *attach.subscriptions) {
    const auto is_same = [&](const SubscriptionOptions& one) { return same_subscription(one, wanted); };
    if (std::ranges::any_of(served.subscriptions, is_same)) continue;
    return fail(ErrorCode::InvalidArgument, "params.subscriptions: the configuration of node " + node_ +
                                                " has no subscription " + describe(wanted) + " for this agent");
  }
  return {};
}

/// Takes over from a client that is gone, or that attaches again over the same connection.
Result<void> RemoteHub::make_room(Now now, Served& served, const Peer& peer) {
  if (const auto other = by_peer_.find(peer); other != by_peer_.end() && other->second != &served) {
    return fail(ErrorCode::Refused,
                "this connection serves agent " + other->second->name + " already; use one connection for each agent");
  }
  if (!served.session) return {};
  if (served.session->peer() == peer) {
    end_session(served, "the client has attached again", RemoteSession::Blame::InHands);
    return {};
  }
  if (served.session->probe()) {
    return fail(
        ErrorCode::NameTaken,
        "another client serves agent " + served.name + "; it was heard " +
            format_duration(std::chrono::floor<std::chrono::milliseconds>(now.steady - served.session->last_heard())) +
            " ago");
  }
  end_session(served, std::string(served.session->lost()), RemoteSession::Blame::InHands);
  return {};
}

Result<Bytes> RemoteHub::detach(BytesView params) {
  const auto session = session_of(params);
  if (!session) return std::unexpected(session.error());
  Served* served = by_session(*session);
  if (served == nullptr) return fail(ErrorCode::NotFound, "no such session");
  end_session(*served, "the client has detached", RemoteSession::Blame::Nobody);
  if (served->declared == Served::Declared::No) remove_undeclared(*served);
  return nil();
}

Result<Bytes> RemoteHub::beat(BytesView params) {
  const auto session = session_of(params);
  if (!session) return std::unexpected(session.error());
  if (by_session(*session) == nullptr) return fail(ErrorCode::NotFound, "no such session: attach again");
  return nil();
}

void RemoteHub::on_notification(Now now, const Peer& peer, std::string_view method, BytesView params) {
  const auto addressed = decode_remote_addressed(params);
  Served* served = addressed ? by_session(addressed->session) : nullptr;
  if (served == nullptr || served->session->peer() != peer) {
    return tell_closed(peer, addressed ? addressed->session : 0, "not_found", "no such session: attach again");
  }
  if (method == "agent.credit") {
    MsgpackReader in(addressed->rest);
    const auto credit = in.read_uint();
    if (credit && *credit <= remote_limits::credit_max) {
      served->session->set_credit(std::min(served->options.terms.credit, static_cast<std::uint32_t>(*credit)));
      return;
    }
  }
  served->session->on_answer(now.steady, method, addressed->rest);
}

void RemoteHub::heard(Now now, const Peer& peer) {
  if (by_peer_.empty()) return;
  if (const auto found = by_peer_.find(peer); found != by_peer_.end()) found->second->session->heard(now.steady);
}

const std::string* RemoteHub::agent_of(const Peer& peer) const {
  if (by_peer_.empty()) return nullptr;
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : &found->second->name;
}

RemoteHub::Served* RemoteHub::by_session(std::uint64_t number) {
  for (const auto& served : agents_) {
    if (served->session && served->session->number() == number) return served.get();
  }
  return nullptr;
}

void RemoteHub::tell_closed(const Peer& peer, std::uint64_t session, std::string_view code, std::string_view text) {
  MsgpackWriter params;
  params.array(3);
  params.uint(session);
  params.str(code);
  params.str(text);
  send_(peer, encode(RpcNotification{"agent.closed", params.take()}));
}

}  // namespace legion
