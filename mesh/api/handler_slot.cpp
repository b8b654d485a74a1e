#include <legion/api/handler_table.hpp>

namespace legion {

namespace {

/// The handler this thread is in, so that one may remove itself.
const HandlerSlot*& innermost() {
  thread_local const HandlerSlot* slot = nullptr;
  return slot;
}

}  // namespace

const HandlerSlot* HandlerSlot::current() { return innermost(); }

HandlerSlot::HandlerSlot(HandlerId given, Filter wanted, Handler handler, HandlerOptions opts)
    : number(given),
      filter(std::move(wanted)),
      options(std::move(opts)),
      is_coroutine(handler.coroutine != nullptr),
      function_(std::make_shared<Handler>(std::move(handler))) {}

SubscriptionOptions HandlerSlot::subscription() const {
  SubscriptionOptions wanted{.spec = {filter, options.tier}};
  if (!options.where.empty()) wanted.spec.where = Where::parse(options.where).value();  // HandlerTable::check() has
  if (!options.durable.empty()) wanted.durable = DurableOptions{options.durable, options.start};
  if (!options.group.empty()) wanted.group = GroupOptions{options.group, options.home, options.shares, options.start};
  using Replays = SubscriptionOptions::Replays;
  wanted.replays = options.replays == HandlerOptions::Replays::Yes ? Replays::Yes : Replays::No;
  return wanted;
}

// Whoever comes in after removed_ was set sees it: both are sequentially consistent. So once nobody is inside, nobody
// will touch the function again.
HandlerSlot::Entered::Entered(HandlerSlot& slot) : slot_(slot), outer_(innermost()) {
  slot_.inside_.fetch_add(1);
  entered_ = !slot_.removed_.load();
  innermost() = &slot_;
}

HandlerSlot::Entered::~Entered() {
  innermost() = outer_;
  if (slot_.inside_.fetch_sub(1) != 1 || !slot_.removed_.load()) return;
  if (slot_.left_to_handlers_.load()) slot_.release_once();
  slot_.inside_.notify_all();
}

void HandlerSlot::remove() {
  if (innermost() == nullptr) {
    removed_.store(true);
    for (std::uint32_t inside = inside_.load(); inside != 0; inside = inside_.load()) inside_.wait(inside);
    return release_once();
  }
  left_to_handlers_.store(true);
  removed_.store(true);
  if (inside_.load() == 0) release_once();
}

void HandlerSlot::release_once() {
  if (!released_.exchange(true)) function_.reset();
}

}  // namespace legion
