#include <legion/core/ledger_stream.hpp>

#include <algorithm>

namespace legion {

std::uint64_t LedgerStream::miss_up_to(std::uint64_t tail) {
  if (tail <= next) return 0;
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const std::uint64_t from = std::max(next, routes[i].booked_from);
    if (from >= tail) continue;
    lost_link[i] += tail - from;
    most = std::max(most, tail - from);
  }
  next = tail;
  return most;
}

void LedgerStream::book_from_here(LedgerSubscription begin, LedgerSubscription end) {
  for (LedgerRoute& route : routes) {
    if (route.subscription < begin || route.subscription >= end || route.booked_from != not_booked) continue;
    route.booked_from = next;
  }
}

Books LedgerStream::books(std::size_t index) const {
  Books out;
  add_books(index, out);
  return out;
}

void LedgerStream::add_books(std::size_t index, Books& out) const {
  const std::uint64_t from = routes[index].booked_from;
  if (from == not_booked) return;
  const std::uint64_t here = std::max(next, from);
  const bool ended = life->over || life->dead;
  const std::uint64_t end = ended ? std::max(here, foreign_tail) : here;
  out.published += end - from;
  out.lost_for(LossReason::Link) += lost_link[index];
  out.lost_for(LossReason::OriginDied) += end - here;
}

}  // namespace legion
