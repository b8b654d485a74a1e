// What publishing an event is asked for and answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace legion {

/// What publish() answered. Everything but Queued means: this event will not be sent.
/// Filtered: a middleware step of this node took it out, on purpose; publishing it again changes nothing.
enum class PublishStatus : std::uint8_t { Queued, WouldBlock, TooBig, Invalid, Refused, Closed, Filtered };
/// "queued", "would_block", "too_big", "invalid", "refused", "closed", "filtered"
std::string_view to_string(PublishStatus status);

struct PublishResult {
  PublishStatus status = PublishStatus::Queued;
  std::string detail{};  ///< for Invalid and Refused: what is wrong, naming the member; for Filtered the step's name
  explicit operator bool() const { return status == PublishStatus::Queued; }
};

/// What became of an event of a confirmed type.
struct Confirm {
  std::string id{};  ///< empty: it was never numbered
  enum class Status : std::uint8_t {
    Confirmed,    ///< as many spools as its policy asks for have it, fsync included
    Numbered,     ///< its type is not confirmed: it has been sent
    Unconfirmed,  ///< this node stopped, or was refused by the spools, before that: it may be durable or not
    Refused,      ///< not taken after all: this node has more streams than it may have
  } status = Status::Confirmed;
};
/// "confirmed", "numbered", "unconfirmed", "refused"
std::string_view to_string(Confirm::Status status);

/// Every callback is called once if publish() answers Queued, on the node's callback thread (what was not sent when the
/// node ends: on the thread that ends it), in an order of its own.
struct PublishOptions {
  /// With the id of the event when it has been numbered. An empty id: it was refused after all, because this node has
  /// more streams than it may have.
  std::function<void(std::string id)> on_numbered{};
  /// When the event is durable. Of a type that is not confirmed (or whose policy says spools = 0) publish() answers
  /// Invalid.
  std::function<void(Confirm)> on_confirmed{};
  /// As on_confirmed of a confirmed type, as on_numbered of any other; the id is empty where that went wrong.
  std::function<void(std::string id)> on_settled{};
  /// The event carries a priority of its own; otherwise its type's policy decides.
  enum class PriorityFrom : std::uint8_t { Policy, Event } priority_from = PriorityFrom::Policy;
};

}  // namespace legion
