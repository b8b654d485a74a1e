#include <legion/runtime/mesh_reader.hpp>

#include <algorithm>
#include <utility>

namespace legion {

namespace {

constexpr std::string_view sync_prefix = "~sync.";
constexpr std::string_view heartbeat_type = "agent.heartbeat";
// Walks every link and every stream's sync; what it finds is due after hundreds of milliseconds.
constexpr Duration sweep_interval = 5ms;

/// What goes to XSUB for a sync topic: the NUL keeps one nonce from being the prefix of another.
std::string wire_topic(const SyncTopic& topic) { return topic.to_string() + '\0'; }

bool carried_by(const Filter& filter, Priority lane) {
  return lane == Priority::Critical || filter.text() != heartbeat_type;
}

}  // namespace

MeshReader::MeshReader(MeshReaderOptions options, Ledger& ledger, LogSink log)
    : options_(std::move(options)), ledger_(ledger), log_(std::move(log)) {}

Result<std::unique_ptr<MeshReader>> MeshReader::create(transport::Context& context, MeshReaderOptions options,
                                                       Ledger& ledger, LogSink log) {
  std::unique_ptr<MeshReader> reader(new MeshReader(std::move(options), ledger, std::move(log)));
  for (const Priority priority : reader->options_.lanes) {
    transport::LaneSubscriberOptions socket_options;
    socket_options.redial_max = reader->options_.redial_max;
    socket_options.connect_timeout = reader->options_.connect_timeout;
    auto socket = transport::LaneSubscriber::create(context, lane_index(priority), socket_options);
    if (!socket) return std::unexpected(socket.error());
    transport::LinkSupervisorOptions supervision;
    supervision.redial_max = reader->options_.redial_max;
    reader->lanes_.push_back({priority, std::move(*socket), transport::LinkSupervisor(supervision), {}});
  }
  return reader;
}

MeshReader::Lane* MeshReader::lane_of(Priority priority) {
  for (Lane& lane : lanes_) {
    if (lane.priority == priority) return &lane;
  }
  return nullptr;
}

void MeshReader::subscribe(const Filter& filter) {
  const std::string prefix = filter.zmq_prefix();
  for (Lane& lane : lanes_) {
    if (!carried_by(filter, lane.priority)) continue;
    if (prefixes_[lane_index(lane.priority)].add(prefix) != PrefixCounts::Change::Begins) continue;
    const auto sent = lane.socket->subscribe(prefix);
    if (!sent) log_(LogLevel::Error, "cannot subscribe to " + filter.text() + ": " + sent.error().message);
  }
}

void MeshReader::unsubscribe(const Filter& filter) {
  const std::string prefix = filter.zmq_prefix();
  for (Lane& lane : lanes_) {
    if (!carried_by(filter, lane.priority)) continue;
    if (prefixes_[lane_index(lane.priority)].remove(prefix) != PrefixCounts::Change::Ends) continue;
    const auto sent = lane.socket->unsubscribe(prefix);
    if (!sent) log_(LogLevel::Error, "cannot unsubscribe from " + filter.text() + ": " + sent.error().message);
  }
}

void MeshReader::sync_all(Now now) {
  for (Lane& lane : lanes_) {
    for (const auto& [name, uris] : peers_) begin_sync(now, lane, name);
  }
}

void MeshReader::connect(Now now, const std::string& name, const LaneUris& lane_uris) {
  const auto known = peers_.find(name);
  if (known != peers_.end() && known->second != lane_uris) close_links(now, name, known->second);
  peers_[name] = lane_uris;
  for (Lane& lane : lanes_) {
    const std::string& uri = lane_uris[lane_index(lane.priority)];
    if (lane.socket->is_connected_to(uri)) {
      give(now, lane, uri, name);
      continue;
    }
    const auto connected = lane.socket->connect(uri);
    if (!connected) {
      log_(LogLevel::Error, "cannot connect to " + name + " at " + uri + ": " + connected.error().message);
      continue;
    }
    lane.peer_of_uri[uri] = name;
    lane.supervisor.on_connect(now.steady, uri);
  }
}

// An address can pass from one name to another: the link is to whoever listens there now.
void MeshReader::give(Now now, Lane& lane, const std::string& uri, const std::string& name) {
  if (std::exchange(lane.peer_of_uri[uri], name) == name) return;
  if (lane.supervisor.is_up(uri)) begin_sync(now, lane, name);
}

void MeshReader::disconnect(Now now, const std::string& name) {
  const auto known = peers_.find(name);
  if (known == peers_.end()) return;
  const LaneUris uris = known->second;
  peers_.erase(known);
  close_links(now, name, uris);
  ledger_.on_links_closed(name);
}

void MeshReader::close_links(Now now, const std::string& name, const LaneUris& uris) {
  for (Lane& lane : lanes_) {
    const std::string& uri = uris[lane_index(lane.priority)];
    const auto owner = lane.peer_of_uri.find(uri);
    if (owner == lane.peer_of_uri.end() || owner->second != name) continue;
    const auto heir = std::ranges::find_if(
        peers_, [&](const auto& peer) { return peer.first != name && peer.second[lane_index(lane.priority)] == uri; });
    if (heir != peers_.end()) {
      give(now, lane, uri, heir->first);
      continue;
    }
    lane.peer_of_uri.erase(owner);
    lane.supervisor.on_disconnect(uri);
    const auto closed = lane.socket->disconnect(uri);
    if (!closed) log_(LogLevel::Warn, "closing " + uri + ": " + closed.error().message);
  }
}

void MeshReader::suspect(Now now, const std::string& name) {
  const auto known = peers_.find(name);
  if (known == peers_.end()) return;
  for (Lane& lane : lanes_) lane.supervisor.on_suspect(now.steady, known->second[lane_index(lane.priority)]);
}

void MeshReader::succeed(Now now, const std::string& name) {
  const auto known = peers_.find(name);
  if (known == peers_.end()) return;
  for (Lane& lane : lanes_) lane.supervisor.on_succeeded(now.steady, known->second[lane_index(lane.priority)]);
}

std::vector<transport::Pollable> MeshReader::pollables() const {
  std::vector<transport::Pollable> all;
  for (const Lane& lane : lanes_) {
    for (const auto& pollable : lane.socket->pollables()) all.push_back(pollable);
  }
  return all;
}

bool MeshReader::may_have_input() const {
  return std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.socket->may_have_input(); });
}

