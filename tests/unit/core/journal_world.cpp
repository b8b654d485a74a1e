// What happens in the world.
#include "journal_world.hpp"

#include <algorithm>

namespace legion::journal_kit {

bool Disk::has_frame(std::size_t journal, Position position) const {
  const auto found = entries[journal].find(position);
  return found != entries[journal].end() && found->second.frame != nullptr;
}

/// As Store::append(): what is there stays, but a frame takes the place of a void.
void Disk::append(const JournalRecord& record) {
  auto& at = entries[journal_index(record.journal)];
  for (Position position = record.first; position <= record.last; ++position) {
    const auto [found, is_new] = at.try_emplace(position, Entry{record.frame, record.spans, record.last});
    if (!is_new && found->second.frame == nullptr && record.frame != nullptr)
      found->second = {record.frame, {}, record.last};
  }
}

std::vector<PositionRange> Disk::ranges(std::size_t journal) const {
  std::vector<PositionRange> found;
  for (const auto& [position, entry] : entries[journal]) {
    if (!found.empty() && found.back().last + 1 == position) {
      found.back().last = position;
    } else {
      found.push_back({position, position});
    }
  }
  return found;
}

JournalWorld::JournalWorld(std::uint64_t seed, Restores restores) : rng_(seed), restores_(restores) {
  config_.confirmed_bytes = 5000 + rng_.below(40000);
  config_.captured_bytes = 5000 + rng_.below(40000);
  config_.spare_bytes = rng_.below(2) == 0 ? 0 : rng_.below(20000);
  inlet_config_.window_bytes_total = 2000 + rng_.below(200000);
  inlet_config_.window_bytes_link = 500 + rng_.below(30000);
  journal_ = std::make_unique<Journal>(own(), BootId{}, config_, seed);
  const std::uint64_t count = 1 + rng_.below(3);
  spools_most_ = static_cast<std::uint8_t>(count);
  for (std::uint8_t i = 0; i < count; ++i) {
    Spool& spool = spools_.emplace_back();
    spool.id = store(i + 1);
    spool.inlet = std::make_unique<JournalInlet>(spool.id, inlet_config_);
    lines_.emplace_back().name = "s" + std::to_string(i);
    lines_.back().spool = &spool;
  }
  if (rng_.chance(0.3)) {  // a store under two names
    lines_.emplace_back().name = "t";
    lines_.back().spool = &spools_.front();
  }
}

void JournalWorld::step() {
  now_ = {now_.steady + Duration(rng_.below(50'000'000)), now_.wall};
  journal_->on_tick(now_);
  take_journal_effects();
  Line& line = lines_[rng_.below(lines_.size())];
  Spool& spool = *line.spool;
  const std::uint64_t dice = rng_.below(1000);
  if (dice < 350) {
    for (std::uint64_t i = rng_.below(6); i > 0; --i) publish();
  } else if (dice < 750) {
    deliver_some(line);
  } else if (dice < 900) {
    commit(spool);
  } else if (dice < 960) {
    if (!line.connected) connect(line);
  } else if (dice < 975) {
    if (line.connected) disconnect(line);
  } else if (dice < 980) {
    lose_silently(line);
  } else if (dice < 985) {
    crash(spool);
  } else if (dice < 987) {
    spool.frozen = true;
    spool.inlet->on_frozen(now_, "disk full");
    take_inlet_effects(spool);
  } else if (dice < 990) {
    if (restores_ == Restores::Sometimes) restore(spool);
  } else if (dice < 993) {
    leave_and_return(line);
  } else {
    fill_holes(spool);
  }
  check_bounds();
}

void JournalWorld::settle() {
  settling_ = true;
  journal_->close(now_);
  for (Spool& spool : spools_) {
    if (spool.frozen) crash(spool);
  }
  for (int round = 0; round < 100; ++round) {
    now_ = {now_.steady + 1s, now_.wall};
    journal_->on_tick(now_);
    take_journal_effects();
    for (Line& line : lines_) {
      if (!line.connected) connect(line);
      for (int i = 0; i < 50; ++i) deliver_some(line);
    }
    for (Spool& spool : spools_) commit(spool), commit(spool);
    check_bounds();
  }
  for (Spool& spool : spools_) {
    for (const JournalKind journal : all_journals) {
      for (Position position = 1; position <= published_[journal_index(journal)].size(); ++position) {
        const bool stated = spool.skipped[journal_index(journal)].contains(position);
        if (spool.disk.has(journal_index(journal), position) || stated) continue;
        broken("a position is missing that was not skipped");
      }
    }
  }
  for (Spool& spool : spools_) fill_holes(spool);
  check_books();
  check_disks();
}

void JournalWorld::publish() {
  const JournalKind journal = rng_.chance(0.5) ? confirmed : captured;
  Published what{.type = (journal == confirmed ? "c.t" : "d.t") + std::to_string(rng_.below(3)),
                 .count = static_cast<std::uint32_t>(1 + rng_.below(4)),
                 .bytes = 10 + rng_.below(rng_.chance(0.1) ? 3000 : 300)};
  if (journal == confirmed) {
    what.spools = static_cast<std::uint8_t>(1 + rng_.below(spools_most_));
    what.after_confirm = rng_.chance(0.3);
    if (reserved_ + Journal::cost(what.bytes + 200) > config_.confirmed_bytes) return;
  }
  JournalFrame frame = numbering_.next(what);
  if (journal == confirmed) reserved_ += Journal::cost(frame.bytes->size());
  auto& list = published_[journal_index(journal)];
  list.push_back({what.type, frame.first, frame.count, frame.spools, frame.after_confirm, frame.bytes});
  if (journal == captured) {
    for (std::uint32_t i = 0; i < what.count; ++i) position_of_[{what.type, frame.first + i}] = list.size();
  }
  const Position position = journal_->append(now_, journal, std::move(frame));
  if (position != list.size()) broken("append() gave another position than the next");
  if (rng_.chance(0.7)) take_journal_effects();
}

void JournalWorld::deliver_some(Line& line) {
  for (std::uint64_t i = 1 + rng_.below(8); i > 0; --i) {
    if (rng_.chance(0.5)) {
      deliver_to_spool(line);
    } else {
      deliver_to_node(line);
    }
  }
}

void JournalWorld::deliver_to_spool(Line& line) {
  if (!line.connected || line.to_spool.empty()) return;
  const ToSpool original = std::move(line.to_spool.front());
  line.to_spool.pop_front();
  const SpoolMessageParts parts = encode(original);
  Result<ToSpool> message = decode_to_spool(parts.head, parts.frame != nullptr);
  if (!message) return broken("does not decode: " + message.error().message);
  if (auto* append = std::get_if<AppendFrame>(&*message)) append->frame = parts.frame;
  if (*message != original) return broken("decodes to something else");
  Spool& spool = *line.spool;
  if (const auto* open = std::get_if<OpenLink>(&*message)) {
    tell_stored(spool);
    spool.inlet->on_open(now_, line.peer, *open, "");
  } else {
    if (const auto* skip = std::get_if<SkipRange>(&*message)) {
      auto& skipped = spool.skipped[journal_index(skip->journal)];
      for (Position position = skip->range.first; position <= skip->range.last; ++position) skipped.insert(position);
    }
    spool.inlet->on_message(now_, line.peer, *std::move(message));
  }
  take_inlet_effects(spool);
}

void JournalWorld::deliver_to_node(Line& line) {
  if (!line.connected || line.from_spool.empty()) return;
  const FromSpool original = std::move(line.from_spool.front());
  line.from_spool.pop_front();
  const Result<FromSpool> message = decode_from_spool(encode(original));
  if (!message || *message != original) return broken("an answer does not decode to itself");
  if (const auto* refused = std::get_if<LinkRefused>(&*message); refused != nullptr && refused->code == "bad_data") {
    broken("a frame was refused");
  }
  if (std::holds_alternative<LinkOpened>(*message)) {
    for (auto& lost : line.spool->lost) lost.clear();
  }
  journal_->on_message(now_, line.name, *message);
  take_journal_effects();
}

/// In two steps, so that a crash finds a commit half way: then it did not happen.
void JournalWorld::commit(Spool& spool) {
  if (spool.frozen) return;
  if (spool.committing == 0) {
    spool.committing = spool.waiting.empty() ? 0 : 1 + rng_.below(spool.waiting.size());
    return;
  }
  std::array<Position, 2> through{};
  for (; spool.committing > 0; --spool.committing) {
    const JournalRecord& record = spool.waiting.front();
    spool.disk.append(record);
    through[journal_index(record.journal)] = record.last;
    spool.waiting.pop_front();
  }
  if (restores_ == Restores::Sometimes && rng_.chance(0.1)) spool.copies.push_back(spool.disk);
  for (const JournalKind journal : all_journals) {
    if (through[journal_index(journal)] != 0) {
      spool.inlet->on_committed(now_, own(), journal, through[journal_index(journal)]);
    }
  }
  take_inlet_effects(spool);
}

void JournalWorld::connect(Line& line) {
  line.connected = true;
  if (line.peer.empty() || rng_.chance(0.5)) line.peer = line.name + "#" + std::to_string(++peers_);
  journal_->on_link_up(now_, line.name);
  take_journal_effects();
}

void JournalWorld::disconnect(Line& line) {
  ++sums_.disconnects;
  line.connected = false;
  line.to_spool.clear();
  line.from_spool.clear();
  if (rng_.chance(0.5)) line.spool->inlet->on_peer_gone(line.peer);
  journal_->on_link_down(now_, line.name);
  take_journal_effects();
}

/// What is under way goes and nobody notices.
void JournalWorld::lose_silently(Line& line) {
  if (rng_.chance(0.5)) line.to_spool.clear();
  if (rng_.chance(0.5)) line.from_spool.clear();
}

void JournalWorld::crash(Spool& spool) {
  ++sums_.crashes;
  const JournalInlet::Figures figures = spool.inlet->figures();
  sums_.rewinds += figures.rewinds;
  sums_.skipped += figures.skipped;
  sums_.duplicates += figures.duplicates;
  spool.waiting.clear();
  spool.committing = 0;
  spool.frozen = false;
  spool.given = {};
  spool.inlet = std::make_unique<JournalInlet>(spool.id, inlet_config_);
  for (Line& line : lines_) {
    if (line.spool != &spool) continue;
    if (line.connected && (settling_ || rng_.chance(0.8))) {
      disconnect(line);
    } else {  // a reconnection the node does not notice
      line.to_spool.clear();
      line.from_spool.clear();
    }
  }
}

void JournalWorld::restore(Spool& spool) {
  if (spool.copies.empty()) return;
  ++sums_.restores;
  Disk older = spool.copies[rng_.below(spool.copies.size())];
  for (const JournalKind journal : all_journals) {
    const std::size_t index = journal_index(journal);
    for (const auto& [position, entry] : spool.disk.entries[index]) {
      if (older.has(index, position) && older.has_frame(index, position) == (entry.frame != nullptr)) continue;
      spool.lost[index].insert(position);
      spool.ever_lost[index].insert(position);
    }
  }
  spool.disk = std::move(older);
  spool.copies.clear();
  crash(spool);
}

/// What spools do for each other: holes and voids are filled with what others have.
void JournalWorld::fill_holes(Spool& spool) {
  if (spool.frozen) return;
  for (const Spool& other : spools_) {
    for (const JournalKind journal : all_journals) {
      for (const auto& [position, entry] : other.disk.entries[journal_index(journal)]) {
        if (!settling_ && rng_.chance(0.3)) continue;
        const auto [found, is_new] = spool.disk.entries[journal_index(journal)].try_emplace(position, entry);
        if (!is_new && found->second.frame == nullptr) found->second = entry;
      }
    }
  }
  tell_stored(spool);
  take_inlet_effects(spool);
}

void JournalWorld::tell_stored(Spool& spool) {
  for (const JournalKind journal : all_journals) {
    spool.inlet->on_stored(own(), journal, 0, spool.disk.ranges(journal_index(journal)));
  }
}

void JournalWorld::leave_and_return(Line& line) {
  if (line.connected) disconnect(line);
  journal_->on_spool_gone(now_, line.name);
  take_journal_effects();
}

JournalWorld::Line* JournalWorld::line_of(const std::string& peer) {
  const auto found = std::ranges::find(lines_, peer, &Line::peer);
  return found == lines_.end() || !found->connected ? nullptr : &*found;
}

const JournalWorld::Publication* JournalWorld::published(std::size_t journal, Position position) const {
  return position == 0 || position > published_[journal].size() ? nullptr : &published_[journal][position - 1];
}

JournalWorld::Sums JournalWorld::sums() const {
  Sums sums = sums_;
  sums.frames = published_[0].size() + published_[1].size();
  sums.voided_events = journal_->figures(captured).voided_events;
  for (const Spool& spool : spools_) {
    const JournalInlet::Figures figures = spool.inlet->figures();
    sums.rewinds += figures.rewinds;
    sums.skipped += figures.skipped;
    sums.duplicates += figures.duplicates;
  }
  return sums;
}

}  // namespace legion::journal_kit
