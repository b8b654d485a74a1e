// Events go to the dispatcher and come back done.
#include <algorithm>

#include <legion/base/planted.hpp>
#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

// Events are not offered in dribs and drabs while others are under way.
constexpr std::uint64_t offer_events_min = 32;

}  // namespace

durable::Stream& DurableSubscriptions::State::add_stream(Subscription& sub, StreamId id) {
  const StreamKey key = take_slot(Slot::Use::Stream);
  auto& stream = slots[key].stream;
  stream = std::make_unique<Stream>();
  stream->subscription = sub.number;
  stream->key = key;
  stream->serial = ++last_serial;
  stream->id = id;
  sub.streams.emplace(std::move(id), key);
  return *stream;
}

durable::Stream& DurableSubscriptions::State::stream_of(Subscription& sub, durable::StreamIdView id,
                                                        std::uint32_t hint) {
  if (hint < sub.by_hint.size() && sub.by_hint[hint] != no_stream) {
    Stream& stream = *slots[sub.by_hint[hint]].stream;
    if (durable::StreamIdView(stream.id) == id) return stream;
  }
  const auto found = sub.streams.find(id);
  Stream& stream = found != sub.streams.end() ? *slots[found->second].stream : add_stream(sub, id.owned());
  if (hint != no_stream) {
    if (hint >= sub.by_hint.size()) sub.by_hint.resize(hint + std::size_t{1}, no_stream);
    sub.by_hint[hint] = stream.key;
  }
  return stream;
}

/// Events below `next` exist, and are in the books from now on.
void DurableSubscriptions::State::know(Subscription& sub, Stream& stream, std::uint64_t next) {
  if (next <= stream.known) return;
  sub.published += next - stream.known;
  stream.known = next;
}

/// Events that exist and are not over.
std::uint64_t DurableSubscriptions::State::pending_in(const Stream& stream) {
  const std::uint64_t over = stream.progress.done() + stream.progress.ahead_count();
  return stream.known - 1 - std::min(stream.known - 1, over);
}

/// Of these, those that are not with the dispatcher.
std::uint64_t DurableSubscriptions::State::waiting_in(const Stream& stream) {
  return pending_in(stream) - stream.under_way;
}

std::uint64_t DurableSubscriptions::State::waiting_of(const Subscription& sub) const {
  std::uint64_t waiting = 0;
  for (const auto& [id, key] : sub.streams) waiting += waiting_in(*slots[key].stream);
  return waiting;
}

std::optional<StreamKey> DurableSubscriptions::State::take_frame(Subscription& sub, const FramePtr& frame,
                                                                 std::uint32_t skip, std::uint32_t hint) {
  const FrameHeader& header = frame->header();
  const std::uint64_t first = header.first_sequence + skip;
  const std::uint64_t last = header.first_sequence + header.event_count - 1;
  const std::size_t streams = sub.streams.size();
  Stream& stream = stream_of(sub, header, hint);
  const bool is_new = sub.streams.size() != streams;
  if (is_new && !config.is_journalled(header.type)) stream.kept = Stream::Kept::No;
  if (stream.kept == Stream::Kept::No) take_unkept(sub, stream, first, is_new ? Met::Now : Met::Before);
  know(sub, stream, last + 1);
  if (last < stream.next) return std::nullopt;
  if (is_in_step(sub, stream, first, last)) {
    went_out(sub, stream, frame, first, last - first + 1);
    return stream.key;
  }
  if (stream.kept == Stream::Kept::No) {
    lose(sub, stream, last, "no_room");
    return std::nullopt;
  }
  hold(sub, stream, frame, config.buffer_bytes / 2);
  pump(sub, stream);
  return std::nullopt;
}

/// Nobody can give what is missing, so the stream begins where it is met and goes on where it goes on.
void DurableSubscriptions::State::take_unkept(Subscription& sub, Stream& stream, std::uint64_t first, Met met) {
  if (met == Met::Now) {
    stream.progress = durable::Progress(first - 1, {});
    stream.next = first;
    stream.known = first;
  } else if (first > stream.next) {
    lose(sub, stream, first - 1, "not_journalled");
  }
}

