#include <legion/runtime/local_bus.hpp>

#include <legion/event/json.hpp>

namespace legion {

namespace {

constexpr std::size_t published_per_turn = 256;
constexpr std::size_t subscriptions_per_turn = 1024;

/// A subscription as stock clients write it: "" for everything, "trade." for a family, "trade.approved" with or without
/// the closing NUL for one type.
Result<Filter> filter_of(std::string_view topic) {
  if (topic.empty()) return Filter::parse("*");
  if (topic.back() == '\0') topic.remove_suffix(1);
  return Filter::parse(topic);
}

Result<IncomingEvent> read_event(BytesView body) {
  if (body.empty()) return fail(ErrorCode::BadData, "the second part is empty");
  return body.front() == '{' ? from_cloudevent_json({reinterpret_cast<const char*>(body.data()), body.size()})
                             : from_cloudevent_msgpack(body);
}

}  // namespace

LocalBus::LocalBus(std::unique_ptr<transport::LocalPair> pair, Intake& intake, LogSink log)
    : pair_(std::move(pair)), intake_(intake), log_(std::move(log)) {}

void LocalBus::on_turn(Now now) {
  pair_->recv_published([&](std::span<transport::Message> parts) { on_published(now, parts); }, published_per_turn);
  pair_->recv_subscriptions(
      [&](transport::SubscriptionChange change, std::string_view topic) { on_subscription(change, topic); },
      subscriptions_per_turn);
}

void LocalBus::on_published(Now now, std::span<transport::Message> parts) {
  if (parts.size() != 2) {
    ++counts_["refused_parts"];
    return;
  }
  std::string_view type = parts[0].text();
  if (!type.empty() && type.back() == '\0') type.remove_suffix(1);
  auto incoming = read_event(parts[1].bytes());
  if (!incoming) {
    if (++counts_["refused_undecodable"] == 1) log_(LogLevel::Warn, "local publish refused: " + incoming.error().message);
    return;
  }
  if (canonical_type(incoming->event.type) != canonical_type(type)) {
    ++counts_["refused_type_mismatch"];
    return;
  }
  const auto priority =
      incoming->has_priority ? PublishOptions::PriorityFrom::Event : PublishOptions::PriorityFrom::Policy;
  const auto result = intake_.publish(incoming->event, "local", PublishedBy::Local, priority, {}, now.wall);
  if (result) {
    ++counts_["published"];
  } else {
    ++counts_["refused_" + std::string(to_string(result.status))];
  }
}

void LocalBus::on_subscription(transport::SubscriptionChange change, std::string_view topic) {
  if (change == transport::SubscriptionChange::Removed) {
    const auto found = interests_.find(topic);
    if (found == interests_.end()) return;
    const Filter filter = found->second;
    interests_.erase(found);
    if (on_interest) on_interest(filter, change);
    return;
  }
  const auto filter = filter_of(topic);
  if (!filter) {
    if (++counts_["refused_subscription"] == 1) {
      log_(LogLevel::Warn, "local subscription refused: " + filter.error().message);
    }
    return;
  }
  const bool added = interests_.emplace(std::string(topic), *filter).second;
  if (added && on_interest) on_interest(*filter, change);
}

bool LocalBus::wanted(std::string_view type) const {
  for (const auto& [topic, filter] : interests_) {
    if (filter.matches(type)) return true;
  }
  return false;
}

std::vector<Filter> LocalBus::interests() const {
  std::vector<Filter> filters;
  for (const auto& [topic, filter] : interests_) filters.push_back(filter);
  return filters;
}

void LocalBus::on_event(const EventPtr& event) {
  if (interests_.empty() || !event->defect.empty() || !wanted(event->type)) return;
  auto body = to_cloudevent_msgpack(*event);
  if (!body) {
    ++counts_["undecodable"];
    return;
  }
  Bytes message(event->type.begin(), event->type.end());
  message.push_back(0);
  message.insert(message.end(), body->begin(), body->end());
  ++counts_[pair_->send(message) == transport::PublishOutcome::SlowPeer ? "slow_subscriber" : "sent"];
}

}  // namespace legion
