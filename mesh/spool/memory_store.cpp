#include <legion/spool/memory_store.hpp>

#include <algorithm>
#include <set>

#include <legion/base/planted.hpp>
#include <legion/event/share.hpp>
#include <legion/spool/journal_check.hpp>
#include <legion/spool/memory_state.hpp>

namespace legion {

using namespace spool;

namespace {

using State = MemoryStore::State;

void apply(State& state, const CursorRecord& record, WallTime time, const Origin& by) {
  auto& cursor = state.cursors[record.subscription];
  if (merge(cursor, record, time, by) == CursorEffect::Ignored) {
    ++state.stale_cursors;
    return;
  }
  const bool is_removed = cursor->merged.form == CursorRecord::Form::Removed;
  std::erase_if(state.attempts, [&](const auto& entry) {
    if (entry.first.first != record.subscription) return false;
    if (is_removed) return true;
    const auto id = EventId::parse(entry.first.second);
    return id && std::ranges::any_of(cursor->merged.streams, [&](const StreamCursor& stream) {
             return stream.stream == StreamId{{id->node, id->incarnation}, id->lane, id->type, id->shard} &&
                    is_done(stream, id->sequence);
           });
  });
}

void apply(State& state, const AttemptRecord& record) {
  const auto id = EventId::parse(record.event);
  const auto cursor = state.cursors.find(record.subscription);
  if (id && cursor != state.cursors.end() && cursor->second) {
    for (const StreamCursor& stream : cursor->second->merged.streams) {
      const bool is_its = stream.stream == StreamId{{id->node, id->incarnation}, id->lane, id->type, id->shard};
      if (is_its && is_done(stream, id->sequence)) return;
    }
  }
  const auto [known, is_new] = state.attempts.try_emplace({record.subscription, record.event}, record);
  if (!is_new) merge(known->second, record);
}

void apply_records(State& state, const JournalRecord& record) {
  for (const StampedRecord& stamped : records_of(*record.frame)) {
    if (const auto* cursor = std::get_if<CursorRecord>(&stamped.record)) {
      apply(state, *cursor, stamped.time, record.origin);
    } else if (const auto* attempt = std::get_if<AttemptRecord>(&stamped.record)) {
      apply(state, *attempt);
    } else {
      const auto& letter = std::get<LetterRecord>(stamped.record);
      merge(state.letters[letter.key()], letter);
    }
  }
}

void note_place(State::StreamFrames& its, const std::vector<State::StoredEventFrame>& frames, std::size_t place) {
  its.ascends = its.ascends && frames[place].first > its.last;
  its.last = std::max(its.last, frames[place].last);
  its.places.push_back(place);
}

void add_void(State& state, const JournalRecord& record) {
  State::Journal& journal = state.journal(record.origin, record.journal);
  bool is_new = false;
  Position run_first = 0;
  for (Position position = std::max(record.first, journal.floor + 1); position <= record.last; ++position) {
    if (journal.held.contains(position)) {
      run_first = 0;
      continue;
    }
    journal.hold(position, 0);
    is_new = true;
    if (run_first == 0) run_first = position;
    journal.voids[run_first] = {position, record.spans};
  }
  if (!is_new) return;
  for (const StreamSpan& span : record.spans) journal.void_spans.push_back({span, record.last});
  state.known_lasts.reset();
}

void cut_void(State::Journal& journal, Position position) {
  const auto at = std::prev(journal.voids.upper_bound(position));
  const Position first = at->first;
  const State::Void whole = at->second;
  journal.voids.erase(at);
  if (first < position) journal.voids[first] = {position - 1, whole.spans};
  if (whole.last > position) journal.voids[position + 1] = whole;
}

void add_frame(State& state, const JournalRecord& record, const FrameHeader& header, WallTime now) {
  State::Journal& journal = state.journal(record.origin, record.journal);
  const auto held = journal.held.find(record.first);
  if (held != journal.held.end() ? held->second != 0 : record.first <= journal.floor) return;
  if (held != journal.held.end() && LEGION_PLANTED(VoidOverAFrame)) return;
  if (held != journal.held.end()) cut_void(journal, record.first);
  const StreamId stream{record.origin, header.lane, std::string(header.type), header.shard};
  journal.hold(record.first, state.next);
  state.add({.number = state.next,
             .append = state.appends,
             .stream = stream,
             .first = header.first_sequence,
             .last = header.first_sequence + header.event_count - 1,
             .journal = record.journal,
             .position = record.first,
             .held_for = record.held_for,
             .recorded = now,
             .bytes = record.frame});
  ++state.next;
  if (state.known_lasts) {
    std::uint64_t& last = (*state.known_lasts)[stream];
    last = std::max(last, state.frames.back().last);
  }
  state.chain = chain_link(state.chain, digest_of(*record.frame), record.origin, record.journal, record.first);
  if (header.type == record_type) apply_records(state, record);
}

}  // namespace

void State::Journal::hold(Position position, CommitNumber number) {
  held[position] = number;
  held_positions.add({position, position});
  number == 0 ? void_positions.add({position, position}) : void_positions.remove({position, position});
}

void State::Journal::let_go(Position position) {
  held.erase(position);
  held_positions.remove({position, position});
  void_positions.remove({position, position});
}

void State::add(StoredEventFrame frame) {
  events += frame.last - frame.first + 1;
  frames.push_back(std::move(frame));
  if (by_stream_) note_place((*by_stream_)[frames.back().stream], frames, frames.size() - 1);
}

std::size_t State::erase_frames(const std::function<bool(const StoredEventFrame&)>& is_gone) {
  by_stream_.reset();
  return std::erase_if(frames, [&](const StoredEventFrame& frame) {
    if (!is_gone(frame)) return false;
    events -= frame.last - frame.first + 1;
    return true;
  });
}

std::vector<State::StoredEventFrame>::const_iterator State::at_or_behind(CommitNumber number) const {
  return std::ranges::lower_bound(frames, number, {}, &StoredEventFrame::number);
}

const State::StreamFrames& State::frames_of(const StreamId& stream) {
  if (!by_stream_) {
    by_stream_.emplace();
    for (std::size_t i = 0; i < frames.size(); ++i) note_place((*by_stream_)[frames[i].stream], frames, i);
  }
  static const StreamFrames none;
  const auto found = by_stream_->find(stream);
  return found == by_stream_->end() ? none : found->second;
}

const State::StoredEventFrame* State::frame_of(const StreamId& stream, std::uint64_t sequence) {
  const StreamFrames& its = frames_of(stream);
  auto at = its.places.begin();
  if (its.ascends)
    at = std::ranges::lower_bound(its.places, sequence, {}, [&](std::size_t i) { return frames[i].last; });
  for (; at != its.places.end(); ++at) {
    if (frames[*at].has(sequence)) return &frames[*at];
    if (its.ascends) break;
  }
  return nullptr;
}

std::uint64_t State::last_stored(const StreamId& stream) { return frames_of(stream).last; }

const State::Journal* State::find(const Origin& origin, JournalKind kind) const {
  const auto life = lives.find(origin);
  return life == lives.end() ? nullptr : &life->second.journals[journal_index(kind)];
}

bool State::has_later_life(const Origin& origin) const {
  return std::ranges::any_of(lives, [&](const auto& life) {
    return life.first.node == origin.node && life.first.incarnation > origin.incarnation;
  });
}

bool State::is_over(const Origin& origin) const {
  const Journal* journal = find(origin, JournalKind::Confirmed);
  return has_later_life(origin) || (journal != nullptr && journal->final);
}

bool State::is_complete(const Origin& origin, JournalKind kind) const {
  const Journal* journal = find(origin, kind);
  if (journal == nullptr) return has_later_life(origin);
  if (journal->final) return journal->through() >= *journal->final;
  const Position last =
      journal->held.empty() ? journal->floor : std::max(journal->floor, journal->held.rbegin()->first);
  return has_later_life(origin) && journal->through() >= last;
}

const std::map<StreamId, std::uint64_t>& State::lasts() {
  if (known_lasts) return *known_lasts;
  auto& lasts = known_lasts.emplace(trimmed);
  for (const auto& frame : frames) lasts[frame.stream] = std::max(lasts[frame.stream], frame.last);
  for (const auto& [origin, life] : lives) {
    for (const Journal& journal : life.journals) {
      for (const auto& [span, position] : journal.void_spans) {
        std::uint64_t& last = lasts[{origin, span.lane, span.type, span.shard}];
        last = std::max(last, span.last);
      }
    }
  }
  return lasts;
}

void State::trim(const std::vector<CommitNumber>& numbers) {
  known_lasts.reset();
  for (const CommitNumber number : numbers) {
    const auto frame = at_or_behind(number);
    Journal& in = journal(frame->stream.origin, frame->journal);
    in.floor = std::max(in.floor, frame->position);
    in.let_go(frame->position);
    trimmed[frame->stream] = std::max(trimmed[frame->stream], frame->last);
  }
  const std::set<CommitNumber> gone(numbers.begin(), numbers.end());
  if (!gone.empty()) erase_frames([&](const StoredEventFrame& frame) { return gone.contains(frame.number); });
  for (auto& [origin, life] : lives) {
    for (Journal& in : life.journals) {
      // Voids, and records that merging would drop, go with what lay around them; frames that stay, stay.
      for (const PositionRange& range : in.void_positions.common({0, in.floor})) {
        in.held.erase(in.held.lower_bound(range.first), in.held.upper_bound(range.last));
        in.held_positions.remove(range);
        in.void_positions.remove(range);
      }
      std::map<Position, Void> voids;
      for (const auto& [first, each] : in.voids) {
        if (each.last > in.floor) voids[std::max(first, in.floor + 1)] = each;
      }
      in.voids = std::move(voids);
      std::erase_if(in.void_spans, [&](const VoidSpan& span) { return span.position <= in.floor; });
    }
  }
}

MemoryStore::MemoryStore(StoreId id) : state_(std::make_shared<State>()) { state_->id = id; }
MemoryStore::~MemoryStore() = default;

const StoreId& MemoryStore::id() const { return state_->id; }

Result<void> MemoryStore::append(std::span<const JournalRecord> records, WallTime now) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  std::vector<FrameHeader> headers;
  for (const JournalRecord& record : records) {
    auto header = check_record(record);
    if (!header) return std::unexpected(std::move(header.error()));
    headers.push_back(*header);
  }
  ++state_->appends;
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].is_void() ? add_void(*state_, records[i]) : add_frame(*state_, records[i], headers[i], now);
  }
  return {};
}

