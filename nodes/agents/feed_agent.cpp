#include <legion/agents/feed_agent.hpp>

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include <legion/runtime/clock.hpp>

namespace legion {
namespace {

constexpr Duration mesh_look_interval = 10ms;
constexpr Duration wait_min = 1ms;  // at high rates the rows of a millisecond go out together
constexpr Duration blocked_wait_max = 16ms;
constexpr Duration progress_interval = 10s;

const FieldValue* find(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find_if(fields, [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

}  // namespace

FeedAgent::FeedAgent(FeedOptions options, std::unique_ptr<FeedSource> source)
    : options_(std::move(options)), source_(std::move(source)), pacer_(options_.pacing), reported_(10, 1s) {}

FeedAgent::~FeedAgent() { stop(Duration::zero()); }

void FeedAgent::start(AgentServices& services) {
  services_ = &services;
  services.agent_up();
  thread_ = std::thread([this] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    run();
  });
}

std::optional<Outcome> FeedAgent::deliver(const Delivery&) { return Outcome::done(); }

void FeedAgent::stop(Duration) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void FeedAgent::run() {
  if (wait_for_mesh() == Go::On) {
    services_->set_state("running");
    next_progress_ = read_clocks().steady + progress_interval;
    while (run_pass() == Go::On && options_.repeat == FeedOptions::Repeat::Yes) {
    }
  }
  if (const auto lines = reported_.take_suppressed()) {
    services_->log(LogLevel::Warn, fmt::format("{} lines suppressed", *lines));
  }
  const bool stopped = wait(Duration::zero()) == Go::End;
  if (!failure_.empty()) {
    services_->log(LogLevel::Error, fmt::format("ended after {} events: {}", published_, failure_));
    services_->set_state("failed: " + failure_);
  } else if (stopped && !reached_count()) {
    services_->log(LogLevel::Info, fmt::format("stopped: {} events", published_));
    services_->set_state("stopped");
  } else {
    services_->log(LogLevel::Info, fmt::format("finished: {} events", published_));
    services_->set_state("finished");
  }
}

FeedAgent::Go FeedAgent::wait_for_mesh() {
  services_->set_state(fmt::format("waiting for {} nodes", options_.wait_for_nodes));
  while (!services_->publishing_open() || services_->alive_members() < options_.wait_for_nodes) {
    if (wait(mesh_look_interval) == Go::End) return Go::End;
  }
  return wait(options_.start_after);
}

FeedAgent::Go FeedAgent::run_pass() {
  if (auto opened = source_->rewind(); !opened) {
    failure_ = opened.error().message;
    return Go::End;
  }
  rows_of_pass_ = 0;
  while (!reached_count()) {
    auto item = source_->next();
    if (const auto* defect = std::get_if<RowDefect>(&item)) {
      report("bad_rows", defect->message);
      if (wait(Duration::zero()) == Go::End) return Go::End;
      continue;
    }
    if (std::holds_alternative<FeedEnd>(item)) {
      if (rows_of_pass_ > 0 || options_.repeat == FeedOptions::Repeat::No) return Go::On;
      failure_ = "the source has no usable row";
      return Go::End;
    }
    ++rows_of_pass_;
    if (publish_row(std::get<FeedRow>(item)) == Go::End) return Go::End;
  }
  return Go::End;
}

FeedAgent::Go FeedAgent::publish_row(const FeedRow& row) {
  const SteadyTime now = read_clocks().steady;
  const SteadyTime due = pacer_.due(now, row.seconds);
  const Duration left = due - now;
  if (wait(left > Duration::zero() ? std::max(left, wait_min) : Duration::zero()) == Go::End) return Go::End;
  tell_progress(now);
  return publish_patiently(event_of(row));
}

FeedAgent::Go FeedAgent::publish_patiently(const Event& event) {
  Duration pause = wait_min;
  while (true) {
    PublishOptions options;
    if (options_.priority) options.priority_from = PublishOptions::PriorityFrom::Event;
    const PublishResult result = services_->publish(event, std::move(options));
    switch (result.status) {
      case PublishStatus::Queued:
        ++published_;
        services_->count("published", 1);
        return Go::On;
      case PublishStatus::WouldBlock:
        services_->count("would_block", 1);
        if (wait(pause) == Go::End) return Go::End;
        pause = std::min(pause * 2, blocked_wait_max);
        break;
      case PublishStatus::Filtered: services_->count("filtered", 1); return Go::On;
      case PublishStatus::TooBig:
      case PublishStatus::Invalid:
      case PublishStatus::Refused:
        report("refused", fmt::format("{} {}: {}", event.type, to_string(result.status), result.detail));
        return Go::On;
      case PublishStatus::Closed: failure_ = "the node takes no more events"; return Go::End;
    }
  }
}

Event FeedAgent::event_of(const FeedRow& row) const {
  Event event;
  event.type = options_.type;
  if (options_.priority) event.priority = *options_.priority;
  if (options_.key) {
    const FieldValue* value = find(options_.constants, *options_.key);
    if (value == nullptr) value = find(row.fields, *options_.key);
    if (value != nullptr) event.key = to_key(*value);
  }
  event.data = encode_fields(row.fields, options_.constants);
  return event;
}

FeedAgent::Go FeedAgent::wait(Duration duration) {
  std::unique_lock lock(mutex_);
  if (duration > Duration::zero()) wake_.wait_for(lock, duration, [&] { return stopping_; });
  return stopping_ ? Go::End : Go::On;
}

void FeedAgent::report(std::string_view counter, std::string_view text) {
  services_->count(counter, 1);
  const SteadyTime now = read_clocks().steady;
  if (const auto lines = reported_.take_suppressed(now)) {
    services_->log(LogLevel::Warn, fmt::format("{} lines suppressed", *lines));
  }
  if (reported_.allow(now)) services_->log(LogLevel::Error, text);
}

void FeedAgent::tell_progress(SteadyTime now) {
  if (now < next_progress_) return;
  next_progress_ = now + progress_interval;
  services_->log(LogLevel::Info, fmt::format("{} events so far", published_));
}

}  // namespace legion
