#include <legion/spool/memory_reader.hpp>

#include <algorithm>
#include <set>

#include <legion/event/event_type.hpp>

namespace legion::spool {
namespace {

using State = MemoryStore::State;
using EventFrame = State::StoredEventFrame;

bool carries(const EventView& event, const std::string& id) {
  const std::string_view parent = event.traceparent;
  return event.correlation_id == id || event.causation_id == id || event.id_string() == id ||
         (parent.size() > 35 && parent[2] == '-' && parent.substr(3, 32) == id);
}

bool is_wanted(const EventFrame& frame, const ScanQuery& query) {
  if (is_reserved(frame.stream.type)) return false;
  const bool is_lane =
      query.lanes.empty() || std::ranges::find(query.lanes, frame.stream.lane) != query.lanes.end();
  const bool is_type = query.types.empty() || std::ranges::any_of(query.types, [&](const Filter& filter) {
                         return filter.matches(frame.stream.type);
                       });
  if (!is_lane || !is_type) return false;
  if (!query.since && !query.before && !query.correlation) return true;
  const auto decoded = Frame::decode(BytesView(*frame.bytes), nullptr);
  if (!decoded) return false;
  bool is_since = !query.since, is_before = !query.before, is_correlated = !query.correlation;
  for (const EventView& event : (*decoded)->events()) {
    if (!event.defect.empty()) continue;
    is_since = is_since || event.time >= *query.since;
    is_before = is_before || event.time < *query.before;
    is_correlated = is_correlated || carries(event, *query.correlation);
  }
  return is_since && is_before && is_correlated;
}

/// Something a store knows of a sequence: a frame that has it, or a void that stood for it.
struct Item {
  JournalKind journal{};
  Position position = 0;
};

/// The answer for one sequence, from the definitions.
class StreamAnswers {
 public:
  StreamAnswers(State& state, const StreamId& stream)
      : state_(state), stream_(stream), last_known_(state.last_stored(stream)) {
    for (const JournalKind kind : all_journals) {
      const State::Journal* journal = state.find(stream.origin, kind);
      if (journal == nullptr) continue;
      for (const State::VoidSpan& each : journal->void_spans) {
        if (is_its(each.span)) last_known_ = std::max(last_known_, each.span.last);
      }
    }
    if (const auto trimmed = state.trimmed.find(stream); trimmed != state.trimmed.end()) {
      trimmed_ = trimmed->second;
      last_known_ = std::max(last_known_, trimmed_);
    }
  }

  std::uint64_t last_known() const { return last_known_; }

  const EventFrame* frame_of(std::uint64_t sequence) const { return state_.frame_of(stream_, sequence); }

  bool is_given(const EventFrame& frame) const {
    if (frame.held_for == 0 || (frame.held_for == 1 && state_.is_over(stream_.origin))) return true;
    const State::Journal* journal = state_.find(stream_.origin, frame.journal);
    return frame.held_for <= 4 && journal->released[frame.held_for - 1u] >= frame.position;
  }

  /// Nothing: missing. Of a sequence without a frame.
  std::optional<Never> why_never(std::uint64_t sequence) const {
    if (void_of(sequence)) return Never::Voided;
    if (sequence <= trimmed_) return Never::Trimmed;
    std::optional<Item> next, before;
    for (std::uint64_t at = sequence + 1; at <= last_known_ && !next; ++at) next = item_of(at);
    for (std::uint64_t at = std::min(sequence - 1, last_known_); at >= 1 && !before; --at) before = item_of(at);
    if (!next) return why_never_at_end(before);
    const State::Journal& journal = *state_.find(stream_.origin, next->journal);
    if (journal.through() < next->position) return std::nullopt;
    const bool is_between_kept = before && before->journal == next->journal && before->position > journal.floor;
    return is_between_kept || journal.floor == 0 ? Never::NotJournalled : Never::Trimmed;
  }

 private:
  bool is_its(const StreamSpan& span) const {
    return span.lane == stream_.lane && span.type == stream_.type && span.shard == stream_.shard;
  }

  std::optional<Item> void_of(std::uint64_t sequence) const {
    std::optional<Item> found;
    for (const JournalKind kind : all_journals) {
      const State::Journal* journal = state_.find(stream_.origin, kind);
      if (journal == nullptr) continue;
      for (const State::VoidSpan& each : journal->void_spans) {
        if (!is_its(each.span) || sequence < each.span.first || sequence > each.span.last) continue;
        if (!found || found->position < each.position) found = Item{kind, each.position};
      }
    }
    return found;
  }

