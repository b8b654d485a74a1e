#include <legion/runtime/spool_links.hpp>

#include <algorithm>
#include <utility>

namespace legion {

Result<void> SpoolLinks::connect(const std::string& spool, const std::string& uri) {
  const auto found = links_.find(spool);
  if (found != links_.end() && found->second.client->uri() == uri) return {};
  auto client = transport::SpoolClient::connect(context_, uri, options_);
  if (!client) return std::unexpected(client.error());
  if (poller_ != nullptr) poller_->add((*client)->pollables());
  Link& link = links_[spool];
  if (std::exchange(link.told_up, false)) reconnected_.push_back(spool);
  link.waiting.clear();
  link.client = std::move(*client);
  return {};
}

void SpoolLinks::disconnect(const std::string& spool) { links_.erase(spool); }

void SpoolLinks::pump(Now now, Journal& journal) {
  for (const std::string& spool : std::exchange(reconnected_, {})) journal.on_link_down(now, spool);
  for (auto& [spool, link] : links_) pump(now, journal, spool, link);
}

void SpoolLinks::pump(Now now, Journal& journal, const std::string& spool, Link& link) {
  link.client->on_turn(now.steady);
  read(now, journal, spool, link,
       messages_per_turn);  // also without a connection: until the socket says there is nothing
  for (const auto news : link.client->take_news()) {
    link.told_up = news == transport::SpoolClient::News::Up;
    if (link.told_up) {
      journal.on_link_up(now, spool);
      continue;
    }
    read(now, journal, spool, link, SIZE_MAX);  // what came before the connection ended
    link.waiting.clear();
    journal.on_link_down(now, spool);
  }
  send_waiting(link);
}

void SpoolLinks::read(Now now, Journal& journal, const std::string& spool, Link& link, std::size_t messages_max) {
  for (std::size_t count = 0; count < messages_max; ++count) {
    const auto parts = link.client->recv();
    if (!parts) return;
    const auto message = decode_from_spool(parts->head.bytes());
    if (message) {
      journal.on_message(now, spool, *message);
    } else {
      ++bad_messages_;
    }
  }
}

void SpoolLinks::send(const Journal::Send& effect) {
  const auto found = links_.find(effect.spool);
  if (found == links_.end() || !found->second.told_up) return;
  Link& link = found->second;
  auto [head, frame] = encode(effect.message);
  if (link.waiting.empty() && link.client->send(head, frame)) return;
  link.waiting.push_back({std::move(head), std::move(frame)});
}

void SpoolLinks::send_waiting(Link& link) {
  while (!link.waiting.empty()) {
    if (!link.client->send(link.waiting.front().head, link.waiting.front().frame)) return;
    link.waiting.pop_front();
  }
}

bool SpoolLinks::may_have_input() const {
  return std::ranges::any_of(links_, [](const auto& entry) { return entry.second.client->may_have_input(); });
}

bool SpoolLinks::drained() const {
  return std::ranges::all_of(links_, [](const auto& entry) { return entry.second.waiting.empty(); });
}

void SpoolLinks::watch(transport::Poller& poller) {
  poller_ = &poller;
  for (const auto& [spool, link] : links_) poller.add(link.client->pollables());
}

bool SpoolLinks::up(const std::string& spool) const {
  const auto found = links_.find(spool);
  return found != links_.end() && found->second.told_up;
}

}  // namespace legion
