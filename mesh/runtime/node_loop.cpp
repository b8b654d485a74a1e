#include <legion/runtime/node_loop.hpp>

#include <legion/base/assert.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/clock.hpp>

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

transport::ControlClientOptions client_options(const NodeOptions& options) {
  transport::ControlClientOptions client;
  client.redial_max = options.membership.redial_max;
  client.connect_timeout = options.membership.connect_timeout;
  return client;
}

}  // namespace

NodeLoop::NodeLoop(Setup setup)
    : setup_(std::move(setup)),
      membership_(setup_.options.membership, self_of(setup_), setup_.seed),
      caller_(*setup_.sockets.context, client_options(setup_.options), std::move(setup_.sockets.resolver)),
      service_(*setup_.sockets.control, setup_.intake, backend()) {
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

NodeLoop::~NodeLoop() { stop(); }

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
    if (!streams_ || !std::exchange(listening_, false)) return;
    for (const Filter& filter : setup_.filters) streams_->reader->unsubscribe(filter);
  });
  return quiet_.wait(limit);
}

// One turn in which nothing was offered to handlers, nothing is held by them, and nothing waits to be numbered. In this
// order: handlers publish before they answer, so with nothing held every consequence is in the intake or has been
// numbered, and what was numbered in this turn would have been offered in it.
void NodeLoop::check_quiet(bool offered_something) {
  if (!quiesce_ || offered_something || !setup_.pool.drained()) return;
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
  now_ = read_clocks();
  started_at_ = now_.steady;
  next_tick_ = now_.steady;
  membership_.start(now_);
  carry_out(now_);
  while (!stopping_.load(std::memory_order_acquire)) turn();
}

void NodeLoop::wait() {
  poller_.clear();
  poller_.add(setup_.wake.pollable());
  poller_.add(setup_.sockets.control->pollables());
  for (const auto& lane : setup_.sockets.lanes) poller_.add(lane->pollables());
  poller_.add(caller_.pollables());
  if (local_) poller_.add(local_->pollables());
  if (streams_) poller_.add(streams_->reader->pollables());
  setup_.wake.announce_sleep();
  const bool to_send = more_to_send_ || (membership_.publishing_open() && !fenced_ && !setup_.intake.empty());
  const Duration until_tick = std::max(Duration{0}, next_tick_ - read_clocks().steady);
  poller_.wait(to_send ? Duration{0} : std::min(until_tick, turn_max));
  setup_.wake.awake();
}

void NodeLoop::turn() {
  wait();
  now_ = read_clocks();
  run_tasks();
  const std::uint64_t offered = streams_ ? streams_->inbound.offered() : 0;
  if (streams_) read_lanes(now_);
  hear(now_);
  service_.on_turn(now_);
  carry_out(now_);
  caller_.on_tick(now_);
  carry_out(now_);
  read_upstream(now_);
  drain_bind_monitors();
  if (local_) local_->on_turn(now_);
  more_to_send_ = streams_ && membership_.publishing_open() && !fenced_ && streams_->outbound.flush(now_);
  if (now_.steady >= next_tick_) {
    next_tick_ = now_.steady + Membership::tick_interval;
    tick_membership(now_);
    report_letters();
    if (streams_ && !fenced_) streams_->outbound.on_tick(now_);
  }
  if (streams_) streams_->reader->on_tick(now_);
  check_quiet(streams_ && streams_->inbound.offered() != offered);
}

// Bounded by time, because frames differ by orders of magnitude in their cost.
void NodeLoop::read_lanes(Now now) {
  while (read_round(now) && read_clocks().steady - now.steady < reading_max) {
  }
}

// Answers whether anything was read.
bool NodeLoop::read_round(Now now) {
  MeshReader& reader = *streams_->reader;
  const auto on_frame = [&](const std::shared_ptr<const Frame>& frame, const FrameVerdict& verdict) {
    streams_->inbound.on_frame(now, frame, verdict);
  };
  std::size_t read = reader.drain(now, Priority::Critical, critical_per_look, on_frame);
  for (const Priority lane : {Priority::High, Priority::Normal, Priority::Low}) {
    for (std::size_t done = 0; done < per_round[lane_index(lane)]; done += lower_between_looks) {
      const std::size_t got = reader.drain(now, lane, lower_between_looks, on_frame);
      read += got + reader.drain(now, Priority::Critical, critical_per_look, on_frame);
      if (got < lower_between_looks) break;
    }
  }
  return read > 0;
}

