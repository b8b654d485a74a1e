#include <legion/transport/link_supervisor.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace legion::transport {

void LinkSupervisor::set_deadline(Link& link, SteadyTime deadline) {
  link.deadline = deadline;
  next_due_ = std::min(next_due_, deadline);
}

void LinkSupervisor::dialling(SteadyTime now, Link& link) {
  link.state = State::Dialling;
  set_deadline(link, now + options_.stalled_after);
  link.fd = -1;
  link.suspected = false;
}

void LinkSupervisor::on_connect(SteadyTime now, const std::string& uri) {
  Link& link = links_[uri] = Link{};
  dialling(now, link);
}

void LinkSupervisor::on_disconnect(const std::string& uri) { links_.erase(uri); }

void LinkSupervisor::on_monitor_event(SteadyTime now, const MonitorEvent& event) {
  const auto found = links_.find(event.endpoint);
  if (found == links_.end()) return;
  const auto& uri = found->first;
  Link& link = found->second;
  const bool up = link.state == State::Up;
  switch (event.kind) {
    // While a link is up these belong to the session a redial replaced: a session that is up reports Disconnected
    // first.
    case MonitorEventKind::ConnectDelayed:
    case MonitorEventKind::ConnectRetried:
      if (!up) dialling(now, link);
      break;
    case MonitorEventKind::Connected:
      if (up) effects_.push_back({LinkEffectKind::Down, uri});
      dialling(now, link);
      link.fd = event.value;
      break;
    case MonitorEventKind::HandshakeSucceeded:
      link.state = State::Up;
      link.up_since = now;
      link.suspected = false;
      effects_.push_back({LinkEffectKind::Up, uri});
      break;
    case MonitorEventKind::Disconnected:
      if (!up || link.fd < 0 || link.fd == event.value) lost(now, uri, link);
      break;
    case MonitorEventKind::HandshakeFailed:
    case MonitorEventKind::HandshakeProtocolError:
    case MonitorEventKind::HandshakeRefused:
    case MonitorEventKind::Closed:
      if (!up) lost(now, uri, link);
      break;
    case MonitorEventKind::Listening:
    case MonitorEventKind::BindFailed:
    case MonitorEventKind::Accepted:
    case MonitorEventKind::AcceptFailed:
    case MonitorEventKind::CloseFailed: break;
  }
}

void LinkSupervisor::lost(SteadyTime now, const std::string& uri, Link& link) {
  if (link.state == State::Lost) return;
  if (link.state == State::Up) {
    effects_.push_back({LinkEffectKind::Down, uri});
    if (now - link.up_since >= options_.redial_max) link.attempts = 0;
  }
  link.state = State::Lost;
  link.lost_at = now;
  link.suspected = false;
  SteadyTime deadline = now + options_.give_up_after;
  if (link.redialled) deadline = std::max(deadline, *link.redialled + back_off(uri, link));
  set_deadline(link, deadline);
}

void LinkSupervisor::on_heard(SteadyTime now, const std::string& uri) {
  const auto found = links_.find(uri);
  if (found == links_.end()) return;
  found->second.heard = now;
  found->second.suspected = false;
}

void LinkSupervisor::on_suspect(SteadyTime now, const std::string& uri) {
  const auto found = links_.find(uri);
  if (found == links_.end()) return;
  Link& link = found->second;
  if (link.state != State::Up || link.suspected) return;
  if (link.heard && now - *link.heard < options_.alive_after) return;
  link.suspected = true;
  set_deadline(link, link.redialled ? std::max(now, *link.redialled + back_off(uri, link)) : now);
  on_tick(now);
}

void LinkSupervisor::on_succeeded(SteadyTime now, const std::string& uri) {
  const auto found = links_.find(uri);
  if (found == links_.end()) return;
  Link& link = found->second;
  // One that came up just now is to the new life. The end of the old one may still be on its way here, and what is
  // before it is worth reading.
  if (link.state != State::Up || link.suspected || now - link.up_since < options_.alive_after) return;
  link.suspected = true;
  set_deadline(link, now + options_.redial_max);
}

void LinkSupervisor::on_tick(SteadyTime now) {
  if (now < next_due_) return;
  for (auto& [uri, link] : links_) {
    const bool pending = link.state != State::Up || link.suspected;
    if (!pending || now < link.deadline) continue;
    // The end of a lost connection may still wait in the socket; but a peer must not be able to put this off for ever.
    const bool being_read = link.heard && now - *link.heard < options_.quiet_after;
    if (link.state == State::Lost && being_read && now < link.lost_at + options_.redial_max) {
      link.deadline = *link.heard + options_.quiet_after;
      continue;
    }
    redial(now, uri, link);
  }
  next_due_ = next_deadline().value_or(never);
}

void LinkSupervisor::redial(SteadyTime now, const std::string& uri, Link& link) {
  if (link.state == State::Up) {
    effects_.push_back({LinkEffectKind::Down, uri});
    if (now - link.up_since >= options_.redial_max) link.attempts = 0;
  }
  effects_.push_back({LinkEffectKind::Redial, uri});
  ++link.attempts;
  ++redials_;
  link.redialled = now;
  dialling(now, link);
}

Duration LinkSupervisor::back_off(const std::string& uri, const Link& link) const {
  if (link.attempts == 0) return Duration::zero();
  const std::uint32_t doublings = std::min<std::uint32_t>(link.attempts - 1, 16);
  const Duration full = std::min(options_.redial_first * (std::int64_t{1} << doublings), options_.redial_max);
  // Up to a quarter less, so that links lost together are not all dialled together.
  const auto spread = static_cast<std::int64_t>((std::hash<std::string>{}(uri) + link.attempts) % 256);
  return full - full * spread / 1024;
}

std::vector<LinkEffect> LinkSupervisor::drain_effects() { return std::exchange(effects_, {}); }

std::optional<SteadyTime> LinkSupervisor::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& [uri, link] : links_) {
    if (link.state == State::Up && !link.suspected) continue;
    if (!next || link.deadline < *next) next = link.deadline;
  }
  return next;
}

bool LinkSupervisor::is_up(const std::string& uri) const {
  const auto found = links_.find(uri);
  return found != links_.end() && found->second.state == State::Up;
}

}  // namespace legion::transport
