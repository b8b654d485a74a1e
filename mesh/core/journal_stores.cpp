#include <legion/core/journal_stores.hpp>

#include <algorithm>
#include <functional>

#include <legion/base/planted.hpp>

namespace legion {

Position JournalStores::has(const StoreId& store, JournalKind journal) const {
  const auto found = std::ranges::find(known_, store, &Known::id);
  return found == known_.end() ? 0 : found->through[journal_index(journal)];
}

void JournalStores::set(const StoreId& store, JournalKind journal, Position through) {
  known(store).through[journal_index(journal)] = through;
}

Position JournalStores::on(std::size_t count, JournalKind journal) const {
  if (LEGION_PLANTED(ConfirmedByOneStore)) count = 1;
  std::array<Position, stores_max> through{};
  if (count > known_.size()) return 0;
  for (std::size_t i = 0; i < known_.size(); ++i) through[i] = known_[i].through[journal_index(journal)];
  const auto nth = through.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(through.begin(), nth, through.begin() + static_cast<std::ptrdiff_t>(known_.size()),
                   std::greater<>{});
  return *nth;
}

JournalStores::Known& JournalStores::known(const StoreId& store) {
  const auto found = std::ranges::find(known_, store, &Known::id);
  if (found != known_.end()) return *found;
  if (known_.size() == stores_max) known_.erase(std::ranges::min_element(known_, {}, &Known::through));
  return known_.emplace_back(Known{store, {}});
}

}  // namespace legion
