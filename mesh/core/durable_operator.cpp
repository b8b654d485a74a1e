// What operators see and may do.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

Error no_such(const std::string& name) {
  return {ErrorCode::NotFound, "no durable subscription " + name + " on this node"};
}

}  // namespace

void DurableSubscriptions::on_reset(Now now, RequestId request, const std::string& name, DurableStart start) {
  state_->now = now;
  durable::Subscription* sub = state_->find(name);
  if (sub == nullptr) return state_->answer(request, std::unexpected(no_such(name)));
  state_->reset(*sub, request, std::move(start));
}

void DurableSubscriptions::on_skip(Now now, RequestId request, const std::string& name, const StreamId& stream,
                                   std::optional<std::uint64_t> through) {
  state_->now = now;
  durable::Subscription* sub = state_->find(name);
  if (sub == nullptr) return state_->answer(request, std::unexpected(no_such(name)));
  state_->skip(*sub, request, stream, through);
}

void DurableSubscriptions::on_remove(Now now, RequestId request, const std::string& name) {
  state_->now = now;
  durable::Subscription* sub = state_->find(name);
  if (sub == nullptr) return state_->answer(request, std::unexpected(no_such(name)));
  state_->remove(*sub, request);
}

void DurableSubscriptions::release_names(Now now) {
  state_->now = now;
  for (durable::Subscription& sub : state_->subs) {
    state_->give_up_streams(sub);
    state_->give_back_name(sub);
  }
}

void DurableSubscriptions::State::answer(RequestId request, Result<std::string> result) {
  effects.push_back(RequestAnswer{request, std::move(result)});
}

/// Under a new generation. What is under way goes on and counts for nothing.
void DurableSubscriptions::State::reset(Subscription& sub, RequestId request, DurableStart start) {
  switch (sub.phase) {
    case DurablePhase::Refused: return answer(request, fail(ErrorCode::Refused, "another node has it: " + sub.trouble));
    case DurablePhase::Standby:
      return answer(request, fail(ErrorCode::Refused, "this member of the group does not have it"));
    case DurablePhase::Waiting:
    case DurablePhase::Loading:
    case DurablePhase::Removed:
      if (sub.phase == DurablePhase::Removed) sub.phase = DurablePhase::Waiting;
      sub.reset_to = std::move(start);
      sub.reset_requests.push_back(request);
      return;
    case DurablePhase::Creating: sub.reset_requests = std::move(sub.creation->requests); break;
    case DurablePhase::Active: break;
  }
  sub.reset_requests.push_back(request);
  give_up_streams(sub);
  sub.loaded.generation = sub.generation;
  create(sub, std::move(start), {});
}

void DurableSubscriptions::State::skip(Subscription& sub, RequestId request, const StreamId& id,
                                       std::optional<std::uint64_t> through) {
  if (sub.phase != DurablePhase::Active) {
    return answer(request, fail(ErrorCode::Refused, "it is " + std::string(to_string(sub.phase)) + ": " + sub.trouble));
  }
  const auto found = sub.streams.find(id);
  if (found == sub.streams.end()) return answer(request, fail(ErrorCode::NotFound, "it knows no such stream"));
  Stream& stream = *slots[found->second].stream;
  const std::uint64_t gap = stream.held.run_end(stream.next);
  std::uint64_t first = stream.next;
  if (!through) {
    if (gap >= stream.known)
      return answer(request, fail(ErrorCode::InvalidArgument, "nothing of this stream is missing"));
    first = gap;
    through = stream.held.beyond_run(stream.next).value_or(stream.known) - 1;
  }
  if (*through < stream.next) {
    return answer(request, fail(ErrorCode::InvalidArgument, "it is at " + std::to_string(stream.next) + " already"));
  }
  if (*through >= stream.known) {  // what is to come is not given up
    return answer(request, fail(ErrorCode::InvalidArgument, "it ends at " + std::to_string(stream.known - 1)));
  }
  stream.skip_first = first;
  stream.skip_through = *through;
  answer(request, "skips " + std::to_string(first) + " to " + std::to_string(*through));
  pump(sub, stream);
}

void DurableSubscriptions::State::remove(Subscription& sub, RequestId request) {
  if (sub.is_leased()) return answer(request, fail(ErrorCode::Refused, "its group has members: stop them first"));
  if (sub.phase == DurablePhase::Refused || sub.phase == DurablePhase::Removed) {
    return answer(request, fail(ErrorCode::Refused, "it is " + std::string(to_string(sub.phase))));
  }
  if (sub.phase != DurablePhase::Active) {
    return answer(request, fail(ErrorCode::WouldBlock, "it has not begun yet: " + sub.trouble));
  }
  give_up_streams(sub);
  write(CursorRecord{sub.spec.durable, sub.generation, sub.cursor_filter(), CursorRecord::Form::Removed, {}},
        {.kind = Written::Kind::Told, .letter = sub.spec.durable + " is removed", .request = request});
  give_back_name(sub);
}

void DurableSubscriptions::State::give_back_name(Subscription& sub) {
  sub.phase = DurablePhase::Removed;
  give_up_claims(sub);
}

std::vector<DurableFigures> DurableSubscriptions::figures(std::size_t streams_max) const {
  std::vector<DurableFigures> all;
  for (const durable::Subscription& sub : state_->subs) all.push_back(state_->figures_of(sub, streams_max));
  return all;
}