Result<void> MemoryStore::bind(const Origin& origin, const BootId& boot) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  if (auto ok = check_origin(origin); !ok) return ok;
  std::optional<BootId>& bound = state_->lives[origin].boot;
  if (bound && *bound != boot) {
    return fail(ErrorCode::Refused, "the journals of " + origin.node + " belong to boot " + bound->hex());
  }
  bound = boot;
  return {};
}

Result<void> MemoryStore::set_released(const Origin& origin, JournalKind journal, std::uint8_t spools,
                                       Position through) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  if (auto ok = check_origin(origin); !ok) return ok;
  if (spools == 0 || through == 0) return {};
  auto& released = state_->journal(origin, journal).released;
  for (std::size_t i = 0; i < std::min<std::size_t>(spools, released.size()); ++i) {
    released[i] = std::max(released[i], std::min<Position>(through, stored_number_max));
  }
  return {};
}

Result<void> MemoryStore::set_final(const Origin& origin, Position confirmed, Position captured) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  if (auto ok = check_origin(origin); !ok) return ok;
  state_->journal(origin, JournalKind::Confirmed).final = std::min<Position>(confirmed, stored_number_max);
  state_->journal(origin, JournalKind::Captured).final = std::min<Position>(captured, stored_number_max);
  return {};
}

