#include <legion/runtime/node_loop.hpp>

#include <legion/base/assert.hpp>
#include <legion/base/threads.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/letter_words.hpp>

namespace legion {

namespace {

constexpr Duration turn_max = 50ms;           // sockets have to be touched at least every 100 ms
constexpr Duration reading_max = 5ms;
constexpr std::size_t critical_per_look = 256;
constexpr std::size_t lower_between_looks = 8;
constexpr std::array<std::size_t, limits::lane_count> per_round{256, 64, 16, 8};
constexpr std::size_t upstream_per_turn = 4096;
constexpr std::size_t waiting_syncs_max = 4096;

Membership::Self self_of(const NodeLoop::Setup& setup) {
  Membership::Self self;
  self.name = setup.options.name;
  self.boot = setup.boot;
  self.endpoints = setup.sockets.endpoints;
  self.roles = setup.options.roles;
  self.version = setup.options.version;
  self.kept_incarnation = setup.kept_incarnation;
  self.kept_roster = setup.kept_roster;
  return self;
}

transport::ControlClientOptions client_options(const NodeHostOptions& options) {
  transport::ControlClientOptions client;
  client.redial_max = options.membership.redial_max;
  client.connect_timeout = options.membership.connect_timeout;
  return client;
}

}  // namespace

NodeLoop::NodeLoop(Setup setup)
    : setup_(std::move(setup)),
      policy_hash_(setup_.intake.policy().hash()),
      membership_(setup_.options.membership, self_of(setup_), setup_.seed),
      caller_(*setup_.sockets.context, client_options(setup_.options), std::move(setup_.sockets.resolver)),
      service_(*setup_.sockets.control, setup_.intake, backend()),
      poller_(*setup_.sockets.poller),
      wake_token_(poller_.add(setup_.wake.pollable())) {
  poller_.add(setup_.sockets.control->pollables());
  setup_.remote.send_by([&control = *setup_.sockets.control](const transport::ControlPeer& peer, BytesView message) {
    return control.reply(peer, message);
  });
  for (const auto& lane : setup_.sockets.lanes) poller_.add(lane->pollables());
  caller_.watch(poller_);
  if (setup_.spool != nullptr) {
    poller_.add(setup_.spool->pollables());
    catchup_.emplace(catchup_setup(), SpoolCatchup::Pace{});
  }
  if (setup_.sockets.local) poller_.add(setup_.sockets.local->pollables());
  if (setup_.sockets.local) local_.emplace(std::move(setup_.sockets.local), setup_.intake, setup_.log);
  if (!local_) return;
  local_->on_interest = [this](const Filter& filter, transport::SubscriptionChange change) {
    if (!streams_) return;
    if (change == transport::SubscriptionChange::Added) {
      streams_->reader->subscribe(filter);
    } else {
      streams_->reader->unsubscribe(filter);
    }
  };
}

SpoolCatchup::Setup NodeLoop::catchup_setup() {
  transport::SpoolClientOptions client;
  client.redial_max = setup_.options.membership.redial_max;
  client.connect_timeout = setup_.options.membership.connect_timeout;
  return {.context = *setup_.sockets.context,
          .poller = poller_,
          .service = *setup_.spool,
          .self = setup_.options.name,
          .is_gone = [this](const Origin& origin) { return is_gone(origin); },
          .client = client,
          .log = setup_.log};
}

NodeLoop::~NodeLoop() {
  stop();
  poller_.remove(wake_token_);
}

void NodeLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void NodeLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
  }
  setup_.wake.wake_always();
}

void NodeLoop::run_tasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) task();
}

bool NodeLoop::quiesce(Duration limit) {
  post([this] {
    quiesce_ = true;
    if (streams_) {
      streams_->durable.subscriptions().begin_drain(now_);
      streams_->groups.leave(now_);
    }
    if (!streams_ || !std::exchange(listening_, false)) return;
    for (const Filter& filter : setup_.filters) streams_->reader->unsubscribe(filter);
    for (const auto& replays : setup_.replays) {
      if (replays) streams_->reader->unsubscribe(*replays);
    }
  });
  return quiet_.wait(limit);
}

// One turn in which nothing was offered to handlers, nothing is held by them, and nothing waits to be numbered. In this
// order: handlers publish before they answer, so with nothing held every consequence is in the intake or has been
// numbered, and what was numbered in this turn would have been offered in it.
void NodeLoop::check_quiet(bool offered_something) {
  if (!quiesce_ || offered_something || !setup_.pool.drained() || !journal_settled()) return;
  if (setup_.intake.empty() || !membership_.publishing_open() || fenced_) quiet_.set();
}

void NodeLoop::leave(Duration limit) {
  post([this, limit] { leaving_ = Leaving{now_.steady + limit, false}; });
  left_.wait(limit + 2s);
}

