// What one [[middleware]] of the configuration says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/where.hpp>

namespace legion {

enum class MiddlewareKind : std::uint8_t { Where, Validate, Expire, Deduplicate, Limit, Sample, Redact, Upcast, Zstd };
std::string_view to_string(MiddlewareKind kind);  ///< "where", "validate", ..

enum class MiddlewarePlace : std::uint8_t { Publish, Dispatch };
std::string_view to_string(MiddlewarePlace place);  ///< "publish", "dispatch"

/// The keys of all kinds; which of them count is MiddlewareKind's to say.
struct MiddlewareConfig {
  MiddlewareKind step = MiddlewareKind::Where;
  MiddlewarePlace on = MiddlewarePlace::Dispatch;
  std::string name;                  ///< in stats; empty: that of the step
  Filter type;
  std::vector<std::string> agents;   ///< empty: all
  std::optional<Where> where;        ///< of Where, never empty there
  Duration after{};                  ///< of Expire
  std::uint64_t window = 10000;      ///< of Deduplicate: events
  Duration window_for = 60s;
  std::optional<WhereField> by;      ///< of Deduplicate, Limit and Sample
  double rate = 0;                   ///< of Limit: events a second
  std::optional<double> burst;
  std::uint64_t buckets = 10000;
  double share = 1;                  ///< of Sample
  std::vector<std::string> fields;   ///< of Redact: names of data fields, checked
  std::string with = "***";
  std::uint64_t min_bytes = 8 * 1024;  ///< of Zstd
  friend bool operator==(const MiddlewareConfig&, const MiddlewareConfig&) = default;
};

}  // namespace legion