void NodeLoop::read_upstream(Now now) {
  for (const Priority lane : all_priorities) {
    setup_.sockets.lanes[lane_index(lane)]->recv_subscriptions(
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
  setup_.sockets.control->drain_monitor(watch(refused_at_control_));
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    setup_.sockets.lanes[lane]->drain_monitor(watch(refused_at_lane_[lane]));
  }
}

void NodeLoop::report_letters() {
  if (const auto suppressed = letters_logged_.take_suppressed(now_.steady)) {
    setup_.log(LogLevel::Error, std::to_string(*suppressed) + " further dead letters not shown; see stats");
  }
  for (const DeadLetter& letter : setup_.pool.drain_letters()) {
    const std::string reason(to_string(letter.death.reason));
    ++dead_letters_[reason];
    const std::string id = letter.event->id_string();
    if (!letters_logged_.allow(now_.steady)) continue;  // the counters have them all
    setup_.log(LogLevel::Error, "dead letter: " + id + " for " + letter.death.agent + " after " +
                                    std::to_string(letter.death.attempts) + " attempts (" + reason +
                                    "): " + letter.death.error);
    if (letter.event->type == "system.dead_letter") continue;  // no letter about a letter
    MsgpackWriter data;
    data.map(5);
    data.str("event");
    data.str(id);
    data.str("agent");
    data.str(letter.death.agent);
    data.str("reason");
    data.str(reason);
    data.str("attempts");
    data.uint(letter.death.attempts);
    data.str("error");
    data.str(letter.death.error);
    publish_own(now_, "system.dead_letter", data.take());
  }
}

void NodeLoop::on_own_frame(Now now, Bytes bytes) {
  const auto header = decode_frame_header(bytes);
  LEGION_ASSERT(header.has_value());
  const bool heartbeat = header->type == "agent.heartbeat";
  const bool logged = setup_.options.log_events && !heartbeat;
  const bool wanted = logged || streams_->ledger.wanted(header->type) || (local_ && local_->wanted(header->type));
  if (!wanted) return;
  const auto frame = Frame::decode(std::move(bytes));
  LEGION_ASSERT(frame.has_value());
  if (logged) {
    for (const EventView& event : (*frame)->events()) log_event("event published: ", event);
  }
  streams_->inbound.on_frame(now, *frame, streams_->ledger.on_frame(now, (*frame)->header()));
}

void NodeLoop::log_event(std::string_view what, const EventView& event) const {
  setup_.log(LogLevel::Info, std::string(what) + event.id_string() + " " + std::string(to_string(event.lane)) + " from " +
                                 std::string(event.source));
}

void NodeLoop::on_event(Now now, const EventPtr& event) {
  if (local_) local_->on_event(event);
  if (event->type != "agent.heartbeat" || event->origin == setup_.options.name || !event->defect.empty()) return;
  const auto heartbeat = decode_heartbeat(event->data);
  if (!heartbeat || heartbeat->self.name != event->origin) {
    ++refused_["bad_heartbeat"];
    return;
  }
  // Not acted upon here: what follows may change links and books, and this frame is still being handed out.
  heartbeats_.push_back({*heartbeat, event->time - now.wall});
}

void NodeLoop::hear(Now now) {
  for (Heard& heard : std::exchange(heartbeats_, {})) {
    const Heartbeat heartbeat = heard.heartbeat;
    heard_[heartbeat.self.name] = std::move(heard);
    membership_.on_heartbeat(now, heartbeat);
    carry_out(now);
  }
}

void NodeLoop::publish_own(Now now, std::string_view type, Bytes data) {
  Event event;
  event.type = std::string(type);
  event.data = std::move(data);
  setup_.intake.publish(std::move(event), "!node", Publisher::Node, PublishOptions::PriorityFrom::Policy, {}, now.wall);
}

}  // namespace legion
