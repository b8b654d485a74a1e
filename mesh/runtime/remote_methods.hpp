// What clients of remote agents say. docs/protocol.md, "Remote agents".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event_type.hpp>
#include <legion/runtime/subscription_options.hpp>

namespace legion {

enum class RemoteVerb : std::uint8_t { Ack, Nack, Stop, Reject, Defer };

/// The answer to deliveries first .. last.
struct RemoteAnswer {
  RemoteVerb verb = RemoteVerb::Ack;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::string error{};  ///< of Nack and Reject
};

/// `params` begins behind the number of the session. Errors: BadData, NotFound (no such method).
Result<std::vector<RemoteAnswer>> decode_remote_answers(std::string_view method, BytesView params);

/// The number of the session at the beginning of the params of a notification, and the rest.
struct RemoteAddressed {
  std::uint64_t session = 0;
  std::size_t values = 0;  ///< behind it
  BytesView rest{};
};
Result<RemoteAddressed> decode_remote_addressed(BytesView params);

/// The params of `agent.attach`. What is absent is left to the node.
struct RemoteAttach {
  std::string name;
  std::optional<std::vector<SubscriptionOptions>> subscriptions{};
  std::optional<std::uint32_t> concurrency{};
  std::optional<std::uint32_t> credit{};
  std::optional<Duration> lease{};
  std::optional<Duration> handler_timeout{};
  std::optional<std::uint32_t> max_attempts{};
  std::optional<Duration> retry_delay{};
  std::optional<double> backoff{};
};
/// Errors: BadData, InvalidArgument, both naming the param.
Result<RemoteAttach> decode_remote_attach(BytesView params);

/// "trade.approved (critical, durable risk-trades, replay)", for messages.
std::string describe(const SubscriptionOptions& subscription);

/// Apart from where a durable one begins.
bool same_subscription(const SubscriptionOptions& a, const SubscriptionOptions& b);

namespace remote_limits {
inline constexpr std::uint32_t credit_max = 10000;
inline constexpr std::uint32_t concurrency_max = 1024;
inline constexpr std::size_t subscriptions_max = 256;
inline constexpr Duration lease_min = 500ms;
inline constexpr Duration lease_max = 10min;
inline constexpr Duration handler_timeout_max = 24h;
}  // namespace remote_limits

}  // namespace legion
