// An agent inside a program: a name and handlers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <legion/base/log.hpp>
#include <legion/handler.hpp>
#include <legion/publisher.hpp>

namespace legion {

class HandlerTable;

struct AgentOptions {
  /// Events its handlers may have in hands at once. With 1, events of one stream come one after the other; above 1,
  /// those with one key do, and those without a key do not.
  std::uint32_t concurrency = 1;
  std::uint32_t max_attempts = 3;  ///< hand-overs of an event before it is a dead letter; 0 is taken as 1
  Duration retry_delay = std::chrono::milliseconds(100);  ///< before the second; 10 % jitter
  double retry_backoff = 2.0;                             ///< each further delay is so many times the one before
  /// Only of coroutine handlers: an event not answered by then counts as a failed attempt. Functions that answer before
  /// they return cannot be interrupted and are not timed; deferred answers have no limit.
  std::optional<Duration> handler_timeout{};
  /// Events that may wait for the agent, by lane. Of a full lane the oldest gives way and is counted as lost; a durable
  /// subscription loses nothing and reads it from a spool later.
  std::array<std::size_t, 4> mailbox{1000, 1000, 1000, 1000};
};

/// A handler of an agent, to remove it again.
struct HandlerId {
  std::uint32_t value = 0;
  friend auto operator<=>(HandlerId, HandlerId) = default;
};

/// Handlers under one name. Functions and coroutines of an agent get `concurrency` events at a time between them.
///
/// Thread: any, also inside handlers. Ownership: a copy means the same agent; may outlive the node and its agent, which
/// then refuse. What a handler has captured lives until the handler is removed or the node has stopped.
class EmbeddedAgent {
 public:
  /// `filter`: a type ("trade.approved" or "TRADE_APPROVED"), a family ("trade.") or "*". Several handlers may take the
  /// same events. At any time: one that comes when the node has started gets what its node sees from then on; other
  /// nodes are asked for it before this returns. Errors: InvalidArgument (filter, where, durable), Refused when the node
  /// has started (a gate, a durable subscription, the first coroutine of an agent with handlers, more than 16384
  /// handlers in the life of a node), Closed.
  Result<HandlerId> on(std::string_view filter, Handler handler, HandlerOptions options = {}) const;
  /// The struct says which type.
  template <TypedEvent T, class F>
    requires HandlerFunction<F, T>
  Result<HandlerId> on(F function, HandlerOptions options = {}) const {
    return on(T::schema.type, Handler::typed<T>(std::move(function)), std::move(options));
  }

  /// When this returns, the function is not running and never will; inside a handler, this or another, it does not wait
  /// for calls that are under way. A coroutine under way goes to its end. Its node asks the others for these events no
  /// more, and what waits for the handler counts as done. Errors: NotFound; Refused (a durable subscription, when the
  /// node has started).
  Result<void> remove(HandlerId handler) const;

  Publisher publisher() const;
  const std::string& name() const;
  /// A line in the node's log, with the agent's name.
  void log(LogLevel level, std::string_view text) const;
  /// Free text shown by `legion-cli stats`; "running" to begin with. At most 128 bytes are kept.
  void set_state(std::string state) const;
  /// A counter shown by `legion-cli stats`.
  void count(std::string_view name, std::uint64_t by = 1) const;

  explicit EmbeddedAgent(std::shared_ptr<HandlerTable> table) : table_(std::move(table)) {}

 private:
  std::shared_ptr<HandlerTable> table_;  // shared with the node that calls the handlers
};

}  // namespace legion
