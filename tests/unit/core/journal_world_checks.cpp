// The rules that hold in the world at any moment, and those that hold in the end.
#include <algorithm>

#include "journal_world.hpp"

namespace legion::journal_kit {

void JournalWorld::broken(const std::string& what) {
  if (trouble_.empty()) trouble_ = what;
}

void JournalWorld::take_journal_effects() {
  for (Journal::Effect& effect : journal_->take_effects()) {
    if (const auto* durable = std::get_if<Journal::Durable>(&effect)) check_durable(*durable);
    auto* send = std::get_if<Journal::Send>(&effect);
    if (send == nullptr) continue;
    if (const auto* gap = std::get_if<AppendVoid>(&send->message)) {
      for (Position position = gap->range.first; position <= gap->range.last; ++position) voided_.insert(position);
    }
    if (const auto* released = std::get_if<Released>(&send->message)) {
      if (released->through > told_[journal_index(released->journal)][released->spools - 1u]) {
        broken("released before it was durable");
      }
    }
    const auto line = std::ranges::find(lines_, send->spool, &Line::name);
    if (line->connected) line->to_spool.push_back(std::move(send->message));
  }
  reserved_ -= journal_->take_released_bytes();
}

void JournalWorld::take_inlet_effects(Spool& spool) {
  for (JournalInlet::Effect& effect : spool.inlet->take_effects()) {
    if (auto* given = std::get_if<JournalInlet::Store>(&effect)) {
      on_given(spool, given->record);
      spool.waiting.push_back(std::move(given->record));
    } else if (auto* answer = std::get_if<JournalInlet::Answer>(&effect)) {
      Line* line = line_of(answer->peer);
      if (line != nullptr) line->from_spool.push_back(std::move(answer->message));
    } else if (const auto* released = std::get_if<JournalInlet::SetReleased>(&effect)) {
      Position& known = spool.released[released->spools - 1u];
      known = std::max(known, released->through);
    } else if (const auto* final = std::get_if<JournalInlet::SetFinal>(&effect)) {
      spool.final = {final->confirmed, final->captured};
    }
  }
}

void JournalWorld::on_given(Spool& spool, const JournalRecord& record) {
  const std::size_t journal = journal_index(record.journal);
  if (record.first <= spool.given[journal]) broken("given to the store twice, or out of order");
  spool.given[journal] = record.last;
  if (record.is_void()) {
    if (record.journal == confirmed) broken("a void in the confirmed journal");
    return;
  }
  const Publication* what = published(journal, record.first);
  if (what == nullptr || what->frame != record.frame) return broken("another frame than was published there");
  if (record.held_for != (what->held ? what->spools : 0)) broken("held_for is wrong");
}

/// Every position that is newly told is on as many different disks, as far as the node can know.
void JournalWorld::check_durable(const Journal::Durable& durable) {
  const std::size_t journal = journal_index(durable.journal);
  Position& told = told_[journal][durable.spools - 1u];
  if (durable.through <= told) broken("durable went back");
  for (Position position = told + 1; position <= durable.through; ++position) {
    const Publication* what = published(journal, position);
    if (what == nullptr) return broken("durable before it was published");
    if (what->spools < durable.spools) continue;
    const auto has_it = [&](const Spool& spool) {
      if (spool.lost[journal].contains(position)) return true;
      return durable.journal == confirmed ? spool.disk.has_frame(journal, position) : spool.disk.has(journal, position);
    };
    if (std::ranges::count_if(spools_, has_it) < durable.spools) {
      broken(std::string(to_string(durable.journal)) + " " + std::to_string(position) + " was told durable on " +
             std::to_string(durable.spools) + " and is not");
    }
  }
  told = durable.through;
}

void JournalWorld::check_bounds() {
  for (const JournalKind journal : all_journals) {
    const Journal::Figures figures = journal_->figures(journal);
    if (figures.bytes > figures.bytes_max) broken(std::string(to_string(journal)) + " is over its bytes");
  }
  for (const Spool& spool : spools_) {
    const std::uint64_t most = std::max(inlet_config_.window_bytes_total, 2 * JournalInlet::window_bytes_min);
    if (spool.inlet->figures().bytes_waiting > most) broken("a spool holds more than it may");
  }
  for (const JournalKind journal : all_journals) {
    const Journal::Figures figures = journal_->figures(journal);
    if (journal_->waiting_events(journal) != figures.unconfirmed_events)
      broken("what waits is not what is unconfirmed");
  }
}

void JournalWorld::check_books() {
  for (const JournalKind journal : all_journals) {
    const std::size_t index = journal_index(journal);
    std::uint64_t appended = 0;
    std::uint64_t durable = 0;
    std::uint64_t stored = 0;
    for (Position position = 1; position <= published_[index].size(); ++position) {
      const Publication& what = *published(index, position);
      appended += what.count;
      if (position <= told_[index][what.spools - 1u]) durable += what.count;
      const auto has_frame = [&](const Spool& spool) { return spool.disk.has_frame(index, position); };
      if (std::ranges::any_of(spools_, has_frame)) stored += what.count;
    }
    const Journal::Figures figures = journal_->figures(journal);
    if (figures.unconfirmed_events != 0) broken("something is still unconfirmed");
    if (figures.durable_events + figures.voided_events != appended) broken("the books do not add up");
    if (durable != appended) broken("not everything was told");
    if (restores_ == Restores::Never && appended - stored > figures.voided_events) broken("lost and not counted");
    if (journal == confirmed && figures.durable_events != appended) broken("confirmed events were given up");
    if (figures.last != published_[index].size()) broken("the last position is wrong");
  }
  if (reserved_ != 0) broken("reservations did not end");
  for (const Journal::LinkFigures& link : journal_->links()) {
    if (link.state != Journal::LinkFigures::State::Open) broken("a link is not open: " + link.trouble);
  }
}

void JournalWorld::check_disks() {
  for (const Spool& spool : spools_) {
    for (const JournalKind journal : all_journals) {
      const std::size_t index = journal_index(journal);
      if (!spool.disk.entries[index].empty() && spool.disk.entries[index].rbegin()->first > published_[index].size()) {
        broken("a position that never was");
      }
      for (Position position = 1; position <= published_[index].size(); ++position) {
        const Publication& what = *published(index, position);
        const auto found = spool.disk.entries[index].find(position);
        if (found == spool.disk.entries[index].end()) {
          const auto lost_it = [&](const Spool& other) { return other.ever_lost[index].contains(position); };
          if (!std::ranges::any_of(spools_, lost_it)) broken("a position is missing that no store has lost");
        } else if (found->second.frame == nullptr) {
          if (journal == confirmed) broken("a void in the confirmed journal");
          check_void(spool, position, found->second);
        } else if (found->second.frame != what.frame) {
          broken("another frame than was published there");
        }
        const bool waits = what.held && spool.released[what.spools - 1u] < position;
        if (journal == confirmed && waits) broken("a held frame is never released");
      }
    }
    if (spool.final != std::array<Position, 2>{published_[0].size(), published_[1].size()}) {
      broken("the final positions are wrong");
    }
  }
}

/// A void names what stood there, and nothing behind it; where it names what this store has as a frame, the frame
/// counts.
void JournalWorld::check_void(const Spool& spool, Position position, const Disk::Entry& entry) {
  if (!voided_.contains(position)) return broken("a void where none was stated");
  const Publication& what = *published(1, position);
  const auto names_it = [&](const auto& at) {
    return std::ranges::any_of(at.second.spans, [&](const StreamSpan& span) {
      return span.type == what.type && span.first <= what.first && span.last >= what.first + what.count - 1;
    });
  };
  if (!std::ranges::any_of(spool.disk.entries[1], names_it)) broken("a void does not name what stood there");
  for (const StreamSpan& span : entry.spans) {
    for (std::uint64_t sequence = span.first; sequence <= span.last; ++sequence) {
      const auto of = position_of_.find({span.type, sequence});
      if (of == position_of_.end() || of->second > entry.last) return broken("a void names what stood behind it");
      if (!voided_.contains(of->second) && !spool.disk.has_frame(1, of->second)) {
        broken("a void names what was not given up");
      }
    }
  }
}

}  // namespace legion::journal_kit
