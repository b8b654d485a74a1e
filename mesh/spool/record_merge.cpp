#include <legion/spool/record_merge.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace legion::spool {
namespace {

// One stream, as a state or a record of any cursor.
CursorRecord alone(StreamCursor cursor) { return {"", {}, "", CursorRecord::Form::Delta, {std::move(cursor)}}; }

}  // namespace

std::vector<StampedRecord> records_of(BytesView frame) {
  std::vector<StampedRecord> out;
  const auto decoded = Frame::decode(frame, nullptr);
  if (!decoded) return out;
  for (const EventView& event : (*decoded)->events()) {
    if (!event.defect.empty()) continue;
    if (auto record = decode_spool_record(event.data)) out.push_back({std::move(*record), event.time});
  }
  return out;
}

bool is_done(const StreamCursor& cursor, std::uint64_t sequence) {
  return sequence <= cursor.done || std::ranges::any_of(cursor.ahead, [&](const auto& run) {
           return run.first <= sequence && sequence <= run.second;
         });
}

void merge(StreamCursor& into, const StreamCursor& other) {
  CursorRecord state = alone(std::move(into));
  legion::merge(state, alone(other));
  into = std::move(state.streams.front());
}

bool covers(const StreamCursor& cursor, const StreamCursor& other) {
  StreamCursor merged = cursor;
  merge(merged, other);
  return merged == cursor;
}

CursorEffect merge(std::optional<CursorState>& into, const CursorRecord& record, WallTime time, const Origin& by) {
  if (into && record.generation < into->merged.generation) return CursorEffect::Ignored;
  const bool is_new = !into || into->merged.generation < record.generation;
  if (is_new) {
    // The streams of a first record, too, come out in order and bounded.
    into = CursorState{{record.subscription, record.generation, record.filter, record.form, {}}, time, by};
  } else if (time >= into->updated) {
    into->updated = time;
    into->by = by;
  }
  legion::merge(into->merged, record);
  return is_new ? CursorEffect::Replaced : CursorEffect::Merged;
}

bool merge(AttemptRecord& into, const AttemptRecord& record) {
  if (std::tuple(record.attempts, record.last) <= std::tuple(into.attempts, into.last)) return false;
  into = record;
  return true;
}

bool merge(std::optional<KeptLetter>& into, const LetterRecord& record) {
  const bool holds = !into || holds_over(record, into->record);
  // Only a death brings deaths and frame. Records of what became of it may come before it.
  const bool brings_death = record.state == LetterState::Dead && (!into || record.round > into->death_round);
  if (!holds && !brings_death) return false;
  KeptLetter merged = into.value_or(KeptLetter{});
  if (holds) {
    std::vector<LetterDeath> deaths = std::move(merged.record.deaths);
    Bytes frame = std::move(merged.record.frame);
    merged.record = record;
    merged.record.deaths = std::move(deaths);
    merged.record.frame = std::move(frame);
  }
  if (brings_death) {
    merged.record.deaths = record.deaths;
    merged.record.frame = record.frame;
    merged.death_round = record.round;
  }
  if (merged.record.state == LetterState::Purged) merged.record.frame.clear();
  into = std::move(merged);
  return true;
}

Result<LetterChoice> LetterChoice::of(const LetterQuery& query) {
  LetterChoice choice(query);
  if (query.type) {
    auto filter = Filter::parse(*query.type);
    if (!filter) return std::unexpected(std::move(filter.error()));
    choice.type_ = std::move(*filter);
  }
  return choice;
}

bool LetterChoice::matches(const LetterRecord& letter) const {
  const LetterQuery& query = *query_;
  if (query.state ? letter.state != *query.state : letter.state == LetterState::Purged) return false;
  if (query.event && letter.event != *query.event) return false;
  if (query.agent && letter.agent != *query.agent && !letter.agent.ends_with('/' + *query.agent)) return false;
  if (type_) {
    const auto event = EventId::parse(letter.event);
    if (!event || !type_->matches(event->type)) return false;
  }
  if (!query.reason && !query.since && !query.before) return true;
  if (letter.deaths.empty()) return false;
  const LetterDeath& death = letter.deaths.back();
  if (query.reason && death.reason != *query.reason) return false;
  return (!query.since || death.last >= *query.since) && (!query.before || death.last < *query.before);
}

}  // namespace legion::spool
