#include <zmq.h>

#include <atomic>
#include <map>
#include <unordered_map>
#include <utility>

#include <legion/transport/monitor.hpp>
#include <legion/transport/spool_sockets.hpp>
#include <legion/transport/spool_sockets_parts.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {

namespace {

// A peer that is gone is told of once the socket was found empty, and under a load that never lets it be empty after so
// many messages: peers take turns, so its last ones are among them.
constexpr std::uint64_t messages_until_gone = 65536;

/// Shared by the peer's record and by the parts on their way to it, which ZeroMQ's threads let go.
using QueuedBytes = std::shared_ptr<std::atomic<std::uint64_t>>;

/// A part that is counted as long as ZeroMQ has it.
struct CountedPart {
  CountedPart(std::shared_ptr<const Bytes> part, QueuedBytes count) : bytes(std::move(part)), queued(std::move(count)) {
    queued->fetch_add(bytes->size(), std::memory_order_relaxed);
  }
  ~CountedPart() { queued->fetch_sub(bytes->size(), std::memory_order_relaxed); }
  CountedPart(const CountedPart&) = delete;
  CountedPart& operator=(const CountedPart&) = delete;
  std::shared_ptr<const Bytes> bytes;
  QueuedBytes queued;
};

/// The descriptor of the connection a part came over; -1: ZeroMQ does not know.
int source_of(const Message& part) { return zmq_msg_get(static_cast<zmq_msg_t*>(part.handle()), ZMQ_SRCFD); }

}  // namespace

struct SpoolServer::State {
  State(Context& c, Socket s) : context(c), socket(std::move(s)) {}

  void learn_source(const std::string& peer, const Message& head) {
    const int fd = source_of(head);
    if (fd < 0) return;
    auto& known = peer_by_fd[fd];
    if (known == peer) return;
    // The kernel gives a number again only when its connection is closed.
    if (!known.empty()) leaving.push_back({std::move(known), received});
    known = peer;
  }
  void on_disconnected(int fd) {
    const auto found = peer_by_fd.find(fd);
    if (found == peer_by_fd.end()) return;
    leaving.push_back({std::move(found->second), received});
    peer_by_fd.erase(found);
  }
  enum class Inbox : std::uint8_t { Empty, Filled };
  void let_go(Inbox inbox) {
    std::erase_if(leaving, [&](Leaving& one) {
      if (inbox == Inbox::Filled && received - one.since < messages_until_gone) return false;
      queued.erase(one.peer);
      gone.push_back(std::move(one.peer));
      return true;
    });
  }

  std::shared_ptr<const Bytes> counted(const std::string& peer, std::shared_ptr<const Bytes> part) {
    if (part->size() <= copied_part_bytes_max) return part;
    auto& count = queued[peer];
    if (!count) count = std::make_shared<std::atomic<std::uint64_t>>(0);
    const auto owner = std::make_shared<CountedPart>(std::move(part), count);
    return {owner, owner->bytes.get()};
  }

  struct Leaving {
    std::string peer;
    std::uint64_t since = 0;  // messages received until then
  };
  Context& context;
  Socket socket;
  std::unique_ptr<Monitor> monitor;  // after the socket, so that it goes first
  SpoolServerCounters counters;
  std::unordered_map<int, std::string> peer_by_fd;
  std::map<std::string, QueuedBytes, std::less<>> queued;
  std::vector<Leaving> leaving;
  std::vector<std::string> gone;
  std::uint64_t received = 0;
};

SpoolServer::SpoolServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
SpoolServer::~SpoolServer() = default;

Result<std::unique_ptr<SpoolServer>> SpoolServer::create(Context& context, SpoolServerOptions options) {
  auto socket = Socket::open(context, SocketType::Router);
  if (!socket) return std::unexpected(socket.error());
  if (auto done = set_listener_options(*socket); !done) return std::unexpected(done.error());
  SocketOptions set(*socket);
  set.set(ZMQ_ROUTER_MANDATORY, 1)
      .set(ZMQ_ROUTER_HANDOVER, 0)
      .set(ZMQ_SNDHWM, options.high_water_mark)
      .set(ZMQ_RCVHWM, options.high_water_mark)
      .set(ZMQ_LINGER, options.linger_ms)
      .set_int64(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(spool_message_bytes_max))
      .set_uint64(ZMQ_AFFINITY, options.affinity);
  if (!set.result()) return std::unexpected(set.result().error());
  return std::unique_ptr<SpoolServer>(new SpoolServer(std::make_unique<State>(context, std::move(*socket))));
}

Result<std::string> SpoolServer::bind(const std::string& uri) {
  auto bound = state_->socket.bind(uri);
  if (!bound || state_->monitor) return bound;
  auto monitor = Monitor::attach(state_->context, state_->socket);
  if (!monitor) return std::unexpected(monitor.error());
  state_->monitor = std::move(*monitor);
  return bound;
}

std::optional<SpoolRequest> SpoolServer::recv() {
  State& state = *state_;
  More more = More::No;
  while (auto id = state.socket.receive(more)) {
    ++state.received;
    SpoolRequest request{std::string(id->text()), {}};
    if (more == More::No || receive_spool_parts(state.socket, request.parts) != PartsRead::Whole) {
      ++state.counters.malformed;
      continue;
    }
    state.learn_source(request.peer, request.parts.head);
    return request;
  }
  state.let_go(State::Inbox::Empty);
  return std::nullopt;
}

bool SpoolServer::may_have_requests() const { return state_->socket.may_have_input(); }

SendResult SpoolServer::reply(const std::string& peer, Bytes head, std::shared_ptr<const Bytes> body) {
  State& state = *state_;
  // A ROUTER decides about the whole message with its first part.
  SendResult result = state.socket.send(as_bytes_view(peer), More::Yes);
  if (result == SendResult::Sent) {
    const More more = body ? More::Yes : More::No;
    result = head.size() <= copied_part_bytes_max
                 ? state.socket.send(BytesView(head), more)
                 : state.socket.send_shared(state.counted(peer, std::make_shared<const Bytes>(std::move(head))), more);
  }
  if (result == SendResult::Sent && body) {
    result = send_spool_part(state.socket, state.counted(peer, std::move(body)), More::No);
  }
  if (result == SendResult::Unreachable) ++state.counters.replies_unreachable;
  if (result == SendResult::Full) ++state.counters.replies_full;
  return result;
}

std::uint64_t SpoolServer::queued_bytes(const std::string& peer) const {
  const auto found = state_->queued.find(peer);
  return found == state_->queued.end() ? 0 : found->second->load(std::memory_order_relaxed);
}

std::size_t SpoolServer::drain_monitor(const std::function<void(const MonitorEvent&)>& on_event) {
  if (!state_->monitor) return 0;
  return state_->monitor->drain([&](const MonitorEvent& event) {
    if (event.kind == MonitorEventKind::Disconnected) state_->on_disconnected(event.value);
    on_event(event);
  });
}

bool SpoolServer::monitor_may_have_input() const { return state_->monitor && state_->monitor->may_have_input(); }

std::vector<std::string> SpoolServer::take_gone() {
  const bool empty = !state_->socket.may_have_input();
  if (!state_->leaving.empty()) state_->let_go(empty ? State::Inbox::Empty : State::Inbox::Filled);
  return std::exchange(state_->gone, {});
}

const SpoolServerCounters& SpoolServer::counters() const { return state_->counters; }

std::vector<Pollable> SpoolServer::pollables() const {
  std::vector<Pollable> all{state_->socket.pollable()};
  if (state_->monitor) all.push_back(state_->monitor->pollable());
  return all;
}

}  // namespace legion::transport
