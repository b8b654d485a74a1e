#include "store_watch.hpp"

#include <algorithm>

#include <legion/event/frame.hpp>

#include "kernel/kernel.hpp"

namespace legion::sim {

StoreWatch::StoreWatch(const Plan& plan, History& history, Environment& environment)
    : plan_(plan),
      history_(history),
      environment_(environment),
      stores_(plan.hosts.size()),
      losses_(plan.hosts.size(), 0),
      next_(plan.hosts.size(), 1),
      seen_(plan.hosts.size()) {}

void StoreWatch::look() {
  for (std::size_t host = 0; host < plan_.hosts.size(); ++host) {
    if (plan_.hosts[host].spool) look_at(host);
  }
}

void StoreWatch::look_at(std::size_t host) {
  MemoryStore* const store = environment_.disk(host).contents();
  if (store == nullptr) return;
  const auto losses = static_cast<std::size_t>(
      std::ranges::count_if(history_.store_losses, [&](const History::StoreLoss& loss) { return loss.host == host; }));
  if (stores_[host] != store->id() || losses_[host] != losses) {
    stores_[host] = store->id();
    losses_[host] = losses;
    next_[host] = 1;
    seen_[host].clear();  // what is still there is seen again
  }
  const auto reader = store->open_reader();
  ScanQuery query;
  query.from = next_[host];
  while (true) {
    const auto page = (*reader)->scan(query);
    if (!page) return;  // whoever reads the store at the end says so
    for (const StoredFrame& stored : page->frames) {
      const auto frame = Frame::decode(Bytes(stored.frame.begin(), stored.frame.end()));
      if (!frame) continue;
      for (const EventView& event : (*frame)->events())
        seen_[host].try_emplace(history_.place_of(event.id()), Kernel::get().now());
    }
    query.from = page->next;
    if (page->at_end) break;
  }
  next_[host] = query.from;
}

}  // namespace legion::sim
