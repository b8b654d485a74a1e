#include <legion/context.hpp>

#include <utility>

#include <legion/api/handler_table.hpp>
#include <legion/api/pending_answer.hpp>

namespace legion {

// --- PendingAnswer ---------------------------------------------------------------------------------------------------

std::optional<Outcome> PendingAnswer::arm() {
  const std::lock_guard lock(mutex);
  state = early ? State::Over : State::Armed;
  return std::exchange(early, std::nullopt);
}

void PendingAnswer::cancel() {
  const std::lock_guard lock(mutex);
  state = State::Over;
}

void PendingAnswer::answer(Outcome outcome) {
  {
    const std::lock_guard lock(mutex);
    if (state == State::HandlerRuns && !early) early = std::move(outcome);
    if (state != State::Armed) return;
    state = State::Over;
  }
  line->complete(task, std::move(outcome));
}

// --- Acknowledgement -------------------------------------------------------------------------------------------------

Acknowledgement::Acknowledgement(std::shared_ptr<PendingAnswer> pending) : pending_(std::move(pending)) {}

Acknowledgement& Acknowledgement::operator=(Acknowledgement&& other) noexcept {
  std::swap(pending_, other.pending_);
  return *this;
}

Acknowledgement::~Acknowledgement() { answer(Outcome::retry("the handler gave up its acknowledgement unanswered")); }

void Acknowledgement::answer(Outcome outcome) {
  if (const auto pending = std::exchange(pending_, nullptr)) pending->answer(std::move(outcome));
}

// --- HandlerCall -----------------------------------------------------------------------------------------------------

Outcome HandlerCall::settle(Outcome outcome) {
  switch (outcome.kind) {
    case OutcomeKind::Deferred:
      if (!pending) return Outcome::retry("the handler returned deferred and took no acknowledgement");
      if (auto answered = pending->arm()) return std::move(*answered);
      return outcome;
    case OutcomeKind::Expired:
    case OutcomeKind::Undecodable:
    case OutcomeKind::Unfit:
    case OutcomeKind::UnknownVersion:
    case OutcomeKind::FilteredWhere:
    case OutcomeKind::FilteredDuplicate:
    case OutcomeKind::FilteredLimited:
      outcome = Outcome::retry("a handler cannot answer " + std::string(to_string(outcome.kind)));
      break;
    case OutcomeKind::Done:
    case OutcomeKind::Stop:
    case OutcomeKind::Reject:
    case OutcomeKind::Retry: break;
  }
  if (pending) pending->cancel();
  return outcome;
}

// --- Context ---------------------------------------------------------------------------------------------------------

const EventView& Context::event() const { return *call_.delivery.event; }

EventPtr Context::keep_event() const { return call_.delivery.event; }

std::uint32_t Context::attempt() const { return call_.delivery.attempt; }

const std::string& Context::agent() const { return call_.table.name(); }

const std::string& Context::node() const { return call_.table.node(); }

Now Context::now() const { return call_.table.target()->now(); }

PublishResult Context::publish(Event event, PublishOptions options) {
  follow(event);
  return call_.table.target()->publish(event, call_.table.name(), std::move(options));
}

Async<Confirmed> Context::publish_confirmed(Event event) {
  follow(event);
  const Publisher as_agent = publisher();
  co_return co_await as_agent.confirmed(event);
}

void Context::follow(Event& event) const {
  const EventView& cause = *call_.delivery.event;
  if (event.causation_id.empty()) event.causation_id = cause.id_string();
  if (event.correlation_id.empty()) event.correlation_id = cause.correlation();
  if (!event.traceparent.empty()) return;
  event.traceparent = cause.traceparent;
  if (event.tracestate.empty()) event.tracestate = cause.tracestate;
}

Publisher Context::publisher() const { return {call_.table.target(), call_.table.name()}; }

Acknowledgement Context::defer() {
  if (!call_.pending) {
    call_.pending = std::make_shared<PendingAnswer>(call_.table.shared_line(), call_.delivery.task);
    return Acknowledgement(call_.pending);
  }
  return {};
}

}  // namespace legion
