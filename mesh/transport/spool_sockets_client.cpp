#include <zmq.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>

#include <legion/transport/monitor.hpp>
#include <legion/transport/spool_sockets.hpp>
#include <legion/transport/spool_sockets_parts.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {

namespace {

constexpr Duration redial_first = 100ms;
constexpr Duration stable_after = 2s;    // a connection that lived for so long begins the back-off anew
constexpr Duration stalled_after = 15s;  // an attempt without any news for so long is taken for dead

}  // namespace

struct SpoolClient::State {
  State(Socket s, std::string to, SpoolClientOptions set) : socket(std::move(s)), uri(std::move(to)), options(set) {}

  enum class Phase : std::uint8_t {
    Dialling,  // ZeroMQ is at it and repeats what is refused
    Up,
    Waiting,  // until redial_at; not connected as far as ZeroMQ is concerned
  };

  void on_event(SteadyTime now, const MonitorEvent& event) {
    if (phase == Phase::Waiting) return;  // of the connection that was given up
    heard_at = now;
    switch (event.kind) {
      case MonitorEventKind::Connected: fd = event.value; break;
      case MonitorEventKind::HandshakeSucceeded:
        if (phase == Phase::Up) break;
        phase = Phase::Up;
        up_since = now;
        failed = 0;
        news.push_back(News::Up);
        break;
      case MonitorEventKind::Disconnected:
        // Without a connection of this attempt it is of the one before.
        if (fd >= 0 && fd == event.value) lost(now);
        break;
      // Of some of these ZeroMQ never tries again.
      case MonitorEventKind::HandshakeFailed:
      case MonitorEventKind::HandshakeProtocolError:
      case MonitorEventKind::HandshakeRefused:
        if (phase == Phase::Dialling) lost(now);
        break;
      case MonitorEventKind::ConnectRetried: ++failed; break;
      case MonitorEventKind::ConnectDelayed:
      case MonitorEventKind::Closed:
      case MonitorEventKind::Listening:
      case MonitorEventKind::BindFailed:
      case MonitorEventKind::Accepted:
      case MonitorEventKind::AcceptFailed:
      case MonitorEventKind::CloseFailed: break;
    }
  }

  // ZeroMQ would connect again and send what is left in its queue. Cut off here, the next connection begins empty.
  void lost(SteadyTime now) {
    if (phase == Phase::Up) {
      news.push_back(News::Down);
      if (now - up_since >= stable_after) attempts = 0;
    } else {
      ++failed;
    }
    while (auto parts = receive()) rest.push_back(std::move(*parts));
    socket.disconnect(uri);  // NOLINT: an endpoint that is gone already is what is wanted
    phase = Phase::Waiting;
    redial_at = now + back_off();
    ++attempts;
  }

  Duration back_off() const {
    const Duration full =
        std::min(redial_first * (std::int64_t{1} << std::min<std::uint32_t>(attempts, 16)), options.redial_max);
    // Up to a quarter less, so that links lost together are not all dialled together.
    const auto spread = static_cast<std::int64_t>((std::hash<std::string>{}(uri) + attempts) % 256);
    return full - full * spread / 1024;
  }

  void redial(SteadyTime now) {
    phase = Phase::Dialling;
    heard_at = now;
    fd = -1;
    if (socket.connect(uri)) return;
    phase = Phase::Waiting;  // out of memory or descriptors: it was possible before
    redial_at = now + options.redial_max;
    ++failed;
  }

  std::optional<SpoolParts> receive() {
    SpoolParts parts;
    for (;;) {
      switch (receive_spool_parts(socket, parts)) {
        case PartsRead::Nothing: return std::nullopt;
        case PartsRead::Malformed: ++malformed; break;
        case PartsRead::Whole: return parts;
      }
    }
  }