bool DurableSubscriptions::State::is_in_step(const Subscription& sub, const Stream& stream, std::uint64_t first,
                                             std::uint64_t last) const {
  if (first != stream.next || !stream.held.empty() || stream.waits_for_room || offers_pending > 0) return false;
  if (probation == Probation::Yes || !may_offer() || stream.skip_through >= first) return false;
  if (!stream.again.empty() && stream.again.lower_bound(first) != stream.again.end()) return false;
  if (stream.progress.next_open(first) != first || stream.progress.end_of_hole(first) < last) return false;
  return room(sub, stream) >= last - first + 1;
}

bool DurableSubscriptions::State::may_offer() const {
  return intake == Intake::Open && written_bytes < config.record_bytes;
}

/// Events that may be offered from Stream::next on.
std::uint64_t DurableSubscriptions::State::room(const Subscription& sub, const Stream& stream) const {
  const std::uint64_t free = lane_room(sub, lane_index(stream.id.lane));
  if (stream.kept == Stream::Kept::No) return free;
  const std::uint64_t end = stream.progress.done() + limits::cursor_ahead_max + 1;
  return std::min(free, end > stream.next ? end - stream.next : 0);
}

std::uint64_t DurableSubscriptions::State::lane_room(const Subscription& sub, std::size_t lane) {
  const std::uint64_t capacity = std::max<std::uint64_t>(sub.spec.capacity[lane], 1);
  return capacity - std::min(capacity, sub.under_way[lane]);
}

std::uint64_t DurableSubscriptions::State::least_room(const Subscription& sub, std::size_t lane) const {
  if (probation == Probation::Yes) return 1;
  return std::min(offer_events_min, (std::max<std::uint64_t>(sub.spec.capacity[lane], 1) + 1) / 2);
}

/// Frames beyond `bytes_max` are left out, unless they are what comes next: they are read from a spool later.
void DurableSubscriptions::State::hold(Subscription& sub, Stream& stream, const FramePtr& frame,
                                       std::uint64_t bytes_max) {
  const std::uint64_t before = stream.held.bytes();
  if (sub.held_bytes + durable::FrameBuffer::cost(*frame) <= bytes_max) stream.held.add(frame);
  sub.held_bytes += stream.held.bytes() - before;
}

void DurableSubscriptions::State::pump(Subscription& sub, Stream& stream) {
  if (sub.phase != DurablePhase::Active || intake == Intake::Draining || sub.is_closing()) return;
  while (offer_next(sub, stream)) {
  }
  want_repair(sub, stream);
}

/// Offers what is next in this stream; whether it goes on.
bool DurableSubscriptions::State::offer_next(Subscription& sub, Stream& stream) {
  stream.next = stream.progress.next_open(stream.next);
  if (stream.skip_first <= stream.next && stream.next <= stream.skip_through) {
    if (stream.under_way > 0) return false;
    // What is done ahead is not given up.
    lose(sub, stream, std::min(stream.skip_through, stream.progress.end_of_hole(stream.next)), "skipped");
    return true;
  }
  const std::uint64_t before = stream.held.bytes();
  const durable::FrameBuffer::Held* held = stream.held.at(stream.next);
  sub.held_bytes -= before - stream.held.bytes();
  if (held == nullptr || must_wait_for_suspects(stream)) return false;

  const bool is_again = stream.again.contains(stream.next);
  const std::uint64_t count = is_again ? 1 : offerable(stream, held->last);
  const std::uint64_t free = room(sub, stream);
  if (!may_offer() || free < std::min(count, least_room(sub, lane_index(stream.id.lane)))) {
    wait_for_room(sub, stream);
    return false;
  }
  const FramePtr frame = held->frame;
  const auto index = static_cast<std::uint32_t>(stream.next - held->first);
  if (is_again) return offer_again(sub, stream, frame, index);
  const std::uint64_t most = probation == Probation::Yes ? 1 : free;
  offer(sub, stream, frame, index, static_cast<std::uint32_t>(std::min(count, most)), std::nullopt, {});
  return true;
}