void NodeLoop::stop() {
  stopping_.store(true, std::memory_order_release);
  setup_.wake.wake_always();
  if (thread_.joinable()) thread_.join();
}

void NodeLoop::run() {
  name_this_thread("legion-loop");
  now_ = read_clocks();
  started_at_ = now_.steady;
  next_tick_ = now_.steady;
  membership_.start(now_);
  carry_out(now_);
  while (!stopping_.load(std::memory_order_acquire)) turn();
  if (setup_.spool != nullptr) setup_.spool->shutdown(read_clocks());
}

// The announcement comes before the last look at the intake: whoever publishes after that look sees it and wakes us.
void NodeLoop::wait() {
  Duration limit{0};
  if (!poller_.has_input() && !membership_.wants_tick()) {
    const Now now = read_clocks();
    if (streams_) streams_->outbound.tell_what_is_held(now);
    setup_.wake.announce_sleep();
    const SteadyTime until = std::min(next_flush(now).value_or(next_tick_), next_tick_);
    limit = std::clamp(until - now.steady, Duration{0}, turn_max);
  }
  if (poller_.wait(limit) == transport::PollOutcome::Closed) stopping_.store(true, std::memory_order_release);
  setup_.wake.awake();
  if (poller_.ready(wake_token_)) setup_.wake.drain();
}

std::optional<SteadyTime> NodeLoop::next_flush(Now now) const {
  const bool may_send = streams_ && membership_.publishing_open() && !fenced_;
  return may_send ? streams_->outbound.next_flush(now) : std::nullopt;
}

// Each step costs what there is for it: a socket whose flag is down is not touched.
void NodeLoop::turn() {
  wait();
  now_ = read_clocks();
  run_tasks();
  const std::uint64_t offered = streams_ ? streams_->inbound.offered() : 0;
  if (streams_) read_lanes(now_);
  hear(now_);
  service_.on_turn(now_);
  setup_.remote.on_turn(now_);
  carry_out(now_);
  caller_.on_tick(now_);
  carry_out(now_);
  read_upstream(now_);
  drain_bind_monitors();
  if (local_) local_->on_turn(now_);
  if (setup_.spool != nullptr) setup_.spool->on_turn(now_);
  if (catchup_) catchup_->on_turn(now_);
  if (streams_) {
    streams_->journal.read(now_);
    streams_->durable.on_turn(now_);
    streams_->stand_ins.on_turn(now_);
  }
  if (streams_ && membership_.publishing_open() && !fenced_) streams_->outbound.flush(now_);
  pump_journal(now_);
  read_upstream(now_);  // sending may have taken in subscriptions: looked at here, that costs no turn of its own
  if (now_.steady >= next_tick_) {
    next_tick_ = now_.steady + Membership::tick_interval;
    tick_membership(now_);
    report_letters();
    if (streams_ && !fenced_) streams_->outbound.on_tick(now_);
    if (streams_) {
      streams_->journal.on_tick(now_);
      tell_of_marks();
      streams_->groups.on_tick(now_);
      streams_->durable.on_tick(now_);
      streams_->stand_ins.on_tick(now_);
    }
    pump_journal(now_);
  } else if (membership_.wants_tick()) {
    tick_membership(now_);
  }
  if (streams_) streams_->reader->on_tick(now_);
  check_quiet(streams_ && streams_->inbound.offered() != offered);
}

/// As heartbeats tell of them; of this node itself at once.
void NodeLoop::open_durable(Now now) {
  DurableHost& durable = streams_->durable;
  for (const DurableHandler& handler : setup_.handlers) durable.subscriptions().add_handler(handler);
  if (setup_.in_flight) durable.subscriptions().on_start_in_flight(*std::exchange(setup_.in_flight, std::nullopt));
  streams_->groups.open(durable, GroupHost::memberships(setup_.handlers, durable.setup().self, setup_.boot),
                        {.state = [this](SubscriptionId subscription) { return setup_.pool.state_of_agent(subscription); },
                         .grace = setup_.options.membership.dead_after},
                        setup_.log);
  durable.on_letter = [this](const DeadLetter& letter) { report_letter(letter); };
  streams_->journal.on_durable = [this](Now at, const Journal::Durable& what) {
    if (what.journal != JournalKind::Confirmed || what.spools != 1) return;
    streams_->durable.on_durable(at, what.through);
    streams_->stand_ins.on_durable(at, what.through);
  };
  const bool any =
      std::ranges::any_of(setup_.handlers, [](const DurableHandler& handler) { return !handler.durable.empty(); });
  if (!any) return;
  watch_durable();
  durable.on_tick(now);
}

