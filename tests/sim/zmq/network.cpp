#include "network.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace legion::sim {
namespace {

constexpr const char* loopback_ip = "127.0.0.1";
constexpr Duration first_syn_again = 1s;
constexpr std::uint16_t first_chosen_port = 40000;

bool is_loopback(const std::string& host) { return host == loopback_ip || host == "::1" || host == "localhost"; }
bool is_any(const std::string& host) { return host == "*" || host == "0.0.0.0" || host == "::"; }

}  // namespace

Network& Network::get() {
  static auto* const the_network = new Network;
  return *the_network;
}

void Network::reset(NetworkSettings settings) {
  *this = Network{};
  settings_ = settings;
  host(loopback_ip).known = true;
}

void Network::tell_published(const Pipe& pipe, std::string_view text, Published what) {
  if (!on_published_ || pipe.session == nullptr || pipe.session->connection() == nullptr) return;
  Connection& connection = *pipe.session->connection();
  on_published_(connection.host(1 - connection.side_of(*pipe.session)).ip, text, what);
}

Host& Network::host(const std::string& ip) {
  for (const auto& known : hosts_) {
    if (known->ip == ip) return *known;
  }
  auto fresh = std::make_unique<Host>();
  fresh->ip = ip;
  fresh->number = hosts_.size();
  hosts_.push_back(std::move(fresh));
  return *hosts_.back();
}

Link& Network::link(Host& from, Host& to) {
  if (links_.size() <= from.number) links_.resize(from.number + 1);
  auto& row = links_[from.number];
  if (row.size() <= to.number) row.resize(to.number + 1);
  auto& link = row[to.number];
  if (!link) {
    link = std::make_unique<Link>();
    link->from = &from;
    link->to = &to;
    link->settings = &from == &to ? settings_.loopback : settings_.link;
  }
  return *link;
}

Context& Network::make_context() {
  Process* process = Kernel::get().current();
  const auto place = process == nullptr ? places_.end() : places_.find(process->id);
  Host& where = host(place == places_.end() ? loopback_ip : place->second);
  contexts_.push_back(std::make_unique<Context>(where, process));
  contexts_.back()->placed = place != places_.end();
  return *contexts_.back();
}

std::expected<std::uint16_t, int> Network::listen(Socket& socket, const TcpUri& at) {
  Context& context = socket.context();
  if (!is_any(at.host) && !is_loopback(at.host)) {
    if (!context.placed) context.host = &host(at.host);
    context.placed = true;
    if (context.host->ip != at.host) return std::unexpected(EADDRNOTAVAIL);
  }
  context.host->known = true;
  auto& listeners = context.host->listeners;
  std::uint16_t port = at.port;
  if (port == 0) {
    for (port = first_chosen_port; listeners.contains(port);) ++port;
  }
  if (!listeners.emplace(port, &socket).second) return std::unexpected(EADDRINUSE);
  return port;
}

void Network::unlisten(Socket& socket, std::uint16_t port) {
  auto& listeners = socket.context().host->listeners;
  const auto found = listeners.find(port);
  if (found != listeners.end() && found->second == &socket) listeners.erase(found);
}

Session& Network::keep(std::unique_ptr<Session> fresh) {
  Session& session = *sessions_.try_emplace(fresh->id(), std::move(fresh)).first->second;
  session_of_id_.resize(last_id_ + 1);
  session_of_id_[session.id()] = &session;
  return session;
}

Session& Network::make_session(Socket& socket, const std::string& uri) {
  const std::uint64_t id = ++last_id_;
  return keep(std::make_unique<Session>(id, socket, Session::Role::Connecter, uri));
}

Session& Network::accept(Connection& connection) {
  const std::uint64_t id = ++last_id_;
  Socket& listener = *connection.listener();
  const std::string endpoint = connection.uri().text();
  Session& session = keep(std::make_unique<Session>(id, listener, Session::Role::Accepted, endpoint));
  connection.attach(1, session);
  session.on_connection(connection);
  session.take_in();
  return session;
}

Session* Network::session(std::uint64_t id) { return id < session_of_id_.size() ? session_of_id_[id] : nullptr; }

Connection* Network::connection(std::uint64_t id) {
  retired_sessions_.clear();
  retired_connections_.clear();
  return id < connection_of_id_.size() ? connection_of_id_[id] : nullptr;
}

void Network::retire(Session& session) {
  for (const auto& [id, connection] : connections_) connection->forget(session);
  const auto found = sessions_.find(session.id());
  if (found == sessions_.end()) return;
  session_of_id_[session.id()] = nullptr;
  retired_sessions_.push_back(std::move(found->second));
  sessions_.erase(found);
}

