// What a handler says of an event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace legion {

enum class OutcomeKind : std::uint8_t {
  Done,
  Stop,  ///< done, and not for the later tiers
  Reject,  ///< dead letter at once
  Retry,  ///< failed; tried again until max_attempts
  Deferred,  ///< the slot is free, the final outcome follows under the same task id
  Expired,  ///< of a report only: not given to the handler, its time was over
  Undecodable,  ///< of a report only: not given to the handler, its bytes do not decode
  Unfit,  ///< not given to the handler, its data is not what its type declares: dead letter at once
  UnknownVersion,  ///< not given to the handler, its version is newer than what is known here: dead letter at once
  FilteredWhere,  ///< not given to the handler, like the next two: a condition said no
  FilteredDuplicate,  ///< seen before
  FilteredLimited,  ///< held back by a rate limit
};

/// Whether the event was not for the handler: it is over, and lets the later tiers go on.
constexpr bool is_filtered(OutcomeKind kind) {
  return kind == OutcomeKind::FilteredWhere || kind == OutcomeKind::FilteredDuplicate ||
         kind == OutcomeKind::FilteredLimited;
}

/// Whether the handler was given the event.
constexpr bool is_handled(OutcomeKind kind) {
  return kind == OutcomeKind::Done || kind == OutcomeKind::Stop || kind == OutcomeKind::Reject ||
         kind == OutcomeKind::Retry || kind == OutcomeKind::Deferred;
}

/// "done", "stop", "reject", "retry", "deferred", "expired", "undecodable", "unfit", "unknown_version",
/// "filtered_where", "filtered_duplicate", "filtered_limited"
std::string_view to_string(OutcomeKind kind);

struct Outcome {
  OutcomeKind kind = OutcomeKind::Done;
  std::string error{};  ///< of Reject, Retry, Unfit and UnknownVersion; cut to limits::error_text_bytes_max

  static Outcome done() { return {OutcomeKind::Done, {}}; }
  static Outcome stop() { return {OutcomeKind::Stop, {}}; }
  static Outcome reject(std::string error) { return {OutcomeKind::Reject, std::move(error)}; }
  static Outcome retry(std::string error) { return {OutcomeKind::Retry, std::move(error)}; }
  static Outcome deferred() { return {OutcomeKind::Deferred, {}}; }
  static Outcome unfit(std::string error) { return {OutcomeKind::Unfit, std::move(error)}; }
  static Outcome unknown_version(std::string error) { return {OutcomeKind::UnknownVersion, std::move(error)}; }
};

}  // namespace legion