  Socket socket;
  const std::string uri;
  const SpoolClientOptions options;
  std::unique_ptr<Monitor> monitor;  // after the socket, so that it goes first
  Phase phase = Phase::Dialling;
  int fd = -1;  // of the TCP connection, to tell a stale Disconnected from a real one
  SteadyTime up_since, heard_at, redial_at;
  std::uint32_t attempts = 0;  // own redials since the connection was last stable
  std::uint64_t failed = 0;
  std::uint64_t malformed = 0;
  std::vector<News> news;
  std::deque<SpoolParts> rest;  // read from a connection that has ended
};

SpoolClient::SpoolClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

SpoolClient::~SpoolClient() {
  // What waits for a connection that is not there would only hold up the context.
  if (state_->phase == State::Phase::Up) state_->socket.set(ZMQ_LINGER, state_->options.linger_ms);  // NOLINT
}

Result<std::unique_ptr<SpoolClient>> SpoolClient::connect(Context& context, const std::string& uri,
                                                          SpoolClientOptions options) {
  auto socket = Socket::open(context, SocketType::Dealer);
  if (!socket) return std::unexpected(socket.error());
  if (auto done = set_connecter_options(*socket, {options.redial_max, options.connect_timeout}); !done) {
    return std::unexpected(done.error());
  }
  SocketOptions set(*socket);
  set.set(ZMQ_SNDHWM, options.high_water_mark)
      .set(ZMQ_RCVHWM, options.high_water_mark)
      .set_int64(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(spool_answer_bytes_max) + 64)
      .set_uint64(ZMQ_AFFINITY, options.affinity);
  if (!set.result()) return std::unexpected(set.result().error());
  auto state = std::make_unique<State>(std::move(*socket), uri, options);
  auto monitor = Monitor::attach(context, state->socket);
  if (!monitor) return std::unexpected(monitor.error());
  state->monitor = std::move(*monitor);
  if (auto done = state->socket.connect(uri); !done) return std::unexpected(done.error());
  return std::unique_ptr<SpoolClient>(new SpoolClient(std::move(state)));
}

bool SpoolClient::send(BytesView head, const std::shared_ptr<const Bytes>& body) {
  if (!up()) return false;
  const SendResult sent = state_->socket.send(head, body ? More::Yes : More::No);
  if (sent != SendResult::Sent || !body) return sent == SendResult::Sent;
  return send_spool_part(state_->socket, body, More::No) == SendResult::Sent;
}

std::optional<SpoolParts> SpoolClient::recv() {
  State& state = *state_;
  if (state.rest.empty()) return state.socket.may_have_input() ? state.receive() : std::nullopt;
  SpoolParts parts = std::move(state.rest.front());
  state.rest.pop_front();
  return parts;
}

bool SpoolClient::may_have_input() const {
  return !state_->rest.empty() || state_->socket.may_have_input() || state_->monitor->may_have_input();
}

void SpoolClient::on_turn(SteadyTime now) {
  State& state = *state_;
  if (state.monitor->may_have_input()) {
    state.monitor->drain([&](const MonitorEvent& event) { state.on_event(now, event); });
  }
  switch (state.phase) {
    case State::Phase::Up: break;
    case State::Phase::Dialling:
      if (state.heard_at.ns == 0) state.heard_at = now;
      if (now - state.heard_at >= stalled_after) state.lost(now);
      break;
    case State::Phase::Waiting:
      if (now >= state.redial_at) state.redial(now);
      break;
  }
}

std::vector<SpoolClient::News> SpoolClient::take_news() { return std::exchange(state_->news, {}); }
bool SpoolClient::up() const { return state_->phase == State::Phase::Up; }
std::uint64_t SpoolClient::failed_attempts() const { return state_->failed; }
const std::string& SpoolClient::uri() const { return state_->uri; }
std::uint64_t SpoolClient::malformed() const { return state_->malformed; }

std::vector<Pollable> SpoolClient::pollables() const {
  return {state_->socket.pollable(), state_->monitor->pollable()};
}

}  // namespace legion::transport