void NodeLoop::watch_durable() {
  streams_->inbound.ask_durable = [this](SubscriptionId subscription, const FramePtr& frame, std::uint32_t skip,
                                         StreamKey hint) -> Inbound::DurableAnswer {
    DurableSubscriptions& durables = streams_->durable.subscriptions();
    if (!durables.is_durable(subscription)) return {};
    const auto stream = durables.on_frame(now_, subscription, frame, skip, hint);
    if (!stream) return {Inbound::Durable::Later, no_stream};
    return {Inbound::Durable::Now, *stream};
  };
  streams_->reader->on_tails = [this](const Origin& origin, Priority lane, const std::vector<Tail>& tails) {
    for (const Tail& tail : tails) {
      streams_->durable.subscriptions().on_tail(now_, {origin, lane, tail.type, tail.shard}, tail.next_sequence);
    }
  };
}

void NodeLoop::tell_of_marks() {
  for (const auto& [name, heard] : heard_) {
    if (!heard.heartbeat.spool) continue;
    streams_->durable.on_mark(name, heard.heartbeat.spool->mark);
    if (catchup_) catchup_->on_mark(name, heard.heartbeat.spool->mark);
  }
  if (setup_.spool != nullptr) streams_->durable.on_mark(setup_.options.name, setup_.spool->store_mark());
}

/// The hash moves whenever another spool may be here, or one no more; the size where those that left come and go.
void NodeLoop::tell_of_spools() {
  const std::pair told(membership_.hash(), membership_.size());
  if (!streams_ || std::exchange(streams_->told_roster, told) == told) return;
  using Presence = KnownSpool::Presence;
  std::vector<DurableHost::RosterSpool> roster;
  membership_.for_each([&](const Member& member) {
    if (member.endpoints.spool.empty()) return;
    roster.push_back({member.name, member.state == MemberState::Left ? Presence::Left : Presence::Here});
  });
  streams_->durable.on_roster(roster);
}

// Bounded by time, because frames differ by orders of magnitude in their cost. What is left keeps its flag up, and the
// next turn does not sleep.
void NodeLoop::read_lanes(Now now) {
  if (!streams_->reader->may_have_input()) return;
  do {
    read_round(now);
    if (!streams_->reader->may_have_input()) return;
    poller_.look();
  } while (read_clocks().steady - now.steady < reading_max);
}

// A look at the critical lane needs a look at the descriptors: nobody waits in the middle of a round.
void NodeLoop::read_round(Now now) {
  MeshReader& reader = *streams_->reader;
  const MeshReader::OnFrame on_frame = [&](const FramePtr& frame, const FrameVerdict& verdict) {
    if (frame->header().is_tail_marker() && streams_->inbound.ask_durable) {
      const FrameHeader& header = frame->header();
      streams_->durable.subscriptions().on_tail(
          now, {{std::string(header.origin), header.incarnation}, header.lane, std::string(header.type), header.shard},
          header.first_sequence);
    }
    streams_->inbound.on_frame(now, frame, verdict);
  };
  reader.drain(now, Priority::Critical, critical_per_look, on_frame);
  std::size_t unlooked = 0;  // lower messages since the last look
  for (const Priority lane : {Priority::High, Priority::Normal, Priority::Low}) {
    std::size_t room = per_round[lane_index(lane)];
    while (room > 0) {
      const std::size_t wanted = std::min(room, lower_between_looks - unlooked);
      const std::size_t got = reader.drain(now, lane, wanted, on_frame);
      room -= got;
      unlooked += got;
      if (unlooked == lower_between_looks) {
        unlooked = 0;
        poller_.look();
        reader.drain(now, Priority::Critical, critical_per_look, on_frame);
      }
      if (got < wanted) break;
    }
  }
}

void NodeLoop::read_upstream(Now now) {
  for (const Priority lane : all_priorities) {
    auto& publisher = *setup_.sockets.lanes[lane_index(lane)];
    if (!publisher.may_have_subscriptions()) continue;
    publisher.recv_subscriptions(
        [&](transport::SubscriptionChange change, std::string_view topic) {
          if (change == transport::SubscriptionChange::Added) on_sync_request(now, topic, lane);
        },
        upstream_per_turn);
  }
}

void NodeLoop::on_sync_request(Now now, std::string_view topic, Priority lane) {
  if (!topic.starts_with("~sync.") || topic.back() != '\0') return;
  topic.remove_suffix(1);
  const auto parsed = SyncTopic::parse(topic);
  if (!parsed) {
    ++refused_["bad_sync"];
    return;
  }
  if (parsed->origin != setup_.options.name) return;
  if (streams_) {
    answer_sync(now, *parsed, lane);
  } else if (waiting_syncs_.size() < waiting_syncs_max) {
    waiting_syncs_.emplace_back(*parsed, lane);
  }
}

