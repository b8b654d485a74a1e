// Publishing from a program.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/event.hpp>

namespace legion {

class PublishTarget;

/// What became of an event that was published with a confirm.
struct Confirmed {
  PublishResult taken{};            ///< what publish() answered
  std::optional<Confirm> confirm{};  ///< present exactly when it answered Queued
  /// Durable at as many spools as its type asks for.
  explicit operator bool() const { return confirm && confirm->status == Confirm::Status::Confirmed; }
};

/// How publish_with_retry() goes on after would_block: attempt n + 1 follows after delay * backoff^(n - 1).
struct PublishRetry {
  std::uint32_t attempts = 3;  ///< 0 is taken as 1
  Duration delay = std::chrono::milliseconds(100);
  double backoff = 2.0;
  Duration delay_max = std::chrono::seconds(5);
};

/// What became of a batch. Events behind a refused one are tried all the same.
struct BatchResult {
  std::size_t queued = 0;
  struct Refused {
    std::size_t index = 0;  ///< in the batch
    PublishResult result{};
  };
  std::vector<Refused> refused{};
  explicit operator bool() const { return refused.empty(); }
};

/// `co_await publisher.confirmed(event)`: publishes, waits without holding a thread, yields Confirmed. To be awaited at
/// once; it keeps a copy of nothing.
class Confirmation {
 public:
  Confirmation(PublishTarget& target, std::string_view as, const Event& event);

  bool await_ready() const noexcept { return false; }
  /// False, that is no waiting, when the event is not taken.
  bool await_suspend(std::coroutine_handle<> waiting);
  Confirmed await_resume() { return std::move(result_); }

 private:
  PublishTarget& target_;
  std::string_view as_;
  const Event& event_;
  Confirmed result_;
};

/// An event whose memory this thread uses again.
class Outgoing {
 public:
  Outgoing(std::string_view type, std::uint32_t schema_version);
  ~Outgoing();
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  Event& operator*() const { return *event_; }
  Event* operator->() const { return event_.get(); }

 private:
  std::unique_ptr<Event> event_;
};

/// Publishes under one name of one node: the source of its events is `node/name`.
///
/// Thread: any number of threads may use one publisher, or copies of it; copying is cheap. No function blocks but
/// publish_with_retry(). Ordering: what one thread publishes of one type, lane and shard is delivered in that order.
/// Ownership: may outlive its node; everything is then answered with Closed.
/// Errors: PublishResult says why an event was not taken: WouldBlock (the lane's queue or the confirmed journal is
/// full), TooBig, Invalid and Refused (naming the member), Filtered (by a middleware step, on purpose), Closed. What was
/// taken is sent. What a callback throws ends in the node's log.
class Publisher {
 public:
  /// Absent members are filled in: source, time (now), priority and expiry by the policy of the type.
  PublishResult publish(const Event& event, PublishOptions options = {}) const;
  /// The struct as an event. Allocates nothing in the steady state.
  template <TypedEvent T>
  PublishResult publish(const T& event, PublishOptions options = {}) const {
    const Outgoing outgoing(T::schema.type, T::schema.version);
    encode_data(event, outgoing->data);
    return publish(*outgoing, std::move(options));
  }

  /// The events in their order. A lane that is full refuses what comes behind too, unless it empties meanwhile.
  BatchResult publish_batch(std::span<const Event> events) const;

  /// Tries again while the answer is WouldBlock, up to `retry.attempts` times; the last answer. Waits on this thread,
  /// so not for handlers; a node that closes ends the wait.
  PublishResult publish_with_retry(const Event& event, const PublishRetry& retry = {}) const;

  /// Calls `then` with what became of it, on the node's callback thread, if the answer is Queued; else not at all.
  /// Of a type that is not confirmed by spools the answer is Invalid.
  PublishResult publish_confirmed(const Event& event, std::function<void(Confirm)> then) const;
  /// As a future. Not to be waited for inside a handler: the workers would stand still.
  std::future<Confirmed> publish_confirmed(const Event& event) const;
  /// As something to await; resumes on the node's callback thread. `event` and this publisher live until then, as the
  /// arguments of a co_await expression do.
  Confirmation confirmed(const Event& event) const { return {*target_, name_, event}; }

  const std::string& name() const { return name_; }

  Publisher(std::shared_ptr<PublishTarget> target, std::string name)
      : target_(std::move(target)), name_(std::move(name)) {}

 private:
  std::shared_ptr<PublishTarget> target_;  // shared by all publishers of a node, which it may outlive
  std::string name_;
};

}  // namespace legion
