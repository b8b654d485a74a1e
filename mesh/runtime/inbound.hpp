// From decoded frames to the handlers of this node.
#pragma once

#include <functional>
#include <memory>
#include <optional>
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

  /// Books of a dispatcher subscription are kept under the ledger's number from now on.
  void route(SubscriptionId subscription, const Filter& filter);
  /// A frame the ledger has judged, from a link or from this node itself. Its events are not looked at here.
  void on_frame(Now now, const FramePtr& frame, const FrameVerdict& verdict);

  /// Events given to the dispatcher so far.
  std::uint64_t offered() const { return offered_; }
  /// published and link losses, by dispatcher subscription. One walk over all streams.
  void all_link_books(std::vector<Books>& out) const;

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
  Ledger& ledger_;
  std::uint64_t offered_ = 0;
  DispatchPool& pool_;
  std::vector<LedgerSubscription> ledger_of_;                     // by dispatcher subscription
  std::vector<std::optional<SubscriptionId>> dispatcher_of_;      // by ledger subscription
  std::vector<Route> routes_;                                     // scratch
};

}  // namespace legion