FramePtr MeshReader::accept(Priority priority, transport::Message& message) {
  auto owner = message.share(&messages_);
  auto frame = Frame::decode(message.bytes(), std::move(owner), &frames_);
  if (frame && (*frame)->header().lane == priority) return *frame;
  const bool other_version = !frame && frame.error().code == ErrorCode::WrongVersion;
  ++refused_[other_version ? "wrong_version" : "bad_frame"];
  return nullptr;
}

std::size_t MeshReader::drain(Now now, Priority priority, std::size_t max, const OnFrame& on_frame) {
  Lane* lane = lane_of(priority);
  if (lane == nullptr) return 0;
  std::size_t read = 0;
  while (read < max) {
    auto message = lane->socket->recv();
    if (!message) break;
    ++read;
    if (message->text().starts_with(sync_prefix)) {
      const auto part = decode_sync_part(message->bytes());
      if (!part) {
        ++refused_["bad_sync"];
        continue;
      }
      if (on_tails) on_tails(part->part.origin, priority, part->part.tails);
      if (ledger_.on_sync_part(now, priority, *part) && on_synced) on_synced(part->topic.origin, priority);
      continue;
    }
    const auto frame = accept(priority, *message);
    if (!frame) continue;
    const auto peer = peers_.find(frame->header().origin);
    if (peer != peers_.end()) lane->supervisor.on_heard(now.steady, peer->second[lane_index(priority)]);
    on_frame(frame, ledger_.on_frame(now, frame->header()));
  }
  return read;
}

void MeshReader::begin_sync(Now now, Lane& lane, const std::string& peer) {
  // Everything a reconnect has to subscribe again goes out before the sync topic.
  lane.socket->process_commands();
  const SyncTopic topic = ledger_.begin_sync(now, peer, lane.priority);
  const auto sent = lane.socket->subscribe(wire_topic(topic));
  if (!sent) log_(LogLevel::Error, "cannot ask " + peer + " for its tails: " + sent.error().message);
}

void MeshReader::carry_out(Now now, Lane& lane) {
  for (const transport::LinkEffect& effect : lane.supervisor.drain_effects()) {
    const auto owner = lane.peer_of_uri.find(effect.uri);
    if (owner == lane.peer_of_uri.end()) continue;
    const std::string peer = owner->second;
    switch (effect.kind) {
      case transport::LinkEffectKind::Up: begin_sync(now, lane, peer); break;
      case transport::LinkEffectKind::Down:
        if (on_link_down) on_link_down(peer, lane.priority);
        break;
      case transport::LinkEffectKind::Redial: {
        const auto closed = lane.socket->disconnect(effect.uri);
        const auto opened = lane.socket->connect(effect.uri);
        if (!closed || !opened) {
          log_(LogLevel::Warn,
               "redialling " + peer + ": " + (closed ? opened.error().message : closed.error().message));
        }
        break;
      }
    }
  }
}

void MeshReader::drop_retired_syncs() {
  for (const auto& [priority, topic] : ledger_.retired_topics()) {
    Lane* lane = lane_of(priority);
    if (lane == nullptr) continue;
    const auto sent = lane->socket->unsubscribe(wire_topic(topic));
    if (!sent) log_(LogLevel::Warn, "cannot unsubscribe from " + topic.to_string() + ": " + sent.error().message);
  }
}

void MeshReader::on_tick(Now now) {
  const bool sweep = now.steady >= next_sweep_;
  for (Lane& lane : lanes_) {
    const bool news = lane.socket->monitor_may_have_input();
    if (!news && !sweep) continue;
    lane.socket->drain_monitor(
        [&](const transport::MonitorEvent& event) { lane.supervisor.on_monitor_event(now.steady, event); });
    lane.supervisor.on_tick(now.steady);
    carry_out(now, lane);
  }
  if (!sweep) return;
  next_sweep_ = now.steady + sweep_interval;
  begin_overdue_syncs(now);
  drop_retired_syncs();
}

void MeshReader::begin_overdue_syncs(Now now) {
  for (const auto& due : ledger_.overdue_syncs(now, options_.sync_retry)) {
    Lane* lane = lane_of(due.lane);
    const auto peer = peers_.find(due.origin);
    if (lane == nullptr || peer == peers_.end()) continue;
    // A link that is down begins its sync when it comes up.
    const std::string& uri = peer->second[lane_index(due.lane)];
    const auto owner = lane->peer_of_uri.find(uri);
    const bool is_its_link = owner != lane->peer_of_uri.end() && owner->second == due.origin;
    if (is_its_link && lane->supervisor.is_up(uri)) begin_sync(now, *lane, due.origin);
  }
}

std::map<std::string, std::uint64_t, std::less<>> MeshReader::refused() const {
  auto all = refused_;
  for (const Lane& lane : lanes_) all["multipart"] += lane.socket->discarded();
  return all;
}

std::uint64_t MeshReader::redials() const {
  std::uint64_t sum = 0;
  for (const Lane& lane : lanes_) sum += lane.supervisor.redials();
  return sum;
}

}  // namespace legion
