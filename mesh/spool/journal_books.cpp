#include <legion/spool/journal_books.hpp>

#include <algorithm>

namespace legion::spool {

void JournalBook::release(std::uint8_t spools, Position through) {
  const std::size_t count = std::min<std::size_t>(spools, released.size());
  for (std::size_t i = 0; i < count; ++i) released[i] = std::max(released[i], through);
}

std::vector<JournalState> states_of(const JournalBooks& books) {
  std::vector<JournalState> out;
  for (const auto& [origin, book] : books) {
    for (const JournalKind kind : all_journals) {
      const JournalBook& journal = book.journals[journal_index(kind)];
      out.push_back({.origin = origin,
                     .journal = kind,
                     .boot = book.boot.value_or(BootId{}),
                     .ranges = journal.held.ranges(),
                     .voids = journal.voids.ranges(),
                     .floor = journal.floor,
                     .released = journal.released,
                     .final = journal.final});
    }
  }
  return out;
}

void undo(std::vector<BookChange>& changes) {
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    change->kind == BookChange::Kind::Added ? change->set->remove(change->range) : change->set->add(change->range);
  }
  changes.clear();
}

}  // namespace legion::spool