DurableFigures DurableSubscriptions::State::figures_of(const Subscription& sub, std::size_t streams_max) const {
  DurableFigures figures{.subscription = sub.spec.subscription,
                         .name = sub.spec.durable,
                         .agent = sub.spec.agent,
                         .filter = sub.spec.filter.text(),
                         .phase = sub.phase,
                         .trouble = sub.trouble,
                         .generation = sub.generation,
                         .share = sub.spec.share,
                         .held_bytes = sub.held_bytes,
                         .lost = sub.lost,
                         .letters = sub.letters,
                         .repaired = sub.repaired,
                         .streams_total = sub.streams.size()};
  figures.survey = survey_of(sub);
  for (const std::uint64_t lane : sub.under_way) figures.under_way += lane;
  for (const auto& [id, key] : sub.streams) {
    const Stream& stream = *slots[key].stream;
    const std::uint64_t pending = pending_in(stream);
    figures.pending += pending;
    figures.retrying += stream.again.size() + stream.failing.size();
    if (const auto time = oldest_of(stream); time && (!figures.oldest || *time < *figures.oldest))
      figures.oldest = time;
    figures.streams.push_back({.stream = id,
                               .done = stream.progress.done(),
                               .next = stream.known,
                               .pending = pending,
                               .under_way = stream.under_way,
                               .stalled = stream.stalled.empty() ? std::string() : why_stalled(stream)});
  }
  std::ranges::sort(figures.streams, [](const DurableStreamFigures& a, const DurableStreamFigures& b) {
    return std::tuple(a.stalled.empty(), b.pending, a.stream) < std::tuple(b.stalled.empty(), a.pending, b.stream);
  });
  if (figures.streams.size() > streams_max) figures.streams.resize(streams_max);
  return figures;
}

DurableFigures::Survey DurableSubscriptions::State::survey_of(const Subscription& sub) const {
  if (sub.phase != DurablePhase::Active) return DurableFigures::Survey::UnderWay;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    if (spools[spool].is_reachable() && sub.spools[spool].tails != SpoolView::Tails::Done) {
      return DurableFigures::Survey::UnderWay;
    }
  }
  const bool complete = std::ranges::all_of(sub.streams, [&](const auto& entry) {
    const Stream& stream = *slots[entry.second].stream;
    const bool is_here = stream.under_way > 0 || stream.held.run_end(stream.next) > stream.next;
    return stream.next >= stream.known || is_here || !stream.stalled.empty();
  });
  return complete ? DurableFigures::Survey::Complete : DurableFigures::Survey::UnderWay;
}

/// Of the event behind the cursor, where its frame is here.
std::optional<WallTime> DurableSubscriptions::State::oldest_of(const Stream& stream) {
  const std::uint64_t wanted = stream.progress.done() + 1;
  const Frame* frame = nullptr;
  if (!stream.offered.empty()) {
    frame = stream.offered.front().frame.get();
  } else if (!stream.held.empty()) {
    frame = stream.held.front().frame.get();
  }
  if (frame == nullptr || wanted >= stream.known) return std::nullopt;
  const std::uint64_t first = frame->header().first_sequence;
  const std::uint64_t index = wanted > first ? wanted - first : 0;
  if (index >= frame->header().event_count) return std::nullopt;
  const WallTime time = frame->events()[index].time;
  return time == WallTime{} ? std::nullopt : std::optional(time);
}

std::optional<std::string> DurableSubscriptions::State::check() const {
  std::uint64_t all_suspects = 0;
  for (const Subscription& sub : subs) {
    const std::string name = sub.spec.durable + ": ";
    std::uint64_t held = 0;
    std::size_t asked = 0;
    std::array<std::uint64_t, limits::lane_count> out{};
    for (const auto& [id, key] : sub.streams) {
      const Slot& slot = slots[key];
      if (slot.use != Slot::Use::Stream || slot.stream->key != key) return name + "stream without a slot";
      const Stream& stream = *slot.stream;
      held += stream.held.bytes();
      if (stream.repair == Stream::Repair::Asked) ++asked;
      if (stream.next <= stream.progress.done()) return name + "offers what is done";
      const std::uint64_t over = stream.progress.done() + stream.progress.ahead_count();
      if (stream.next - 1 < over && stream.progress.ahead().back().second < stream.next)
        return name + "done, never offered";
      if (stream.kept == Stream::Kept::Yes && stream.progress.ahead_count() > limits::cursor_ahead_max) {
        return name + "too much is done ahead";
      }
      for (const auto& [sequence, again] : stream.again) all_suspects += again.suspect == Again::Suspect::Yes ? 1 : 0;
    }
    if (held != sub.held_bytes) return name + "held bytes";
    if (asked > sub.queries_out) return name + "queries out";
    for (const Slot& slot : slots) {
      const bool counts = slot.stream && subs[slot.stream->subscription].spec.durable == sub.spec.durable;
      if (counts) out[lane_index(slot.stream->id.lane)] += slot.stream->under_way;
    }
    if (out != sub.under_way) return name + "events under way";
    std::uint64_t accounted = sub.completed + sub.lost + sub.died_unhanded + waiting_of(sub);
    for (const std::uint64_t lane : sub.under_way) accounted += lane;
    if (accounted != sub.published) {
      return name + "books: " + std::to_string(sub.published) + " published, " + std::to_string(accounted) +
             " accounted for";
    }
  }
  for (const auto& [key, requeue] : requeues) {
    if (slots[requeue.key].letter != key) return key + ": requeue without a slot";
    all_suspects += requeue.suspect == Again::Suspect::Yes ? 1 : 0;
  }
  if (all_suspects != suspects) return "suspects";
  std::size_t bytes = 0;
  for (const auto& [token, about] : written) bytes += about.bytes;
  return bytes == written_bytes ? std::nullopt : std::optional<std::string>("bytes of records");
}

}  // namespace legion
