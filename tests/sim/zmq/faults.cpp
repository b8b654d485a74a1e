// What befalls the network, and what can be read from it.
#include <algorithm>
#include <utility>

#include "network.hpp"

namespace legion::sim {

void Network::place(const Process& process, const std::string& ip) {
  places_[process.id] = ip;
  host(ip).known = true;
}

void Network::set_link(const std::string& from, const std::string& to, LinkSettings settings) {
  Link& changed = link(host(from), host(to));
  const std::uint64_t before = std::exchange(changed.settings, settings).bytes_per_second;
  const std::uint64_t rate = settings.bytes_per_second;
  if (before == 0 || (rate != 0 && rate <= before)) return;
  // What waits for its turn on the slow link has it on the fast one.
  changed.free_at = Kernel::get().now();
  for (Connection* connection : between(*changed.from, *changed.to)) connection->on_faster_link(*changed.from);
}

void Network::set_all_links(LinkSettings settings) {
  settings_.link = settings;
  for (const auto& row : links_) {
    for (const auto& link : row) {
      if (link && link->from != link->to) link->settings = settings;
    }
  }
}

void Network::block(const std::string& from, const std::string& to) {
  link(host(from), host(to)).blocked = true;
  on_path_change(host(from), host(to));
}

void Network::unblock(const std::string& from, const std::string& to) {
  link(host(from), host(to)).blocked = false;
  on_path_change(host(from), host(to));
}

void Network::refuse(const std::string& from, const std::string& to) { link(host(from), host(to)).refused = true; }
void Network::admit(const std::string& from, const std::string& to) { link(host(from), host(to)).refused = false; }

void Network::clog(const std::string& from, const std::string& to, Duration how_long) {
  Link& clogged = link(host(from), host(to));
  clogged.clogged_until = std::max(clogged.clogged_until, Kernel::get().now() + how_long);
  on_path_change(*clogged.from, *clogged.to);
  Kernel::get().at(clogged.clogged_until, [this, &clogged] { on_path_change(*clogged.from, *clogged.to); });
}

void Network::unclog(const std::string& from, const std::string& to) {
  Link& clogged = link(host(from), host(to));
  clogged.clogged_until = std::min(clogged.clogged_until, Kernel::get().now());
  on_path_change(*clogged.from, *clogged.to);
}

void Network::reset_connections(const std::string& a, const std::string& b) {
  for (Connection* connection : between(host(a), host(b))) connection->reset();
}

void Network::power_off(const std::string& ip) {
  Host& dark = host(ip);
  dark.off = true;
  for (const auto& other : hosts_) on_path_change(dark, *other);
}

void Network::power_on(const std::string& ip) {
  Host& bright = host(ip);
  bright.off = false;
  for (const auto& other : hosts_) on_path_change(bright, *other);
}

bool Network::is_open(const std::string& from, const std::string& to) { return link(host(from), host(to)).passes(); }

std::vector<Connection*> Network::between(const Host& a, const Host& b) {
  std::vector<Connection*> found;
  for (const auto& [id, connection] : connections_) {
    const Host* ends[] = {&connection->host(0), &connection->host(1)};
    if ((ends[0] == &a && ends[1] == &b) || (ends[0] == &b && ends[1] == &a)) found.push_back(connection.get());
  }
  return found;
}

void Network::on_path_change(const Host& a, const Host& b) {
  for (Connection* connection : between(a, b)) connection->on_path_change();
}

std::vector<Held> Network::held() const {
  std::vector<Held> all;
  for (const auto& [id, session] : sessions_) {
    Held held;
    held.process = session->context().name();
    held.endpoint = session->endpoint();
    held.to_send = session->waiting_output();
    held.to_read = session->waiting_input();
    if (Connection* connection = session->connection()) {
      const Stream& stream = connection->from(connection->side_of(*session));
      held.in_kernels = stream.messages();
      held.kernel_bytes = stream.bytes();
    }
    all.push_back(std::move(held));
  }
  return all;
}

}  // namespace legion::sim
