// The part of the loop that does what the membership decides.
#include <legion/runtime/node_loop.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/base/overloaded.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/roster_pages.hpp>
#include <legion/runtime/tails_params.hpp>

namespace legion {

namespace {

const Filter& heartbeat_filter() {
  static const Filter filter = *Filter::parse("agent.heartbeat");
  return filter;
}

// Tails of one lane that a goodbye carries; those of further streams are heard from their markers only.
constexpr std::size_t goodbye_tails_max = 2000;

// Looking up the name of a peer again: doubling from redial_max up to this.
constexpr Duration look_up_pause_max = 30s;

LogLevel level_of(effect::LogLine::Level level) {
  switch (level) {
    case effect::LogLine::Level::Info: return LogLevel::Info;
    case effect::LogLine::Level::Warning: return LogLevel::Warn;
    case effect::LogLine::Level::Error: return LogLevel::Error;
  }
  LEGION_UNREACHABLE();
}

}  // namespace

namespace {

DurableConfig durable_config(const std::string& node, const PolicyTable& policy) {
  DurableConfig config;
  config.node = node;
  config.max_requeues = UINT32_MAX;  // DurableControl judges
  config.is_journalled = [&policy](std::string_view type) {
    return policy.resolve(type).durability != Durability::None;
  };
  return config;
}

}  // namespace

NodeLoop::Streams::Streams(NodeLoop& loop, Origin origin)
    : ledger(origin.node, origin, loop.setup_.seed ^ origin.incarnation),
      inbound(ledger, loop.setup_.pool),
      journal(
          {*loop.setup_.sockets.context, loop.poller_, loop.setup_.intake, loop.setup_.options.membership.redial_max,
           loop.setup_.options.membership.connect_timeout, loop.setup_.log},
          origin, loop.setup_.boot, loop.setup_.options.journal, loop.setup_.seed ^ ~origin.incarnation),
      outbound(origin, loop.setup_.options.membership.heartbeat_interval, loop.setup_.sockets.lanes, loop.setup_.intake,
               journal.journal(), loop.setup_.executor,
               [&loop](Now now, UnnumberedFrame& frame) { loop.on_own_frame(now, frame); }),
      durable(
          {*loop.setup_.sockets.context, loop.poller_, &loop.setup_.pool, outbound, origin, loop.setup_.boot,
           loop.setup_.options.membership.redial_max, loop.setup_.options.membership.connect_timeout, loop.setup_.log},
          durable_config(loop.setup_.options.name, loop.setup_.intake.policy())),
      stand_ins(durable.setup(), durable_config(loop.setup_.options.name, loop.setup_.intake.policy())),
      replay(origin, ledger, inbound, loop.setup_.pool, loop.setup_.intake.policy(), loop.setup_.handlers) {}

void NodeLoop::tick_membership(Now now) {
  membership_.on_tick(now);
  carry_out(now);
  setup_.status.alive_members.store(membership_.alive(), std::memory_order_relaxed);
  if (streams_) retry_unresolved(now);
  tick_leaving(now);
}

// What is kept of members that membership has forgotten.
void NodeLoop::forget_strangers() {
  const auto unknown = [&](const auto& entry) { return membership_.find(entry.first) == nullptr; };
  std::erase_if(heard_, unknown);
  if (membership_.size() < incarnations_.size()) std::erase_if(incarnations_, unknown);
}

void NodeLoop::tick_leaving(Now now) {
  if (!leaving_) return;
  const bool late = now.steady >= leaving_->deadline;
  if (!leaving_->said) {
    const bool sent = setup_.intake.empty() || !membership_.publishing_open() || fenced_;
    if (!(sent && durable_settled(now) && journal_settled()) && !late) return;
    if (streams_ && !fenced_) {
      close_journal(now);
      streams_->outbound.flush_markers(now);
      membership_.leave(now);
      carry_out(now);
    }
    leaving_->said = true;
  }
  if (goodbyes_under_way_ > 0 && !late) return;
  left_.set();
}

void NodeLoop::carry_out(Now now) {
  for (bool more = true; more;) {
    const auto effects = membership_.drain_effects();
    more = !effects.empty();
    for (const MembershipEffect& any : effects) {
      std::visit(Overloaded{
                     [&](const effect::SendHello& e) { send_hello(now, e); },
                     [&](const effect::FetchRoster& e) { fetch_roster(e.address); },
                     [&](const effect::ConnectPeer& e) { connect(now, e.peer); },
                     [&](const effect::DisconnectPeer& e) {
                       std::erase_if(waiting_peers_, [&](const Member& peer) { return peer.name == e.name; });
                       synced_lanes_.erase(e.name);
                       if (streams_) disconnect(e.name);
                     },
                     [&](const effect::IncarnationChosen& e) { open_streams(now, e.incarnation); },
                     [&](const effect::PublishingOpen&) {
                       setup_.status.publishing_open.store(true, std::memory_order_release);
                       setup_.log(LogLevel::Info, "joined: publishing is open");
                     },
                     [&](const effect::PublishHeartbeat& e) { publish_heartbeat(now, e.leaving); },
                     [&](const effect::SendGoodbye& e) { send_goodbyes(now, e.addresses); },
                     [&](const effect::PersistRoster&) {
                       // Not here: a slow disk must not stop the loop.
                       setup_.executor.post(
                           [&state_dir = setup_.state_dir, &log = setup_.log, members = membership_.roster_to_keep()] {
                             if (auto saved = state_dir.save_roster(members); !saved) {
                               log(LogLevel::Error, "the roster is not kept: " + saved.error().message);
                             }
                           });
                     },
                     [&](const effect::MemberChanged& e) { on_member_changed(now, e); },
                     [&](const effect::CollectTails& e) { collect_tails(now, e.address, e.origins); },
                     [&](const effect::Fence& e) {
                       fenced_ = true;
                       setup_.intake.close();
                       end_with({70, e.message});
                     },
                     [&](const effect::GiveUp& e) {
                       fenced_ = true;
                       end_with({e.exit_code, e.message});
                     },
                     [&](const effect::LogLine& e) { setup_.log(level_of(e.level), e.text); },
                 },
                 any);
    }
  }
  tell_of_spools();
}

void NodeLoop::end_with(NodeExit exit) { setup_.on_exit(std::move(exit)); }

void NodeLoop::open_streams(Now now, Incarnation incarnation) {
  if (auto saved = setup_.state_dir.save_incarnation(incarnation); !saved) {
    fenced_ = true;
    end_with({73, "the incarnation cannot be kept, so nothing may be published: " + saved.error().message});
    return;
  }
  const Origin origin{setup_.options.name, incarnation};
  setup_.log(LogLevel::Info, "node " + origin.node + ", incarnation " + std::to_string(incarnation) +
                                 ", listening on " + setup_.sockets.listening_on + ", reached at " +
                                 setup_.sockets.endpoints.control);
  streams_ = std::make_unique<Streams>(*this, origin);
  MeshReaderOptions options;
  options.redial_max = setup_.options.membership.redial_max;
  options.connect_timeout = setup_.options.membership.connect_timeout;
  auto reader = MeshReader::create(*setup_.sockets.context, options, streams_->ledger, setup_.log);
  if (!reader) {
    fenced_ = true;
    streams_.reset();
    end_with({70, "cannot open the lanes: " + reader.error().message});
    return;
  }
  streams_->reader = std::move(*reader);
  poller_.add(streams_->reader->pollables());
  streams_->reader->on_link_down = [this](const std::string& name, Priority lane) {
    setup_.log(LogLevel::Debug, "link to " + name + " down (" + std::string(to_string(lane)) + ")");
  };
  streams_->inbound.on_new = [this](const FramePtr& frame, std::uint32_t first) { on_new_events(now_, frame, first); };
  if (setup_.options.log_events) {
    streams_->inbound.on_offered = [this](const FramePtr& frame, std::uint32_t first) {
      log_events("event for handlers here: ", frame, first);
    };
  }
  open_durable(now);
  // Everything is subscribed before the first link is made, so no baseline has to wait for a subscription.
  for (std::size_t i = 0; i < setup_.filters.size(); ++i) route(i);
  for (const SubscriptionId subscription : std::exchange(ended_early_, {})) end_subscription(subscription);
  streams_->ledger.add_subscription(heartbeat_filter());
  streams_->reader->subscribe(heartbeat_filter());
  // Programs of this host may have subscribed already: they reconnect faster than a node joins.
  if (local_) {
    for (const Filter& filter : local_->interests()) streams_->reader->subscribe(filter);
  }
  const bool is_spool = !setup_.sockets.own_spool.empty();
  const bool captures = is_spool || setup_.options.journal.spools_expected == JournalOptions::SpoolsExpected::Yes;
  if (captures) streams_->outbound.set_capture(Outbound::Capture::On);
  if (is_spool) connect_spool(setup_.options.name, setup_.sockets.own_spool);
  for (const Member& peer : std::exchange(waiting_peers_, {})) connect(now, peer);
  for (const auto& [topic, lane] : std::exchange(waiting_syncs_, {})) answer_sync(now, topic, lane);
}

void NodeLoop::connect_spool(const Member& member) {
  if (member.endpoints.spool.empty()) return disconnect_spool(member.name);
  streams_->outbound.set_capture(Outbound::Capture::On);
  caller_.resolve({member.endpoints.spool}, [this, name = member.name](Result<std::vector<std::string>> result) {
    const Member* known = membership_.find(name);
    // A name that cannot be looked up: connect() asks again and says so.
    if (!known || known->state == MemberState::Left || !streams_ || !result) return;
    connect_spool(name, result->front());
  });
}

void NodeLoop::connect_spool(const std::string& name, const std::string& uri) {
  streams_->journal.connect(name, uri);
  streams_->durable.connect(name, uri);
  if (catchup_) catchup_->connect(name, uri);
}

bool NodeLoop::is_gone(const Origin& origin) const {
  if (origin.node == setup_.options.name) return origin.incarnation < membership_.incarnation();
  const Member* member = membership_.find(origin.node);
  if (member == nullptr || member->incarnation < origin.incarnation) return false;  // not known here yet
  return member->incarnation > origin.incarnation || member->state == MemberState::Dead ||
         member->state == MemberState::Left;
}

bool NodeLoop::is_degraded() const {
  return (streams_ && streams_->journal.journal().degraded()) || (setup_.spool != nullptr && setup_.spool->frozen());
}

/// Cursors are written once more, and everything recorded is durable.
bool NodeLoop::durable_settled(Now now) {
  if (!streams_ || fenced_) return true;
  if (!std::exchange(leaving_->cursors_written, true)) {
    report_letters();  // of what died while it drained: nothing is recorded behind this
    streams_->durable.subscriptions().close(now);
    streams_->durable.carry_out(now);
  }
  return (streams_->durable.settled() && streams_->groups.settled()) || !streams_->journal.knows_spools();
}

/// What is appended is sent, and what the spools have said takes effect.
void NodeLoop::pump_journal(Now now) {
  if (!streams_) return;
  streams_->journal.carry_out(now, streams_->outbound);
  streams_->durable.carry_out(now);
}

/// Nothing that was published waits for a spool, or there is none to wait for.
bool NodeLoop::journal_settled() const {
  return !streams_ || fenced_ || !streams_->journal.knows_spools() || streams_->journal.settled();
}

void NodeLoop::close_journal(Now now) {
  if (std::exchange(leaving_->closed, true)) return;
  const std::uint64_t unconfirmed = streams_->journal.journal().figures(JournalKind::Confirmed).unconfirmed_events;
  if (unconfirmed > 0) {
    setup_.log(LogLevel::Error,
               std::to_string(unconfirmed) +
                   " events were not confirmed by spools before this node had to stop; whether they are "
                   "durable is not known");
  }
  streams_->journal.journal().close(now);
  streams_->journal.carry_out(now, streams_->outbound);
  streams_->outbound.give_up_confirms();
}

void NodeLoop::connect(Now now, const Member& peer) {
  if (!streams_) {
    waiting_peers_.push_back(peer);
    return;
  }
  auto& known = incarnations_[peer.name];
  if (peer.incarnation > known) {
    known = peer.incarnation;
    streams_->ledger.on_origin_incarnation(now, {peer.name, peer.incarnation});
    streams_->reader->succeed(now, peer.name);
  }
  const std::vector<std::string> uris(peer.endpoints.lanes.begin(), peer.endpoints.lanes.end());
  caller_.resolve(
      uris, [this, name = peer.name, incarnation = peer.incarnation](Result<std::vector<std::string>> result) {
        const Member* member = membership_.find(name);
        if (!member || member->incarnation != incarnation || member->state == MemberState::Left) return;
        if (!result) {
          const auto [entry, fresh] = unresolved_.try_emplace(name);
          if (fresh)
            setup_.log(LogLevel::Warn, "cannot connect to " + name + ", trying again: " + result.error().message);
          entry->second.pause =
              std::clamp(entry->second.pause * 2, setup_.options.membership.redial_max, look_up_pause_max);
          entry->second.due = now_.steady + entry->second.pause;
          return;
        }
        unresolved_.erase(name);
        std::array<std::string, limits::lane_count> lanes;
        std::ranges::copy(*result, lanes.begin());
        streams_->reader->connect(now_, name, lanes);
        connect_spool(*member);
      });
}

// Names that could not be looked up: a resolver that is away for a moment must not cost a peer.
void NodeLoop::retry_unresolved(Now now) {
  std::vector<Member> due;
  for (auto entry = unresolved_.begin(); entry != unresolved_.end();) {
    const Member* member = membership_.find(entry->first);
    if (!member || member->state == MemberState::Left) {
      entry = unresolved_.erase(entry);
      continue;
    }
    if (now.steady >= entry->second.due) {
      entry->second.due = now.steady + look_up_pause_max;  // until this attempt is answered
      due.push_back(*member);
    }
    ++entry;
  }
  for (const Member& member : due) connect(now, member);
}

void NodeLoop::disconnect(const std::string& name) {
  streams_->reader->disconnect(now_, name);
  const Member* member = membership_.find(name);
  if (member && member->state != MemberState::Left) return;
  disconnect_spool(name);
  // Over for good: the books stay, the streams go.
  if (const auto life = incarnations_.find(name); life != incarnations_.end()) {
    const Origin origin{name, life->second};
    for (const Priority lane : all_priorities) {
      last_words_.add(origin, lane, streams_->ledger.known_tails(origin, lane));
    }
  }
  streams_->ledger.forget_origin(name);
}

void NodeLoop::disconnect_spool(const std::string& name) {
  streams_->journal.disconnect(now_, name);
  streams_->durable.disconnect(now_, name);
  if (catchup_) catchup_->disconnect(name);
}

void NodeLoop::on_member_changed(Now now, const effect::MemberChanged& change) {
  const std::string from = change.from ? std::string(to_string(*change.from)) : "unknown";
  const bool bad = change.from && (change.to == MemberState::Dead || change.to == MemberState::Suspect);
  setup_.log(bad ? LogLevel::Warn : LogLevel::Info, "member " + change.member.name + ": " + from + " -> " +
                                                        std::string(to_string(change.to)) + " (" + change.why + ")");
  if (!streams_) return;
  const Origin origin{change.member.name, change.member.incarnation};
  switch (change.to) {
    case MemberState::Alive:
      if (change.from) streams_->ledger.on_origin_back(now, origin);
      break;
    case MemberState::Suspect: break;
    case MemberState::Dead:
      streams_->ledger.on_origin_dead(now, origin);
      streams_->reader->suspect(now, origin.node);
      break;
    case MemberState::Left: streams_->ledger.on_origin_dead(now, origin); break;
  }
}

void NodeLoop::send_hello(Now now, const effect::SendHello& effect) {
  caller_.call(now, effect.address, "hello", encode(effect.request), setup_.options.membership.connect_timeout,
               [this, address = effect.address](Result<Bytes> result) {
                 if (result) {
                   const auto reply = decode_hello_reply(*result);
                   if (reply) {
                     membership_.on_hello_reply(now_, address, *reply);
                     return;
                   }
                   setup_.log(LogLevel::Warn, address + ": " + reply.error().message);
                 }
                 const bool unknown_name = !result && result.error().code == ErrorCode::NotFound;
                 if (unknown_name && unknown_names_.insert(address).second) {
                   setup_.log(LogLevel::Warn, address + ": " + result.error().message + "; trying again");
                 }
                 if (!unknown_name) unknown_names_.erase(address);
                 const bool refused = !result && (unknown_name || result.error().code == ErrorCode::Unreachable);
                 const bool answered = !result && (result.error().code == ErrorCode::Refused ||
                                                   result.error().code == ErrorCode::WrongVersion);
                 membership_.on_hello_failed(
                     now_, address, refused ? Membership::HelloFailure::Refused : Membership::HelloFailure::TimedOut,
                     answered ? std::string_view(result.error().message) : std::string_view());
               });
}

void NodeLoop::fetch_roster(const std::string& address) {
  const Duration timeout = setup_.options.membership.connect_timeout;
  fetch_roster_pages(caller_, now_, address, timeout, [this](Result<RosterPage> page) {
    if (!page) return;  // the next heartbeat shows whether it is still needed
    membership_.on_roster(now_, page->members,
                          page->more ? Membership::RosterPart::More : Membership::RosterPart::Last);
  });
}

void NodeLoop::send_goodbyes(Now now, const std::vector<std::string>& addresses) {
  MsgpackWriter params;
  params.map(3);
  params.str("name");
  params.str(setup_.options.name);
  params.str("incarnation");
  params.uint(membership_.incarnation());
  params.str("tails");
  params.array(limits::lane_count);
  for (const Priority lane : all_priorities) {
    auto tails = streams_->outbound.egress().tails(lane);
    if (tails.size() > goodbye_tails_max) tails.resize(goodbye_tails_max);
    params.raw(encode(tails));
  }
  const Bytes bytes = params.take();
  for (const auto& address : addresses) {
    ++goodbyes_under_way_;
    caller_.call(now, address, "goodbye", bytes, 1s, [this](const Result<Bytes>&) { --goodbyes_under_way_; });
  }
}

void NodeLoop::collect_tails(Now now, const std::string& address, std::vector<Origin> origins) {
  if (!streams_) return;
  Bytes params = tails_params(origins);
  caller_.call(now, address, "tails", std::move(params), setup_.options.membership.connect_timeout,
               [this, address, asked = std::move(origins)](Result<Bytes> result) mutable {
                 if (!result) return;  // a member that cannot be asked may know more: that is not covered
                 const auto answer = decode_tails_answer(*result);
                 if (!answer || answer->empty() || answer->size() > asked.size()) return;
                 for (std::size_t i = 0; i < answer->size(); ++i) {
                   for (const Priority lane : all_priorities) {
                     streams_->ledger.on_foreign_tails(asked[i], lane, (*answer)[i][lane_index(lane)]);
                   }
                 }
                 // What did not fit into one message.
                 asked.erase(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(answer->size()));
                 if (!asked.empty()) collect_tails(now_, address, std::move(asked));
               });
}

void NodeLoop::publish_heartbeat(Now now, bool leaving) {
  if (!streams_ || fenced_) return;
  forget_strangers();
  Heartbeat heartbeat;
  heartbeat.self = membership_.self_member();
  heartbeat.leaving = leaving;
  heartbeat.roster_hash = membership_.hash();
  heartbeat.policy_hash = policy_hash_;
  heartbeat.interval = setup_.options.membership.heartbeat_interval;
  heartbeat.degraded = is_degraded();
  if (setup_.spool != nullptr) {
    heartbeat.spool = StoreMark{
        .store = setup_.spool->id(), .mark = setup_.spool->store_mark(), .frozen = setup_.spool->frozen().has_value()};
  }
  for (const auto& agent : setup_.agents) {
    if (agent->place() == HostedAgent::Place::Here) heartbeat.agents.emplace_back(agent->name(), agent->state());
  }
  Books sum;
  for (const Books& books : books_before_dispatch()) sum += books;
  setup_.pool.inspect([&](const Dispatcher& dispatcher) {
    for (std::uint32_t i = 0; i < setup_.filters.size(); ++i) sum += dispatcher.books({i});
    for (const LossReason reason : all_loss_reasons) {
      heartbeat.lost[std::string(to_string(reason))] = sum.lost_for(reason);
    }
    heartbeat.lane_depth = dispatcher.lane_depths();
  });
  heard_[setup_.options.name] = {heartbeat, Duration{0}};
  last_heartbeat_ = now.steady;
  Event event;
  event.type = "agent.heartbeat";
  event.source = setup_.options.name + "/!node";
  event.time = now.wall;
  event.priority = Priority::Critical;
  event.data = encode(heartbeat);
  auto encoded = encode_event(event, 0, limits::event_bytes_max);
  if (!encoded) {
    setup_.log(LogLevel::Error, "cannot encode the heartbeat: " + encoded.error().message);
    return;
  }
  streams_->outbound.send_now(now, *encoded);
}

}  // namespace legion