/// Events from Stream::next to `last` at most, up to the first that has a story of its own.
std::uint64_t DurableSubscriptions::State::offerable(const Stream& stream, std::uint64_t last) const {
  last = std::min(last, stream.progress.end_of_hole(stream.next));
  const auto again = stream.again.lower_bound(stream.next);
  if (again != stream.again.end()) last = std::min(last, again->first - 1);
  if (stream.skip_first > stream.next && stream.skip_through > stream.next)
    last = std::min(last, stream.skip_first - 1);
  return last - stream.next + 1;
}

void DurableSubscriptions::State::offer(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint32_t index,
                                        std::uint32_t count, std::optional<Earlier> earlier,
                                        const GateAttempts& gates) {
  const std::uint64_t first = frame->header().first_sequence + index;
  effects.push_back(DurableOffer{
      frame, index, count, routes_to(sub.spec, stream.key, stream.id.type, Booked::Yes, gates), std::move(earlier)});
  ++offers_pending;
  went_out(sub, stream, frame, first, count);
}

/// An event that was handed over in an earlier life: its next attempt is recorded first, and where there is none left
/// it is dead.
bool DurableSubscriptions::State::offer_again(Subscription& sub, Stream& stream, const FramePtr& frame,
                                              std::uint32_t index) {
  Again& again = stream.again.at(stream.next);
  if (auto death = death_before(sub.spec, again.so_far, again.gates)) {
    bury(sub, stream, frame, index, *std::move(death));
    return true;
  }
  if (again.so_far.attempts == 0 && !again.gates.empty()) {  // it never came beyond the gates
    offer(sub, stream, frame, index, 1, std::nullopt, again.gates);
    return true;
  }
  if (again.written == Again::Written::No) {
    again.written = Again::Written::Asked;
    write_attempt(sub, stream, stream.next, again.so_far, {.kind = Written::Kind::AttemptAgain});
  }
  if (again.written != Again::Written::Yes) return false;
  offer(sub, stream, frame, index, 1, again.so_far, again.gates);
  return true;
}

void DurableSubscriptions::State::bury(Subscription& sub, Stream& stream, const FramePtr& frame, std::uint32_t index,
                                       LetterDeath death) {
  const std::uint64_t sequence = stream.next;
  LetterRecord letter = letter_record(sub.spec, *frame, index, std::move(death));
  sub.died.push_back(letter.event);
  write_letter(std::move(letter));
  ++sub.letters;
  ++sub.died_unhanded;
  stream.next = sequence + 1;
  pass(sub, stream, sequence, sequence);
  end_gap(sub, stream);
  write_cursors(sub, When::AtOnce);
}

std::vector<Route> DurableSubscriptions::State::routes_to(const DurableHandler& handler, StreamKey key,
                                                          std::string_view type, Booked booked,
                                                          const GateAttempts& gates) const {
  constexpr std::uint64_t outside_the_books = ~std::uint64_t{0};
  std::vector<Route> routes;
  for (const DurableHandler& gate : handlers) {
    if (gate.tier != Priority::Critical || gate.subscription == handler.subscription) continue;
    if (!gate.filter.matches(type)) continue;
    const auto made = gates.find(gate.subscription.value);
    routes.push_back({.subscription = gate.subscription,
                      .booked_from = outside_the_books,
                      .attempts = made == gates.end() ? 0 : made->second});
  }
  routes.push_back({handler.subscription, booked == Booked::Yes ? 0 : outside_the_books, key});
  return routes;
}