  std::optional<Item> item_of(std::uint64_t sequence) const {
    if (const auto* frame = frame_of(sequence)) return Item{frame->journal, frame->position};
    return void_of(sequence);
  }

  std::optional<Never> why_never_at_end(const std::optional<Item>& before) const {
    const Origin& origin = stream_.origin;
    const bool is_ended =
        before ? state_.is_complete(origin, before->journal)
               : state_.is_complete(origin, JournalKind::Confirmed) && state_.is_complete(origin, JournalKind::Captured);
    return is_ended ? std::optional(Never::EndOfLife) : std::nullopt;
  }

  State& state_;
  const StreamId& stream_;
  std::uint64_t last_known_ = 0, trimmed_ = 0;
};

void add_part(StreamPage& page, std::optional<Never> why, std::uint64_t first, std::uint64_t last) {
  using Kind = StreamPage::Part::Kind;
  const StreamPage::Part part{why ? Kind::Never : Kind::Missing, first, last, why.value_or(Never{}), {}};
  if (!page.parts.empty()) {
    StreamPage::Part& before = page.parts.back();
    if (before.kind == part.kind && before.why == part.why) {
      before.last = last;
      return;
    }
  }
  page.parts.push_back(part);
}

}  // namespace

Result<ScanPage> MemoryReader::scan(const ScanQuery& query) {
  held_.clear();
  ScanPage page;
  std::size_t bytes = 0;
  page.next = std::max<CommitNumber>(query.from, 1);
  for (auto at = state_->at_or_behind(page.next); at != state_->frames.end(); ++at) {
    const EventFrame& frame = *at;
    if (query.until && frame.number > *query.until) break;
    if (is_wanted(frame, query)) {
      if (!page.frames.empty() && bytes + frame.bytes->size() > query.bytes_max) return page;
      bytes += frame.bytes->size();
      held_.push_back(frame.bytes);
      page.frames.push_back(
          {frame.number, frame.journal, frame.position, frame.held_for, frame.recorded, *frame.bytes});
    }
    page.next = frame.number + 1;
  }
  page.at_end = true;
  return page;
}

Result<StreamPage> MemoryReader::read_stream(const StreamQuery& query) {
  held_.clear();
  const StreamAnswers answers(*state_, query.stream);
  StreamPage page;
  page.next = std::max<std::uint64_t>(query.first, 1);
  page.stored_to = state_->last_stored(query.stream);
  const std::uint64_t last = std::min(query.last, UINT64_MAX - 1);
  std::size_t bytes = 0;
  bool holds_back = false;
  const auto with_journals = [&] {
    for (const JournalKind kind : all_journals) {
      const State::Journal* journal = state_->find(query.stream.origin, kind);
      if (journal == nullptr) continue;
      if (page.has(Never::Trimmed)) page.floor[journal_index(kind)] = journal->floor;
      if (page.has_missing() && !holds_back) page.through[journal_index(kind)] = journal->through();
    }
    return page;
  };
  while (page.next <= std::min(last, answers.last_known())) {
    const auto* frame = answers.frame_of(page.next);
    if (frame == nullptr) {
      add_part(page, answers.why_never(page.next), page.next, page.next);
      ++page.next;
    } else if (!answers.is_given(*frame)) {
      holds_back = true;
      add_part(page, std::nullopt, page.next, std::min(frame->last, last));
      page.next = std::min(frame->last, last) + 1;
    } else {
      if (bytes > 0 && bytes + frame->bytes->size() > query.bytes_max) return with_journals();
      bytes += frame->bytes->size();
      held_.push_back(frame->bytes);
      page.parts.push_back({StreamPage::Part::Kind::Frame, frame->first, frame->last, {}, *frame->bytes});
      page.next = frame->last + 1;
    }
  }
  if (page.next > last) return with_journals();
  add_part(page, answers.why_never(page.next), page.next, last);
  page.next = last + 1;
  return with_journals();
}

Result<std::vector<JournalRecord>> MemoryReader::read_journal(const Origin& origin, JournalKind kind,
                                                              PositionRange range, std::size_t bytes_max) {
  std::vector<JournalRecord> out;
  const State::Journal* journal = state_->find(origin, kind);
  if (journal == nullptr) return out;
  std::size_t bytes = 0;
  for (auto held = journal->held.lower_bound(range.first); held != journal->held.end() && held->first <= range.last;) {
    const Position position = held->first;
    if (held->second == 0) {
      const auto& [first, each] = *std::prev(journal->voids.upper_bound(position));
      const Position last = std::min(each.last, range.last);
      out.push_back({origin, kind, position, last, 0, nullptr, each.spans});
      held = journal->held.upper_bound(last);
      continue;
    }
    const auto frame = state_->at_or_behind(held->second);
    if (bytes > 0 && bytes + frame->bytes->size() > bytes_max) break;
    bytes += frame->bytes->size();
    out.push_back({origin, kind, position, position, frame->held_for, frame->bytes, {}});
    ++held;
  }
  return out;
}

Result<std::vector<StreamTail>> MemoryReader::tails(const Filter& filter, const std::optional<StreamId>& after,
                                                    std::size_t max) {
  std::vector<StreamTail> out;
  const auto& lasts = state_->lasts();
  for (auto at = after ? lasts.upper_bound(*after) : lasts.begin(); at != lasts.end() && out.size() < max; ++at) {
    if (filter.matches(at->first.type)) out.push_back({at->first, at->second + 1});
  }
  return out;
}

Result<std::optional<CommitNumber>> MemoryReader::at(WallTime time) {
  for (const auto& frame : state_->frames) {
    if (frame.recorded >= time) return frame.number;
  }
  return std::nullopt;
}

Result<std::optional<CommitNumber>> MemoryReader::find(const EventId& event) {
  const StreamId stream{{event.node, event.incarnation}, event.lane, event.type, event.shard};
  const auto* frame = state_->frame_of(stream, event.sequence);
  return frame != nullptr ? std::optional(frame->number) : std::nullopt;
}

Result<std::vector<CursorState>> MemoryReader::cursors() {
  std::vector<CursorState> out;
  for (const auto& [name, cursor] : state_->cursors) out.push_back(*cursor);
  return out;
}

Result<std::optional<CursorState>> MemoryReader::cursor(std::string_view subscription) {
  const auto found = state_->cursors.find(std::string(subscription));
  return found == state_->cursors.end() ? std::nullopt : found->second;
}

Result<std::vector<AttemptRecord>> MemoryReader::attempts(std::string_view subscription) {
  std::vector<AttemptRecord> out;
  for (const auto& [key, attempt] : state_->attempts) {
    if (key.first == subscription) out.push_back(attempt);
  }
  return out;
}

Result<std::vector<LetterRecord>> MemoryReader::letters(const LetterQuery& query) {
  const auto choice = LetterChoice::of(query);
  if (!choice) return std::unexpected(choice.error());
  std::vector<LetterRecord> out;
  for (auto at = state_->letters.upper_bound(query.after); at != state_->letters.end() && out.size() < query.max; ++at) {
    if (!choice->matches(at->second->record)) continue;
    out.push_back(at->second->record);
    if (query.payload == LetterQuery::Payload::Without) out.back().frame.clear();
  }
  return out;
}

Result<std::vector<std::pair<std::string, CommitNumber>>> MemoryReader::marks() {
  return std::vector<std::pair<std::string, CommitNumber>>(state_->marks.begin(), state_->marks.end());
}

Result<VerifyReport> MemoryReader::verify(Depth, const std::function<bool(std::uint64_t, std::uint64_t)>& go_on) {
  VerifyReport report;
  report.frames = state_->frames.size();
  for (const auto& frame : state_->frames) report.events += frame.last - frame.first + 1;
  report.chain = state_->chain;
  for (const auto& [origin, life] : state_->lives) {
    for (const JournalKind kind : all_journals) {
      const State::Journal& journal = life.journals[journal_index(kind)];
      const std::string name =
          origin.node + ':' + std::to_string(origin.incarnation) + ':' + std::string(to_string(kind));
      Position next = journal.floor + 1;
      for (const auto& [position, number] : journal.held) {
        if (position > next) report.holes.emplace_back(name, PositionRange{next, position - 1});
        next = std::max(next, position + 1);
      }
    }
  }
  if (go_on) go_on(report.frames, report.frames);
  return report;
}

}  // namespace legion::spool

namespace legion {

Result<std::unique_ptr<StoreReader>> MemoryStore::open_reader() {
  return std::make_unique<spool::MemoryReader>(state_);
}

}  // namespace legion