void Network::retire(Connection& connection) {
  const auto found = connections_.find(connection.id());
  if (found == connections_.end()) return;
  figures_.lost_with_connection += connection.from(0).messages() + connection.from(1).messages();
  connection_of_id_[connection.id()] = nullptr;
  retired_connections_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Network::forget(Socket& socket, Socket::Ending ending) {
  std::vector<Connection*> backlog;
  for (const auto& [id, connection] : connections_) {
    if (connection->listener() == &socket) backlog.push_back(connection.get());
  }
  const bool silently = ending == Socket::Ending::ProcessDied && socket.context().host->off;
  for (Connection* connection : backlog) connection->refuse(silently);
  std::vector<Session*> unfinished;  // without a pipe: nobody else knows them
  for (const auto& [id, session] : sessions_) {
    if (session->belongs_to(socket)) unfinished.push_back(session.get());
  }
  for (Session* session : unfinished) {
    if (ending == Socket::Ending::ProcessDied) {
      session->die();
    } else {
      session->close(0);
    }
  }
}

bool Network::has_sessions(const Context& context) const {
  return std::ranges::any_of(sessions_, [&](const auto& entry) { return &entry.second->context() == &context; });
}

void Network::end_sessions(const Context& context) {
  std::vector<Session*> ending;
  for (const auto& [id, session] : sessions_) {
    if (&session->context() == &context) ending.push_back(session.get());
  }
  for (Session* session : ending) session->die();
}

void Network::count_lost(const Ring<Msg>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].more) ++figures_.lost_with_connection;
  }
}

Host& Network::dialled(Session& session, const TcpUri& uri) {
  return is_loopback(uri.host) || is_any(uri.host) ? *session.context().host : host(uri.host);
}

void Network::dial(std::uint64_t id, std::uint32_t attempt, std::uint32_t tried) {
  Session* dialler = session(id);
  TcpUri uri;
  if (dialler == nullptr || !dialler->is_dialling(attempt) || !parse_tcp(dialler->endpoint(), uri)) return;
  const Link& there = link(*dialler->context().host, dialled(*dialler, uri));
  if (there.passes()) Kernel::get().after(there.settings.delay, [id, attempt] { get().on_syn(id, attempt); });
  Kernel::get().after(first_syn_again * (1 << std::min(tried, 6u)),
                      [id, attempt, tried] { get().dial(id, attempt, tried + 1); });
}

void Network::on_syn(std::uint64_t id, std::uint32_t attempt) {
  Session* dialler = session(id);
  TcpUri uri;
  if (dialler == nullptr || !dialler->is_dialling(attempt) || !parse_tcp(dialler->endpoint(), uri)) return;
  Host& from = *dialler->context().host;
  Host& to = dialled(*dialler, uri);
  const Link& back = link(to, from);
  if (!to.known || !back.passes()) return;
  const auto found = to.listeners.find(uri.port);
  if (link(from, to).refused || found == to.listeners.end()) {
    ++figures_.refused;
    Kernel::get().after(back.settings.delay, [id, attempt] {
      Session* refused = get().session(id);
      if (refused == nullptr) return;
      refused->context().run_or_defer([id, attempt] {
        Session* still = get().session(id);
        if (still != nullptr && still->is_dialling(attempt)) still->on_refused();
      });
    });
    return;
  }
  const std::uint64_t made = ++last_id_;
  auto fresh = std::make_unique<Connection>(made, Connection::Ends{&from, &to}, *dialler, *found->second, uri);
  Connection& connection = *connections_.emplace(made, std::move(fresh)).first->second;
  connection_of_id_.resize(last_id_ + 1);
  connection_of_id_[made] = &connection;
  connection.attach(0, *dialler);
  Kernel::get().after(back.settings.delay, [made, id, attempt] { get().on_syn_ack(made, id, attempt); });
}

void Network::on_syn_ack(std::uint64_t made, std::uint64_t id, std::uint32_t attempt) {
  Session* dialler = session(id);
  Connection* fresh = connection(made);
  if (fresh == nullptr) return;
  if (dialler == nullptr) return fresh->close(0);
  dialler->context().run_or_defer([made, id, attempt] {
    Session* still = get().session(id);
    Connection* up = get().connection(made);
    if (up == nullptr) return;
    if (still == nullptr || !still->is_dialling(attempt)) return up->close(0);
    still->on_connection(*up);
    still->take_in();
  });
}

}  // namespace legion::sim
