#include <legion/transport/control_client.hpp>

#include <zmq.h>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/transport/tcp_options.hpp>

namespace legion::transport {

Result<ControlClient::Link*> ControlClient::open(const std::string& address) {
  if (const auto found = links_.find(address); found != links_.end()) return found->second.get();
  if (links_.size() >= options_.links_max) return fail(ErrorCode::WouldBlock, "too many control links are open");

  auto socket = Socket::open(context_, SocketType::Dealer);
  if (!socket) return std::unexpected(socket.error());
  if (auto done = set_connecter_options(*socket, {options_.redial_max, options_.connect_timeout}); !done) {
    return std::unexpected(done.error());
  }
  SocketOptions set(*socket);
  set.set(ZMQ_SNDHWM, control_high_water_mark)
      .set(ZMQ_RCVHWM, control_high_water_mark)
      .set(ZMQ_LINGER, options_.linger_ms)
      .set_int64(ZMQ_MAXMSGSIZE, wire_message_bytes_max)
      .set_uint64(ZMQ_AFFINITY, options_.affinity);
  if (!set.result()) return std::unexpected(set.result().error());

  auto link = std::make_unique<Link>(std::move(*socket));
  auto monitor = Monitor::attach(context_, link->socket);
  if (!monitor) return std::unexpected(monitor.error());
  link->monitor = std::move(*monitor);
  if (auto done = link->socket.connect(address); !done) return std::unexpected(done.error());
  if (poller_ != nullptr) watch(*poller_, *link);
  return links_.emplace(address, std::move(link)).first->second.get();
}

Result<void> ControlClient::send(const std::string& address, BytesView payload, SteadyTime now) {
  auto link = open(address);
  if (!link) return std::unexpected(link.error());
  (*link)->last_used = now;
  switch ((*link)->socket.send(payload)) {
    case SendResult::Sent: return {};
    case SendResult::Full: return fail(ErrorCode::WouldBlock, "the control link to " + address + " is full");
    case SendResult::Unreachable:
    case SendResult::Closed: return fail(ErrorCode::Closed, "the control link to " + address + " is closed");
  }
  LEGION_UNREACHABLE();
}

void ControlClient::close(const std::string& address) { links_.erase(address); }

void ControlClient::close_idle(SteadyTime now) {
  std::erase_if(links_, [&](const auto& entry) { return now - entry.second->last_used >= options_.idle_limit; });
}

ControlClient::News ControlClient::read_news(Link& link) {
  News news;
  link.monitor->drain([&](const MonitorEvent& event) {
    switch (event.kind) {
      case MonitorEventKind::Connected: link.attempt = Attempt::Connected; break;
      case MonitorEventKind::ConnectDelayed:
        if (link.attempt == Attempt::Reported) link.attempt = Attempt::Dialling;
        break;
      // A failed attempt shows as Closed and ConnectRetried, or, when it could not even start, as the latter alone.
      case MonitorEventKind::Closed:
      case MonitorEventKind::ConnectRetried:
        if (link.attempt != Attempt::Dialling) break;
        link.attempt = Attempt::Reported;
        news.refused = true;
        break;
      case MonitorEventKind::HandshakeFailed:
      case MonitorEventKind::HandshakeProtocolError:
      case MonitorEventKind::HandshakeRefused:
      case MonitorEventKind::Disconnected: news.lost = true; break;
      case MonitorEventKind::HandshakeSucceeded:
      case MonitorEventKind::Listening:
      case MonitorEventKind::BindFailed:
      case MonitorEventKind::Accepted:
      case MonitorEventKind::AcceptFailed:
      case MonitorEventKind::CloseFailed: break;
    }
  });
  return news;
}

std::size_t ControlClient::read_messages(const std::string& address, const ControlClientReports& reports,
                                         SteadyTime now, std::size_t messages_max) {
  std::size_t messages = 0;
  while (messages < messages_max) {
    // A report may have closed the link.
    const auto found = links_.find(address);
    if (found == links_.end()) return messages;
    Link& link = *found->second;
    More more = More::No;
    auto payload = link.socket.receive(more);
    if (!payload) return messages;
    ++messages;
    link.last_used = now;
    if (more == More::Yes) {
      while (more == More::Yes && link.socket.receive(more)) {
      }
      ++malformed_;
      continue;
    }
    reports.on_message(address, std::move(*payload));
  }
  return messages;
}

std::size_t ControlClient::recv(const ControlClientReports& reports, SteadyTime now, std::size_t messages_max) {
  std::vector<std::string> addresses;
  addresses.reserve(links_.size());
  const auto first = links_.lower_bound(next_served_);
  for (auto it = first; it != links_.end(); ++it) addresses.push_back(it->first);
  for (auto it = links_.begin(); it != first; ++it) addresses.push_back(it->first);

  std::size_t messages = 0;
  for (const std::string& address : addresses) {
    const auto found = links_.find(address);
    if (found == links_.end()) continue;
    const News news = read_news(*found->second);
    // What arrived before a loss is read first, whatever the budget: it would go with the socket.
    const std::size_t budget = news.lost ? control_high_water_mark : messages_max - std::min(messages, messages_max);
    messages += read_messages(address, reports, now, budget);
    if (messages >= messages_max) next_served_ = address + '\x01';
    if (news.lost && links_.erase(address) > 0) reports.on_lost(address);
    if (news.refused && !news.lost && links_.contains(address)) reports.on_refused(address);
  }
  return messages;
}

void ControlClient::watch(Poller& poller) {
  poller_ = &poller;
  for (const auto& [address, link] : links_) watch(poller, *link);
}

void ControlClient::watch(Poller& poller, const Link& link) {
  poller.add(link.socket.pollable());
  poller.add(link.monitor->pollable());
}

bool ControlClient::may_have_input() const {
  return std::ranges::any_of(links_, [](const auto& entry) {
    return entry.second->socket.may_have_input() || entry.second->monitor->may_have_input();
  });
}

}  // namespace legion::transport