void NodeLoop::answer_sync(Now now, const SyncTopic& topic, Priority lane) {
  streams_->outbound.answer_sync(topic, lane);
  if (topic.receiver.starts_with('~')) return;  // observers are in no roster
  // Also of receivers that are not known yet: they may have learnt of this node first, and will not ask again.
  if (!synced_lanes_.contains(topic.receiver) && synced_lanes_.size() >= limits::roster_entries_max) return;
  constexpr std::uint8_t all_lanes = (1u << limits::lane_count) - 1;
  std::uint8_t& lanes = synced_lanes_[topic.receiver];
  lanes = static_cast<std::uint8_t>(lanes | (1u << lane_index(lane)));
  if (lanes != all_lanes) return;
  membership_.on_receiver_synced(now, topic.receiver);
  carry_out(now);
}

void NodeLoop::drain_bind_monitors() {
  const auto watch = [](RefusedPeers& peers) {
    return [&peers](const transport::MonitorEvent& event) { peers.on_event(event); };
  };
  auto& control = *setup_.sockets.control;
  if (control.monitor_may_have_input()) control.drain_monitor(watch(refused_at_control_));
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    auto& publisher = *setup_.sockets.lanes[lane];
    if (publisher.monitor_may_have_input()) publisher.drain_monitor(watch(refused_at_lane_[lane]));
  }
}

void NodeLoop::report_letters() {
  if (const auto suppressed = letters_logged_.take_suppressed(now_.steady)) {
    setup_.log(LogLevel::Error, std::to_string(*suppressed) + " further dead letters not shown; see stats");
  }
  std::vector<DeadLetter> letters = setup_.pool.drain_letters();
  for (const DeadLetter& letter : letters) report_letter(letter);
  if (streams_ && !letters.empty()) streams_->durable.subscriptions().on_plain_letters(now_, std::move(letters));
}

void NodeLoop::report_letter(const DeadLetter& letter) {
  ++dead_letters_[std::string(to_string(letter.death.reason))];
  if (!letters_logged_.allow(now_.steady)) return;  // the counters have them all
  setup_.log(LogLevel::Error, line_of(letter));
  if (letter.event->type == "system.dead_letter") return;  // no letter about a letter
  publish_own(now_, "system.dead_letter", data_of(letter));
}

void NodeLoop::on_own_frame(Now now, UnnumberedFrame& own) {
  const bool logged = setup_.options.log_events && own.type != "agent.heartbeat";
  if (!logged && !streams_->ledger.wanted(own.type) && !(local_ && local_->wanted(own.type))) return;
  const auto frame = Frame::decode(std::exchange(own.bytes, frames_.take_buffer()), &frames_);  // one for one
  LEGION_ASSERT(frame.has_value());
  if (logged) log_events("event published: ", *frame, 0);
  streams_->inbound.on_frame(now, *frame, streams_->ledger.on_frame(now, (*frame)->header()));
}

void NodeLoop::log_events(std::string_view what, const FramePtr& frame, std::uint32_t first) const {
  for (const EventView& event : std::span(frame->events()).subspan(first)) {
    setup_.log(LogLevel::Info, std::string(what) + event.id_string() + " " + std::string(to_string(event.lane)) +
                                   " from " + std::string(event.source));
  }
}

void NodeLoop::on_new_events(Now now, const FramePtr& frame, std::uint32_t first) {
  const FrameHeader& header = frame->header();
  if (local_ && local_->wanted(header.type)) {
    for (std::uint32_t i = first; i < header.event_count; ++i) local_->on_event(Frame::event_ptr(frame, i));
  }
  if (header.type != "agent.heartbeat" || header.origin == setup_.options.name) return;
  for (const EventView& event : std::span(frame->events()).subspan(first)) {
    auto heartbeat = event.defect.empty() ? decode_heartbeat(event.data) : fail(ErrorCode::BadData, "defect");
    if (!heartbeat || heartbeat->self.name != event.origin) {
      ++refused_["bad_heartbeat"];
      continue;
    }
    // Not acted upon here: what follows may change links and books, and this frame is still being handed out.
    heartbeats_.push_back({*std::move(heartbeat), event.time - now.wall});
  }
}

void NodeLoop::hear(Now now) {
  for (Heard& heard : std::exchange(heartbeats_, {})) {
    const Heartbeat& heartbeat = (heard_[heard.heartbeat.self.name] = std::move(heard)).heartbeat;
    membership_.on_heartbeat(now, heartbeat);
    carry_out(now);
  }
}

void NodeLoop::publish_own(Now now, std::string_view type, Bytes data) {
  Event event;
  event.type = std::string(type);
  event.data = std::move(data);
  setup_.intake.publish(event, "!node", PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {}, now.wall);
}

}  // namespace legion