Result<void> MemoryStore::set_floor(const Origin& origin, JournalKind journal, Position through) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  if (auto ok = check_origin(origin); !ok) return ok;
  if (through == 0) return {};
  Position& floor = state_->journal(origin, journal).floor;
  floor = std::max(floor, std::min<Position>(through, stored_number_max));
  state_->trim({});
  return {};
}

Result<void> MemoryStore::mark(const std::string& name, WallTime) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  state_->marks[name] = state_->next;
  return {};
}

Result<bool> MemoryStore::maintain(WallTime now, const RetentionPolicy& retention) {
  if (state_->frozen) return fail(ErrorCode::Io, *state_->frozen);
  if (!retention.retain_for && !retention.retain_bytes) return false;
  std::uint64_t bytes = 0;
  for (const auto& frame : state_->frames) bytes += frame.bytes->size();
  const auto is_needed = [&](const State::StoredEventFrame& frame) {
    if (retention.cursors == RetentionPolicy::Cursors::Ignore || LEGION_PLANTED(RetentionPastACursor)) return false;
    return std::ranges::any_of(state_->cursors, [&](const auto& entry) {
      const CursorRecord& cursor = entry.second->merged;
      const auto about = CursorFilter::parse(cursor.filter);
      if (cursor.form == CursorRecord::Form::Removed || !about || !about->matches(frame.stream)) return false;
      const auto stream = std::ranges::find(cursor.streams, frame.stream, &StreamCursor::stream);
      return stream == cursor.streams.end() || stream->done < frame.last;
    });
  };
  std::vector<CommitNumber> numbers;
  for (std::size_t i = 0; i < state_->frames.size();) {
    const std::uint64_t append = state_->frames[i].append;
    bool is_old = retention.retain_for.has_value(), is_free = true;
    std::vector<CommitNumber> block;
    std::uint64_t block_bytes = 0;
    for (; i < state_->frames.size() && state_->frames[i].append == append; ++i) {
      const auto& frame = state_->frames[i];
      if (frame.stream.type == record_type) continue;
      is_old = is_old && now - frame.recorded > *retention.retain_for;
      is_free = is_free && !is_needed(frame);
      block_bytes += frame.bytes->size();
      block.push_back(frame.number);
    }
    const bool is_too_much = retention.retain_bytes && bytes > *retention.retain_bytes;
    if (block.empty()) continue;
    if ((!is_old && !is_too_much) || !is_free) break;
    bytes -= block_bytes;
    numbers.insert(numbers.end(), block.begin(), block.end());
  }
  if (!numbers.empty()) state_->trim(numbers);
  return false;
}

