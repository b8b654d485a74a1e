#include <legion/publisher.hpp>

#include <algorithm>
#include <utility>

#include <legion/api/publish_target.hpp>

namespace legion {

namespace {

constexpr std::size_t data_bytes_kept_max = 64 * 1024;

/// What publishing a struct has left to be used again. One is enough: only a publish inside a publish needs a second.
std::unique_ptr<Event>& spare_of_this_thread() {
  thread_local std::unique_ptr<Event> spare;
  return spare;
}

}  // namespace

Outgoing::Outgoing(std::string_view type, std::uint32_t schema_version)
    : event_(std::exchange(spare_of_this_thread(), nullptr)) {
  if (!event_) event_ = std::make_unique<Event>();
  event_->type.assign(type);
  event_->schema_version = schema_version;
}

// Whoever had it changed nothing but the data.
Outgoing::~Outgoing() {
  if (event_->data.capacity() <= data_bytes_kept_max) spare_of_this_thread() = std::move(event_);
}

PublishResult Publisher::publish(const Event& event, PublishOptions options) const {
  return target_->publish(event, name_, std::move(options));
}

BatchResult Publisher::publish_batch(std::span<const Event> events) const {
  BatchResult batch;
  for (std::size_t index = 0; index < events.size(); ++index) {
    PublishResult result = publish(events[index]);
    if (result) {
      ++batch.queued;
    } else {
      batch.refused.push_back({index, std::move(result)});
    }
  }
  return batch;
}

PublishResult Publisher::publish_with_retry(const Event& event, const PublishRetry& retry) const {
  Duration delay = std::clamp(retry.delay, Duration::zero(), retry.delay_max);
  for (std::uint32_t attempt = 1;; ++attempt) {
    PublishResult result = publish(event);
    if (result.status != PublishStatus::WouldBlock || attempt >= retry.attempts) return result;
    if (target_->wait(delay) == PublishTarget::Waited::Closed) return publish(event);
    const double longer = static_cast<double>(delay.count()) * std::max(retry.backoff, 1.0);
    delay = longer < static_cast<double>(retry.delay_max.count()) ? Duration(static_cast<std::int64_t>(longer))
                                                                  : retry.delay_max;
  }
}

PublishResult Publisher::publish_confirmed(const Event& event, std::function<void(Confirm)> then) const {
  PublishOptions options;
  options.on_confirmed = std::move(then);
  return publish(event, std::move(options));
}

std::future<Confirmed> Publisher::publish_confirmed(const Event& event) const {
  auto promise = std::make_shared<std::promise<Confirmed>>();  // std::function has to be copied
  std::future<Confirmed> future = promise->get_future();
  PublishResult taken =
      publish_confirmed(event, [promise](Confirm confirm) { promise->set_value({{}, std::move(confirm)}); });
  if (!taken) promise->set_value({std::move(taken), std::nullopt});
  return future;
}

Confirmation::Confirmation(PublishTarget& target, std::string_view as, const Event& event)
    : target_(target), as_(as), event_(event) {}

// Once the event is taken the coroutine may be resumed, and end, on another thread: then this object is gone.
bool Confirmation::await_suspend(std::coroutine_handle<> waiting) {
  PublishOptions options;
  options.on_confirmed = [this, waiting](Confirm confirm) {
    result_.confirm = std::move(confirm);
    waiting.resume();
  };
  PublishResult taken = target_.publish(event_, as_, std::move(options));
  if (taken) return true;
  result_.taken = std::move(taken);
  return false;
}

}  // namespace legion
