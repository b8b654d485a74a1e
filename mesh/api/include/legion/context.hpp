// What a handler knows of the event it has in hands, and what it can do about it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <legion/async.hpp>
#include <legion/event.hpp>
#include <legion/publisher.hpp>

namespace legion {

struct HandlerCall;
struct PendingAnswer;

/// The answer to an event whose handler returned Outcome::deferred(). The first answer counts; giving none (the object
/// is destroyed) is a failed attempt. While it is out, later events of the same stream (or key) wait for that agent.
///
/// Thread: any, one at a time. Ownership: movable; may outlive the node, it then does nothing.
class Acknowledgement {
 public:
  Acknowledgement() = default;
  explicit Acknowledgement(std::shared_ptr<PendingAnswer> pending);
  Acknowledgement(Acknowledgement&&) noexcept = default;
  Acknowledgement& operator=(Acknowledgement&& other) noexcept;
  ~Acknowledgement();

  void done() { answer(Outcome::done()); }
  void stop() { answer(Outcome::stop()); }
  void reject(std::string error) { answer(Outcome::reject(std::move(error))); }
  void retry(std::string error) { answer(Outcome::retry(std::move(error))); }

 private:
  void answer(Outcome outcome);
  std::shared_ptr<PendingAnswer> pending_;  // shared with the call of the handler, until that has returned
};

/// Thread: that of the handler. Ownership: lives as long as the call of the handler, of a coroutine until it has ended.
class Context {
 public:
  explicit Context(HandlerCall& call) : call_(call) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const EventView& event() const;
  /// The event, to be kept beyond the call. Keeps the memory of its whole frame (up to 32 KiB).
  EventPtr keep_event() const;
  std::uint32_t attempt() const;  ///< 1, 2, ..
  const std::string& agent() const;
  const std::string& node() const;
  /// The node's clocks; in the test kit those of the test.
  Now now() const;

  /// Publishes as the agent, as a consequence of the event in hands: see follow().
  PublishResult publish(Event event, PublishOptions options = {});
  template <TypedEvent T>
  PublishResult publish(const T& event, PublishOptions options = {}) {
    return publish(make_event(event), std::move(options));
  }
  /// As publish(), to be awaited: `co_await context.publish_confirmed(event)`.
  Async<Confirmed> publish_confirmed(Event event);

  /// Makes `event` a consequence of the event in hands, where it does not say otherwise: its causation is the id of
  /// that event, its correlation, traceparent and tracestate are those of that event.
  void follow(Event& event) const;
  /// Publishes under the name of the agent, not as a consequence.
  Publisher publisher() const;

  /// The answer comes later: take this and return Outcome::deferred(). Of another outcome it means nothing. Once.
  Acknowledgement defer();

 private:
  HandlerCall& call_;
};

}  // namespace legion