void MemoryStore::trim_before(CommitNumber number) {
  std::vector<CommitNumber> numbers;
  for (const auto& frame : state_->frames) {
    if (frame.number < number && frame.stream.type != record_type) numbers.push_back(frame.number);
  }
  state_->trim(numbers);
}

// The floors stay where they are: these positions are missing now. Cursors, attempts and letters have tables of their
// own in the stores on disk, so they stay too.
std::size_t MemoryStore::damage(CommitNumber number) {
  const auto hit = state_->at_or_behind(number);
  if (hit == state_->frames.end() || hit->number != number) return 0;
  const std::uint64_t append = hit->append;
  const auto gone = state_->erase_frames([&](const State::StoredEventFrame& frame) {
    if (frame.append != append) return false;
    state_->journal(frame.stream.origin, frame.journal).let_go(frame.position);
    return true;
  });
  ++state_->quarantined;
  state_->known_lasts.reset();
  return gone;
}

Result<void> MemoryStore::backup(const std::string&) {
  return fail(ErrorCode::Refused, "a store in memory has no backup");
}

std::vector<JournalState> MemoryStore::journals() const {
  std::vector<JournalState> out;
  for (const auto& [origin, life] : state_->lives) {
    for (const JournalKind kind : all_journals) {
      const State::Journal& journal = life.journals[journal_index(kind)];
      out.push_back({.origin = origin,
                     .journal = kind,
                     .boot = life.boot.value_or(BootId{}),
                     .ranges = journal.held_positions.ranges(),
                     .voids = journal.void_positions.ranges(),
                     .floor = journal.floor,
                     .released = journal.released,
                     .final = journal.final});
    }
  }
  return out;
}

StoreFigures MemoryStore::figures() const {
  StoreFigures out;
  out.frames = state_->frames.size();
  out.events = state_->events;
  out.commits = state_->appends;
  out.quarantined = state_->quarantined;
  out.next_commit = state_->next;
  out.stale_cursors = state_->stale_cursors;
  if (!state_->frames.empty()) {
    out.oldest = state_->frames.front().recorded;
    out.newest = state_->frames.back().recorded;
  }
  for (const auto& [key, letter] : state_->letters) {
    if (letter && letter->record.state == LetterState::Dead) ++out.dead_letters;
  }
  return out;
}

std::optional<std::string> MemoryStore::frozen() const { return state_->frozen; }

void MemoryStore::freeze(const std::string& reason) {
  if (!state_->frozen) state_->frozen = reason;
}

}  // namespace legion
