// Handlers: functions and coroutines that take events.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <legion/async.hpp>
#include <legion/context.hpp>
#include <legion/event.hpp>
#include <legion/event/subscription_start.hpp>

namespace legion {

namespace handler_detail {

/// Calls `function` with the context where it takes one.
template <class F, class Argument>
decltype(auto) call(F& function, const Argument& argument, Context& context) {
  if constexpr (std::invocable<F&, const Argument&, Context&>) {
    return function(argument, context);
  } else {
    return function(argument);
  }
}

template <class F, class Argument>
concept Callable = std::invocable<F&, const Argument&, Context&> || std::invocable<F&, const Argument&>;

template <class F, class Argument>
using Returned = decltype(call(std::declval<F&>(), std::declval<const Argument&>(), std::declval<Context&>()));

template <class R>
concept AtOnce = std::same_as<R, void> || std::same_as<R, Outcome>;
template <class R>
concept Asynchronous = std::same_as<R, Async<void>> || std::same_as<R, Async<Outcome>>;

template <class F, class Argument>
Outcome outcome_of(F& function, const Argument& argument, Context& context) {
  if constexpr (std::same_as<Returned<F, Argument>, void>) {
    call(function, argument, context);
    return Outcome::done();
  } else {
    return call(function, argument, context);
  }
}

// The function lives in the handler, the arguments with the call: both outlive the coroutine.
template <class F, class Argument>
Async<Outcome> outcome_later(F& function, const Argument& argument, Context& context) {
  if constexpr (std::same_as<Returned<F, Argument>, Async<void>>) {
    co_await call(function, argument, context);
    co_return Outcome::done();
  } else {
    co_return co_await call(function, argument, context);
  }
}

template <TypedEvent T, class F>
Async<Outcome> typed_outcome_later(F& function, const EventView& event, Context& context) {
  const Result<T> value = decode_data<T>(event);
  if (!value) co_return Outcome::reject(value.error().message);
  co_return co_await outcome_later(function, *value, context);
}

}  // namespace handler_detail

/// A function that can take an A (EventView, or the struct of a typed event), with or without a Context&, and returns
/// void (that is done), Outcome, Async<void> or Async<Outcome>.
template <class F, class A>
concept HandlerFunction =
    handler_detail::Callable<F, A> && (handler_detail::AtOnce<handler_detail::Returned<F, A>> ||
                                       handler_detail::Asynchronous<handler_detail::Returned<F, A>>);

/// A handler, whatever it was made from. What it throws is a failed attempt (Outcome::retry with the text).
class Handler {
 public:
  using Plain = std::move_only_function<Outcome(const EventView&, Context&)>;
  using Coroutine = std::move_only_function<Async<Outcome>(const EventView&, Context&)>;

  template <class F>
    requires(!std::same_as<F, Handler> && HandlerFunction<F, EventView>)
  Handler(F function) {  // implicit: a function is a handler
    if constexpr (handler_detail::AtOnce<handler_detail::Returned<F, EventView>>) {
      plain = [f = std::move(function)](const EventView& event, Context& context) mutable {
        return handler_detail::outcome_of(f, event, context);
      };
    } else {
      coroutine = [f = std::move(function)](const EventView& event, Context& context) mutable {
        return handler_detail::outcome_later(f, event, context);
      };
    }
  }

  /// For events of T: data that does not decode as T is rejected, which makes it a dead letter that names the field.
  template <TypedEvent T, class F>
    requires HandlerFunction<F, T>
  static Handler typed(F function) {
    if constexpr (handler_detail::AtOnce<handler_detail::Returned<F, T>>) {
      return Handler([f = std::move(function)](const EventView& event, Context& context) mutable {
        const Result<T> value = decode_data<T>(event);
        if (!value) return Outcome::reject(value.error().message);
        return handler_detail::outcome_of(f, *value, context);
      });
    } else {
      Handler handler;
      handler.coroutine = [f = std::move(function)](const EventView& event, Context& context) mutable {
        return handler_detail::typed_outcome_later<T>(f, event, context);
      };
      return handler;
    }
  }

  Plain plain;          ///< one of the two is set
  Coroutine coroutine;

 private:
  Handler() = default;
};

struct HandlerOptions {
  /// Handlers of one event run by tier. Tier Critical makes it a gate: no lower tier of this node sees an event before
  /// every gate that matches it answered done.
  Priority tier = Priority::Normal;
  /// Not empty: only events for which this condition holds (`data.size > 10 and key == "BTC"`; docs/protocol.md,
  /// "Conditions"). A gate is not asked about the others.
  std::string where{};
  /// Not empty: a durable subscription of this name (1 to 64 of a-z, 0-9 and -), unique in the mesh. It loses nothing
  /// that a spool has, and goes on where it was after a restart.
  std::string durable{};
  SubscriptionStart start{};  ///< where a durable one, or a group, begins that no spool knows yet
  /// Not empty: a member of this group (1 to 60 of a-z, 0-9 and -): handlers on different nodes share the shards of
  /// sharded types, each event is handed to one of them, those of one key in order. Durable under this name, so not
  /// `durable`; no gate, no replays; one member a group and node. On a node of the network; a mesh in memory refuses it.
  std::string group{};
  std::string home{};         ///< of a group: the spool that says who has which share; the same at every member
  std::uint32_t shares = 8;   ///< of a group, 1 to 256: into so many parts the shards are divided; likewise
  enum class Replays : std::uint8_t {
    No,
    Yes
  } replays = Replays::No;  ///< takes events that are replayed into the mesh
};

}  // namespace legion
