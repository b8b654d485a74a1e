// What is recorded: cursors, attempts, letters.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

constexpr std::size_t cursors_out_max = 2;      // of one subscription; what moves meanwhile goes into the next
constexpr std::size_t record_overhead = 512;    // names and heads

}  // namespace

RecordToken DurableSubscriptions::State::write(SpoolRecord record, Written about) {
  const RecordToken token = ++last_token;
  written_bytes += about.bytes;
  written.emplace(token, std::move(about));
  effects.push_back(WriteRecord{std::move(record), token});
  return token;
}

void DurableSubscriptions::State::mark_dirty(Subscription& sub, Stream& stream) {
  if (stream.is_dirty || stream.kept == Stream::Kept::No) return;
  stream.is_dirty = true;
  sub.dirty.push_back(stream.key);
}

void DurableSubscriptions::State::write_cursors(Subscription& sub, When when) {
  if (sub.phase != DurablePhase::Active || sub.dirty.empty()) return;
  if (when == When::Due && !sub.writes_at_once) {
    if (sub.cursors_out >= cursors_out_max) return;
    if (sub.moved < config.cursor_events && now.steady - sub.written_at < config.cursor_every) return;
  }
  std::vector<StreamCursor> streams;
  for (const StreamKey key : sub.dirty) {
    Stream& stream = *slots[key].stream;
    stream.is_dirty = false;
    streams.push_back({stream.id, stream.progress.done(), stream.progress.ahead()});
  }
  sub.dirty.clear();
  sub.moved = 0;
  sub.writes_at_once = false;
  sub.written_at = now.steady;
  std::ranges::sort(streams, {}, &StreamCursor::stream);
  const RecordToken token = write_streams(sub, CursorRecord::Form::Delta, streams, Written::Kind::Cursor);
  written.at(token).died = std::exchange(sub.died, {});
}

/// All streams that are not at their beginning.
void DurableSubscriptions::State::write_whole(Subscription& sub) {
  std::vector<StreamCursor> streams;
  for (const auto& [id, key] : sub.streams) {
    const Stream& stream = *slots[key].stream;
    const bool has_moved = stream.progress.done() > 0 || !stream.progress.ahead().empty();
    if (has_moved && stream.kept == Stream::Kept::Yes)
      streams.push_back({id, stream.progress.done(), stream.progress.ahead()});
  }
  std::ranges::sort(streams, {}, &StreamCursor::stream);
  write_streams(sub, CursorRecord::Form::Whole, streams, Written::Kind::Cursor);
}

RecordToken DurableSubscriptions::State::write_cursor(Subscription& sub, CursorRecord::Form form,
                                                      std::vector<StreamCursor> streams, Written::Kind kind) {
  if (kind == Written::Kind::Cursor) ++sub.cursors_out;
  return write(CursorRecord{sub.spec.durable, sub.generation, sub.cursor_filter(), form, std::move(streams)},
               {.kind = kind, .subscription = sub.number});
}

/// Before the hand-over that follows `so_far`.
void DurableSubscriptions::State::write_attempt(Subscription& sub, Stream& stream, std::uint64_t sequence,
                                                const Earlier& so_far, Written about) {
  const StreamId& id = stream.id;
  const EventId event{id.origin.node, id.origin.incarnation, id.lane, id.type, id.shard, sequence};
  about.subscription = stream.subscription;
  about.stream = stream.key;
  about.serial = stream.serial;
  about.sequence = sequence;
  about.bytes = record_overhead + so_far.error.size();
  write(
      AttemptRecord{sub.spec.durable, event.to_string(), so_far.attempts + 1, so_far.error, so_far.first, so_far.last},
      std::move(about));
}

void DurableSubscriptions::State::on_failure(const AttemptFailed& failure) {
  const Slot* slot = failure.stream < slots.size() ? &slots[failure.stream] : nullptr;
  if (slot != nullptr && slot->use == Slot::Use::Stream) {
    Stream& stream = *slot->stream;
    stream.failing.insert(failure.sequence);
    return write_attempt(subs[stream.subscription], stream, failure.sequence, failure.so_far,
                         {.kind = Written::Kind::Attempt, .permit = failure.permit});
  }
  if (slot != nullptr && slot->use == Slot::Use::Requeue) {
    Requeue& requeue = requeues.at(slot->letter);
    requeue.so_far = failure.so_far;
    return write_requeued(requeue, failure.permit);
  }
  effects.push_back(PermitRetry{failure.permit});  // of a cursor that is no more
}

