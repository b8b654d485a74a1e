// From decoded frames to the handlers of this node.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/core/ledger.hpp>
#include <legion/event/frame.hpp>
#include <legion/runtime/dispatch_pool.hpp>

namespace legion {

/// Thread: the loop's. Order: events are offered in the order of their frames.
class Inbound {
 public:
  Inbound(Ledger& ledger, DispatchPool& pool);

  struct Wanted {
    SubscriptionId subscription{};
    Filter filter{};
    Priority tier = Priority::Normal;
    std::optional<Filter> replays{};  ///< what it takes of `~replay.` streams
  };
  /// Books of a dispatcher subscription are kept under the ledger's numbers from now on.
  void route(const Wanted& wanted);
  /// Nothing goes to this subscription any more; its books stay as they are. Not of durable ones.
  enum class Was : std::uint8_t { Routed, Over };
  Was unroute(SubscriptionId subscription);
  /// One that was unrouted and is no gate: its books go on from the next event of each stream.
  void route_again(const Wanted& wanted);
  /// A frame the ledger has judged, from a link or from this node itself. Its events are not looked at here.
  void on_frame(Now now, const FramePtr& frame, const FrameVerdict& verdict);
  /// Hands the events of a frame to these subscriptions, and before them to the gates that match; to nobody else.
  void offer_to(Now now, const FramePtr& frame, StreamKey stream, std::span<const SubscriptionId> subscriptions);
  /// Gates that stand before `subscriptions` for events of this type, as handlers see it, besides those among them.
  std::vector<SubscriptionId> gates_before(std::string_view type, std::span<const SubscriptionId> subscriptions) const;

  /// Events given to the dispatcher so far.
  std::uint64_t offered() const { return offered_; }
  /// published and link losses, by dispatcher subscription. One walk over all streams. Of durable ones only what they
  /// take of replays: what happened live is in their own books.
  enum class Of : std::uint8_t { Plain, Durable };
  void all_link_books(std::vector<Books>& out, const std::function<Of(SubscriptionId)>& kind_of) const;

  /// Asked for every subscription a frame goes to: nothing where it is a plain one. Set together with the first route.
  enum class Durable : std::uint8_t {
    Plain,
    Later,  ///< taken care of: it is not offered with the others
    Now,
  };
  struct DurableAnswer {
    Durable when = Durable::Plain;
    StreamKey stream = no_stream;  ///< of Now: for Route::durable
  };
  std::function<DurableAnswer(SubscriptionId, const FramePtr& frame, std::uint32_t skip, StreamKey hint)> ask_durable;

  /// Called for every frame that goes to handlers here; its events from `first` on are new.
  std::function<void(const FramePtr& frame, std::uint32_t first)> on_offered;
  /// Called for every frame with new events, from `first` on, whoever wants them.
  std::function<void(const FramePtr& frame, std::uint32_t first)> on_new;

 private:
  /// The ledger's numbers of one dispatcher subscription.
  struct Numbers {
    LedgerSubscription live = 0;
    std::optional<LedgerSubscription> replays;
    std::uint64_t offered_to = 0;  // events no stream in the ledger counts for it
    std::vector<LedgerSubscription> over{};  // before it was unrouted
  };
  struct Gate {
    SubscriptionId subscription;
    Filter filter;
  };
  LedgerSubscription add(SubscriptionId subscription, const Filter& filter);
  void on_replay(Now now, const FramePtr& frame, const FrameVerdict& verdict);
  void add_gates(std::string_view type);
  void offer(Now now, const FramePtr& frame, std::uint32_t first, StreamKey stream);

  Ledger& ledger_;
  std::uint64_t offered_ = 0;
  DispatchPool& pool_;
  std::vector<Numbers> numbers_;                              // by dispatcher subscription
  std::vector<std::optional<SubscriptionId>> dispatcher_of_;  // by ledger subscription
  std::vector<Gate> gates_;
  std::vector<Route> routes_;                                 // scratch
};

}  // namespace legion
