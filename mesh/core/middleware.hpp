// Steps around publish() and around handlers. docs/architecture.md, "Middleware".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <legion/base/bytes.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>

namespace legion {

/// An event on its way through the steps of publish(). Looked at in place; copied when the first step changes it.
class PublishedEvent {
 public:
  /// What the event does not say itself, or not in its final form. What the views point to outlives the event.
  struct Surroundings {
    std::string_view type;    ///< lower case
    std::string_view source;  ///< of an event that names none
    std::string_view agent;   ///< that publishes it; empty for programs
    Priority priority = Priority::Normal;  ///< the one it will go out with
    Now now{};
    std::optional<Duration> ttl{};  ///< of an event that states no expiry: what its type's policy gives it
  };
  /// `event` outlives it.
  PublishedEvent(const Event& event, const Surroundings& around) : original_(event), around_(around) {}

  const Event& event() const { return changed_ ? *changed_ : original_; }
  /// As conditions see it: with the type, the source, the priority and the time it will go out with. The views hold
  /// until the next change().
  EventView view() const;
  /// How often a step asked for it to write to.
  std::uint32_t changes() const { return changes_; }
  /// To write to. Its type and its priority are not to be changed.
  Event& change();

  std::string_view type() const { return around_.type; }
  std::string_view agent() const { return around_.agent; }
  Now now() const { return around_.now; }
  std::optional<Duration> ttl() const { return around_.ttl; }

 private:
  const Event& original_;
  Surroundings around_;
  std::optional<Event> changed_;
  std::uint32_t changes_ = 0;
};

/// What a step makes of an event that is published.
struct PublishVerdict {
  enum class Kind : std::uint8_t {
    Pass,
    Filtered,   ///< not to be sent, on purpose
    WouldBlock, ///< not now
    Invalid,
  } kind = Kind::Pass;
  std::string detail{};  ///< of the others: for a person

  static PublishVerdict pass() { return {}; }
  static PublishVerdict filtered(std::string detail) { return {Kind::Filtered, std::move(detail)}; }
  static PublishVerdict would_block(std::string detail) { return {Kind::WouldBlock, std::move(detail)}; }
  static PublishVerdict invalid(std::string detail) { return {Kind::Invalid, std::move(detail)}; }
};

/// An event on its way through the steps before a handler.
class DispatchedEvent {
 public:
  enum class Again : std::uint8_t {
    No,
    Yes,       ///< it was handed over before: what lets through once lets through again
    AskedFor,  ///< somebody asked for it to be handed over again: nothing that remembers or looks at the clock counts
  };
  /// `agent` outlives it.
  DispatchedEvent(EventPtr event, std::string_view agent, Again again, Now now)
      : event_(std::move(event)), agent_(agent), again_(again), now_(now) {}

  const EventView& view() const { return *event_; }
  /// The handler gets this data instead. What is kept of the event (a dead letter, the spool) stays as it is.
  void change_data(Bytes data, std::uint32_t schema_version);
  /// What the handler gets.
  const EventPtr& event() const { return event_; }

  std::string_view agent() const { return agent_; }
  Again again() const { return again_; }
  Now now() const { return now_; }

 private:
  EventPtr event_;
  std::string_view agent_;
  Again again_;
  Now now_;
};

/// What a step makes of an event before a handler.
struct DispatchVerdict {
  enum class Kind : std::uint8_t {
    Pass,
    FilteredWhere,      ///< not for this handler; the later tiers go on
    FilteredDuplicate,  ///< the same: seen before
    FilteredLimited,    ///< the same: too many
    Expired,            ///< of a durable subscription a dead letter
    Reject,             ///< a dead letter
    Unfit,              ///< the same, because its data is not what its type declares
  } kind = Kind::Pass;
  std::string error{};  ///< of Reject and Unfit

  static DispatchVerdict pass() { return {}; }
  static DispatchVerdict of(Kind kind) { return {kind, {}}; }
  static DispatchVerdict reject(std::string error) { return {Kind::Reject, std::move(error)}; }
  static DispatchVerdict unfit(std::string error) { return {Kind::Unfit, std::move(error)}; }
};

/// One step. What it does not override lets everything pass.
///
/// Thread: as calls() says. Errors: verdicts; whatever an own step throws ends the process, as in a handler's thread.
class Middleware {
 public:
  virtual ~Middleware() = default;

  enum class Calls : std::uint8_t {
    Serialised,  ///< one at a time; from which thread is not fixed
    Any,         ///< any number at once: it has no state, or guards it itself
  };
  virtual Calls calls() const { return Calls::Serialised; }

  /// On the publishing thread, before the event is encoded.
  virtual PublishVerdict on_publish(PublishedEvent&) { return PublishVerdict::pass(); }
  /// What became of an event that on_publish() let pass; the same object, as it was published. NotTaken: a later step
  /// or a full queue refused it, so the publisher may try again, and a step that remembers forgets it.
  enum class Taken : std::uint8_t { No, Yes };
  virtual void on_answer(const PublishedEvent&, Taken) {}

  /// On a worker, before the handler. Of a gate only Pass, Expired, Reject and Unfit count: nothing takes an event past it.
  virtual DispatchVerdict on_dispatch(DispatchedEvent&) { return DispatchVerdict::pass(); }
};

/// What tells two events apart to somebody who may get one twice: the id it came with from outside together with its
/// source; of a replayed event the id it was first published with; else its own. Nothing for one that is not numbered
/// and brought no id.
std::optional<std::uint64_t> identity_hash(const EventView& event);
/// Of the number itself: two deliveries of one frame's event have the same one, two events never.
std::uint64_t coordinate_hash(const EventView& event);
/// Handed to one agent again because an operator asked for it.
bool is_asked_for(const EventView& event);

}  // namespace legion