void DurableSubscriptions::State::went_out(Subscription& sub, Stream& stream, const FramePtr& frame,
                                           std::uint64_t first, std::uint64_t count) {
  stream.next = first + count;
  stream.under_way += count;
  sub.under_way[lane_index(stream.id.lane)] += count;
  stream.offered.push_back({frame, first + count - 1});
  if (stream.gap_since) end_gap(sub, stream);
}

void DurableSubscriptions::State::wait_for_room(Subscription& sub, Stream& stream) {
  if (stream.waits_for_room) return;
  stream.waits_for_room = true;
  sub.room_queue[lane_index(stream.id.lane)].push_back(stream.key);
}

/// Streams that wait for room take turns.
void DurableSubscriptions::State::use_room(Subscription& sub) {
  if (sub.phase != DurablePhase::Active || !may_offer() || sub.is_closing()) return;
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    auto& queue = sub.room_queue[lane];
    for (std::size_t left = queue.size(); left > 0 && lane_room(sub, lane) >= least_room(sub, lane); --left) {
      Stream& stream = *slots[queue.front()].stream;
      queue.pop_front();
      stream.waits_for_room = false;
      pump(sub, stream);
    }
  }
}

void DurableSubscriptions::State::on_completed(const Completed& completed) {
  if (completed.stream >= slots.size()) return;
  Slot& slot = slots[completed.stream];
  if (slot.use == Slot::Use::Free) return;
  if (slot.use == Slot::Use::Requeue) return on_requeue_completed(std::string(slot.letter));
  Stream& stream = *slot.stream;
  Subscription& sub = subs[stream.subscription];
  if (sub.spec.subscription != completed.subscription) return;
  LEGION_ASSERT(completed.count <= stream.under_way);
  stream.under_way -= completed.count;
  sub.under_way[lane_index(stream.id.lane)] -= completed.count;
  sub.completed += completed.count;
  if (slot.use == Slot::Use::Retired) {
    if (stream.under_way == 0) give_back_slot(completed.stream);
    return;
  }
  pass(sub, stream, completed.first, completed.first + completed.count - 1);
  if (!stream.waits_for_room) pump(sub, stream);
}

/// These events are over, however they ended.
void DurableSubscriptions::State::pass(Subscription& sub, Stream& stream, std::uint64_t first, std::uint64_t last) {
  sub.moved += stream.progress.add(first, last);
  mark_dirty(sub, stream);
  while (!stream.offered.empty() && stream.offered.front().last <= stream.progress.done()) stream.offered.pop_front();
  const auto failed = stream.failing.lower_bound(first);
  const auto behind = stream.failing.upper_bound(last);
  if (failed != behind) sub.writes_at_once = true;
  stream.failing.erase(failed, behind);
  for (auto again = stream.again.lower_bound(first); again != stream.again.end() && again->first <= last;) {
    if (again->second.suspect == Again::Suspect::Yes) suspect_is_over();
    sub.writes_at_once = true;
    again = stream.again.erase(again);
  }
}

void DurableSubscriptions::on_reports(Now now, DurableReports reports) {
  State& state = *state_;
  state.now = now;
  if (LEGION_PLANTED(CursorBeforeLetter)) {
    for (const Completed& completed : std::exchange(reports.completed, {})) state.on_completed(completed);
    for (durable::Subscription& sub : state.subs) state.write_cursors(sub, State::When::AtOnce);
  }
  for (const DeadLetter& letter : reports.letters) state.take_letter(letter);
  for (const AttemptFailed& failure : reports.failures) state.on_failure(failure);
  for (const Completed& completed : reports.completed) state.on_completed(completed);
  for (const Recalled& recalled : reports.recalled) state.on_recalled(recalled);
  for (durable::Subscription& sub : state.subs) {
    state.use_room(sub);
    state.write_cursors(sub, State::When::Due);
    state.work_on_release(sub);
  }
  if (state.probation == State::Probation::Yes) state.watch_suspects();
  state.offer_requeues();
}

}  // namespace legion
