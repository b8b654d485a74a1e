// The steps that come with the product, as they are asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/core/middleware.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/redact.hpp>
#include <legion/event/schema.hpp>
#include <legion/event/where.hpp>

namespace legion {

/// What the schemas of the node know; steps that need one that is not given let everything pass.
/// Thread: any number at once.
struct SchemaHooks {
  /// Errors: naming the field that is wrong. A type without a schema is fine.
  std::function<Result<void>(std::string_view type, std::uint32_t version, BytesView data)> check;
  /// The newest version of a type that is known here; nothing: it has no schema.
  std::function<std::optional<std::uint32_t>(std::string_view type)> newest_version;
  /// The data as the newest version has it.
  std::function<Result<Bytes>(std::string_view type, std::uint32_t from_version, BytesView data)> upcast;
};

/// What this table knows, for as long as the hooks are there.
SchemaHooks hooks_of(std::shared_ptr<const SchemaTable> schemas);

/// Publish: filtered. Dispatch: filtered(where).
struct WhereStep {
  Where condition;
};
/// Publish: invalid. Dispatch: reject.
struct ValidateStep {};
/// Publish: an event that is older is filtered, and one that states no expiry gets one. Dispatch: expired.
struct ExpireStep {
  Duration after{};  ///< the time of the event
};
/// Publish: filtered. Dispatch: filtered(duplicate). Remembers at most so many events for at most so long.
struct DeduplicateStep {
  std::size_t window_events = 10000;
  Duration window = 60s;
  std::optional<WhereField> by{};  ///< instead of the id; events without the field pass
};
/// A token bucket. Publish: would_block. Dispatch: filtered(limited).
struct LimitStep {
  double rate = 0;   ///< events a second
  double burst = 1;  ///< events at once, at least 1
  std::optional<WhereField> by{};  ///< a bucket for each value; events without the field share one
  std::size_t buckets_max = 10000; ///< beyond it the one used longest ago begins anew
};
/// Publish: filtered. Dispatch: filtered(where).
struct SampleStep {
  double share = 1;  ///< of the events that pass, 0 to 1
  std::optional<WhereField>
      by{};  ///< instead of the id: all events of one value pass or none; without the field they pass
};
struct RedactStep {
  Redaction redaction;
};
/// Of data of an older schema version. Data that cannot be brought up is left as it is on publish, and rejected on
/// dispatch.
struct UpcastStep {};
/// Publish only. Frames of at least this size (events, not compressed) travel and are journalled compressed.
struct ZstdStep {
  std::size_t min_bytes = 8 * 1024;
};
/// A step of the program's own: called once for publish, and once for each subscription on dispatch.
struct OwnStep {
  std::function<std::unique_ptr<Middleware>()> make;  ///< of a null everything passes
};

struct MiddlewareSpec {
  using Settings = std::variant<ValidateStep, WhereStep, ExpireStep, DeduplicateStep, LimitStep, SampleStep, RedactStep,
                                UpcastStep, ZstdStep, OwnStep>;
  enum class On : std::uint8_t { Publish, Dispatch };

  std::string name{};  ///< in stats and in what publishers are told
  On on = On::Dispatch;
  Filter type{};       ///< only events of these types
  std::vector<std::string> agents{};  ///< only what these publish or get; empty: all, and all programs
  Settings settings{};

  bool concerns(std::string_view agent) const;
};

/// "where", "validate", "expire", "deduplicate", "limit", "sample", "redact", "upcast", "zstd", "own"
std::string_view to_string(const MiddlewareSpec::Settings& settings);

/// Whether the step may say that an event is not for a handler. Such steps do not stand before gates.
bool may_filter(const MiddlewareSpec::Settings& settings);

/// What a program may have got wrong. At most 64 steps. Errors: InvalidArgument naming the step: zstd before handlers, an
/// own step without a function, sample on publish without `by`, a rate or a burst that is none.
Result<void> check_middleware(const std::vector<MiddlewareSpec>& specs);

/// The step at work; nothing for zstd. `hooks` are copied.
std::unique_ptr<Middleware> make_step(const MiddlewareSpec& spec, const SchemaHooks& hooks);

}  // namespace legion