LetterRecord DurableSubscriptions::State::letter_record(const DurableHandler& handler, const Frame& frame,
                                                        std::uint32_t index, LetterDeath death) const {
  const FrameHeader& header = frame.header();
  const EventId id{std::string(header.origin), header.incarnation, header.lane,
                   std::string(header.type),   header.shard,       header.first_sequence + index};
  LetterRecord letter;
  letter.event = id.to_string();
  letter.agent = handler.agent;
  letter.subscription = handler.durable;
  letter.deaths.push_back(std::move(death));
  letter.frame = frame.cut(index);
  return letter;
}

LetterDeath DurableSubscriptions::State::death_of(const DeadLetter& letter) const {
  const Death& death = letter.death;
  return {.agent = handlers[letter.subscription.value].agent,
          .reason = std::string(to_string(death.reason)),
          .attempts = death.attempts,
          .error = death.error,
          .first = death.first,
          .last = death.last};
}

void DurableSubscriptions::State::take_letter(const DeadLetter& letter) {
  if (letter.durable < slots.size() && slots[letter.durable].use == Slot::Use::Requeue) {
    requeues.at(slots[letter.durable].letter).death = death_of(letter);
    return;
  }
  if (is_of_lost_lease(letter)) return;
  LetterRecord record =
      letter_record(handlers[letter.subscription.value], *letter.frame, letter.index, death_of(letter));
  if (Subscription* sub = sub_of(letter.subscription)) {
    ++sub->letters;
    sub->writes_at_once = true;
    sub->died.push_back(record.event);
  }
  write_letter(std::move(record));
}

void DurableSubscriptions::State::write_letter(LetterRecord record) {
  const std::size_t bytes = record.frame.size() + record.deaths.back().error.size() + record_overhead;
  write(std::move(record), {.kind = Written::Kind::Letter, .bytes = bytes});
}

void DurableSubscriptions::on_plain_letters(Now now, std::vector<DeadLetter> letters) {
  State& state = *state_;
  state.now = now;
  if (std::ranges::none_of(state.spools,
                           [](const durable::Spool& spool) { return spool.present == durable::Spool::Present::Yes; })) {
    return;
  }
  std::size_t left_out = 0;
  for (const DeadLetter& letter : letters) {
    if (state.written_bytes < state.config.record_bytes) {
      state.take_letter(letter);
    } else {
      ++left_out;
    }
  }
  if (left_out == 0) return;
  state.log(DurableLog::Level::Error, std::to_string(left_out) +
                                          " dead letters of plain subscriptions are not recorded: "
                                          "no spool confirms what was written before");
}

void DurableSubscriptions::State::on_written(RecordToken token) {
  while (!written.empty() && written.begin()->first <= token) {
    const auto entry = written.extract(written.begin());
    written_bytes -= entry.mapped().bytes;
    after_written(entry.key(), entry.mapped());
  }
  for (Subscription& sub : subs) {
    use_room(sub);
    work_on_release(sub);
  }
  offer_requeues();
}

void DurableSubscriptions::State::after_written(RecordToken token, const Written& about) {
  switch (about.kind) {
    case Written::Kind::Cursor:
      --subs[about.subscription].cursors_out;
      for (const std::string& event : about.died) {
        effects.push_back(InFlightOver{subs[about.subscription].spec.agent, event, {}});
        forget_gates(event, 0);
      }
      return;
    case Written::Kind::Beginning: on_beginning_written(subs[about.subscription], token); return;
    case Written::Kind::Attempt: effects.push_back(PermitRetry{about.permit}); return;
    case Written::Kind::Requeued: on_requeued_written(about); return;
    case Written::Kind::Told: answer(about.request, about.letter); return;
    case Written::Kind::Letter: return;
    case Written::Kind::RequeueOver: {
      const std::size_t space = about.letter.find(' ');
      const InFlightPath path{InFlightPath::Role::Target, about.round};
      effects.push_back(InFlightOver{about.letter.substr(space + 1), about.letter.substr(0, space), path});
      forget_gates(about.letter.substr(0, space), about.round);
      return;
    }
    case Written::Kind::AttemptAgain: break;
  }
  const Slot& slot = slots[about.stream];
  if (slot.use != Slot::Use::Stream || slot.stream->serial != about.serial) return;
  const auto again = slot.stream->again.find(about.sequence);
  if (again == slot.stream->again.end()) return;
  again->second.written = Again::Written::Yes;
  pump(subs[about.subscription], *slot.stream);
}

}  // namespace legion
