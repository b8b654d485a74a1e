// What is missing is asked for, and given up when nobody will ever have it.
#include <algorithm>
#include <functional>

#include <legion/core/durable_state.hpp>

namespace legion {

/// Asks for what this stream lacks, or notes that it does.
void DurableSubscriptions::State::want_repair(Subscription& sub, Stream& stream) {
  if (stream.repair != Stream::Repair::Idle || stream.kept == Stream::Kept::No) return;
  if (sub.phase != DurablePhase::Active || intake == Intake::Draining || sub.is_closing()) return;
  sub.lacking.erase(stream.key);
  const std::uint64_t first = stream.held.run_end(stream.next);
  if (first >= stream.known) return;
  if (first > stream.next && stream.held.run_bytes(stream.next) >= config.page_bytes) return;
  stream.repair = Stream::Repair::Queued;
  sub.repair_queue.push_back(stream.key);
  ask_streams(sub);
}

void DurableSubscriptions::State::ask_streams(Subscription& sub) {
  if (sub.is_asking) return;
  sub.is_asking = true;
  while (!sub.repair_queue.empty() && sub.queries_out < config.queries_max) {
    const StreamKey key = sub.repair_queue.front();
    sub.repair_queue.pop_front();
    Stream& stream = *slots[key].stream;
    stream.repair = Stream::Repair::Idle;
    if (!ask_stream(sub, stream)) sub.lacking.insert(key);
  }
  sub.is_asking = false;
}

/// Whether there is nothing left to do now: asked, or nothing missing any more.
bool DurableSubscriptions::State::ask_stream(Subscription& sub, Stream& stream) {
  if (close_gap(sub, stream)) {
    pump(sub, stream);  // may put it at the end of the queue
    return true;
  }
  const std::uint64_t first = stream.held.run_end(stream.next);
  if (first >= stream.known) return true;
  if (now.steady < stream.not_before) return false;
  const std::uint64_t bytes = sub.held_bytes + (sub.queries_out + 1) * config.page_bytes;
  if (bytes > config.buffer_bytes && !may_exceed(sub, stream, first)) return false;
  const auto spool = choose_spool(stream, first);
  if (!spool) {
    note_gap(sub, stream);
    return false;
  }
  const std::uint64_t last = stream.held.beyond_run(stream.next).value_or(stream.known) - 1;
  stream.repair = Stream::Repair::Asked;
  stream.asked_first = first;
  stream.asked_last = last;
  ++sub.queries_out;
  stream.query = ask(*spool, {.subscription = stream.subscription, .stream = stream.key, .kind = Query::Kind::Stream},
                     AskStream{stream.id, first, last, config.page_bytes});
  return true;
}

/// A page beyond the bound, where nothing that is held will give way by itself: every stream may lack what comes next.
bool DurableSubscriptions::State::may_exceed(const Subscription& sub, const Stream& stream, std::uint64_t first) const {
  if (first != stream.next || sub.queries_out > 0) return false;
  if (probation == Probation::Yes) return has_suspect(stream);
  return std::ranges::all_of(sub.room_queue, [](const auto& waiting) { return waiting.empty(); });
}

const durable::Verdict* DurableSubscriptions::State::verdict_of(const Stream& stream, std::uint32_t spool,
                                                                std::uint64_t sequence) const {
  for (const Verdict& verdict : stream.verdicts) {
    if (verdict.spool != spool || !verdict.covers(sequence)) continue;
    if (verdict.kind == Verdict::Kind::Never || verdict.until > now.steady) return &verdict;
  }
  return nullptr;
}

/// The one that gave before, else the next that has not said that it has nothing.
std::optional<std::uint32_t> DurableSubscriptions::State::choose_spool(const Stream& stream,
                                                                       std::uint64_t first) const {
  for (std::uint32_t tried = 0; tried < spools.size(); ++tried) {
    const auto spool = static_cast<std::uint32_t>((stream.good_spool + tried) % spools.size());
    if (spools[spool].is_reachable() && verdict_of(stream, spool, first) == nullptr) return spool;
  }
  return std::nullopt;
}

void DurableSubscriptions::State::take_page(Subscription& sub, Stream& stream, const Query& query,
                                            StreamAnswer answer) {
  stream.repair = Stream::Repair::Idle;
  std::uint64_t position = stream.asked_first;
  bool any_frame = false;
  for (StreamAnswer::Part& part : answer.parts) {
    if (part.kind == StreamAnswer::Part::Kind::Frame && is_too_much(sub, stream, part)) break;
    if (const auto taken = take_part(sub, stream, query.spool, part, position); !taken) {
      log(DurableLog::Level::Warning, "spool " + spools[query.spool].known.name + ": " + taken.error().message);
      break;
    }
    any_frame |= part.kind == StreamAnswer::Part::Kind::Frame;
  }
  if (any_frame) {
    stream.good_spool = query.spool;
    stream.pause = {};
  } else if (position == stream.asked_first) {
    missing(stream, query.spool, position, stream.asked_last, "gave nothing");
  }
  pump(sub, stream);
}

void DurableSubscriptions::State::stream_query_failed(Subscription& sub, Stream& stream, std::uint32_t spool,
                                                      const std::string& why) {
  stream.repair = Stream::Repair::Idle;
  missing(stream, spool, stream.asked_first, stream.asked_last, why);
  want_repair(sub, stream);
}

/// A frame that cannot be offered soon, because something before it is missing, is not worth more than live ones.
/// Others count for more here than in the page, so that a page may be too much; the first is what is waited for.
bool DurableSubscriptions::State::is_too_much(const Subscription& sub, const Stream& stream,
                                              const StreamAnswer::Part& part) const {
  if (!part.frame) return false;
  const std::uint64_t bytes = sub.held_bytes + durable::FrameBuffer::cost(*part.frame);
  const std::uint64_t run_end = stream.held.run_end(stream.next);
  if (part.first > run_end) return bytes > config.buffer_bytes / 2;
  return run_end > stream.next && bytes > config.buffer_bytes + config.page_bytes;
}

Result<void> DurableSubscriptions::State::take_part(Subscription& sub, Stream& stream, std::uint32_t spool,
                                                    StreamAnswer::Part& part, std::uint64_t& position) {
  if (part.first > position || part.last < position || part.last > highest_sequence) {
    return fail(ErrorCode::BadData, "the parts of a stream leave out " + std::to_string(position));
  }
  switch (part.kind) {
    case StreamAnswer::Part::Kind::Never:
      note_verdict(stream, {spool, position, part.last, Verdict::Kind::Never, std::move(part.why), {}, part.journals});
      break;
    case StreamAnswer::Part::Kind::Missing:
      missing(stream, spool, position, part.last, "missing", part.journals);
      break;
    case StreamAnswer::Part::Kind::Frame: {
      if (!part.frame || part.frame->header().is_tail_marker() ||
          durable::StreamIdView(part.frame->header()) != durable::StreamIdView(stream.id) ||
          part.frame->header().first_sequence != part.first ||
          part.frame->header().first_sequence + part.frame->header().event_count - 1 != part.last) {
        return fail(ErrorCode::BadData, "a frame that is not of the stream that was asked for");
      }
      know(sub, stream, part.last + 1);
      if (part.last >= stream.next) {
        sub.repaired += part.last - std::max(part.first, position) + 1;
        hold(sub, stream, part.frame, ~std::uint64_t{0});
      }
    }
  }
  position = part.last + 1;
  return {};
}

/// It is asked again after a pause, which doubles as long as nothing comes.
void DurableSubscriptions::State::missing(Stream& stream, std::uint32_t spool, std::uint64_t first, std::uint64_t last,
                                          std::string why, const JournalPositions& journals) {
  stream.pause = std::clamp(2 * stream.pause, config.ask_again_min, config.ask_again_max);
  note_verdict(stream, {spool, first, std::max(first, last), Verdict::Kind::Missing, std::move(why),
                        now.steady + stream.pause, journals});
}

void DurableSubscriptions::State::note_verdict(Stream& stream, Verdict verdict) {
  std::erase_if(stream.verdicts, [&](const Verdict& other) {
    const bool is_replaced = other.spool == verdict.spool && other.first <= verdict.last && verdict.first <= other.last;
    return other.last < stream.next || is_replaced;
  });
  if (stream.verdicts.size() < durable::verdicts_max) return stream.verdicts.push_back(std::move(verdict));
  // What is furthest away gives way, else one spool's words about later would leave no room for another's about now.
  auto& furthest = *std::ranges::max_element(stream.verdicts, {}, &Verdict::first);
  if (verdict.first < furthest.first) furthest = std::move(verdict);
}

/// Missing at one spool, trimmed at another: the first will not get it when it lacks nothing as old as that any more.
bool DurableSubscriptions::State::was_trimmed(const Stream& stream, const Verdict& missing) const {
  return std::ranges::any_of(stream.verdicts, [&](const Verdict& other) {
    const bool is_trimmed = other.kind == Verdict::Kind::Never && other.covers(stream.next) && is_known(other.spool) &&
                            other.journals != JournalPositions{};
    return is_trimmed && std::ranges::equal(other.journals, missing.journals, std::less_equal{});
  });
}

/// When every known spool, those that left included, says never of what comes next, it is lost. What is under way is
/// waited for, so that the cursor has no holes on its account.
bool DurableSubscriptions::State::close_gap(Subscription& sub, Stream& stream) {
  stream.next = stream.progress.next_open(stream.next);
  if (stream.under_way > 0 || stream.held.run_end(stream.next) != stream.next || stream.next >= stream.known)
    return false;
  std::uint64_t last = stream.held.beyond_run(stream.next).value_or(stream.known) - 1;
  last = std::min(last, stream.progress.end_of_hole(stream.next));
  std::optional<std::string> why;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    if (!is_known(spool)) continue;
    const Verdict* verdict = verdict_of(stream, spool, stream.next);
    if (verdict == nullptr) return false;
    last = std::min(last, verdict->last);
    if (verdict->kind == Verdict::Kind::Missing) {
      if (!was_trimmed(stream, *verdict)) return false;
    } else if (!why) {
      why = verdict->why;
    }
  }
  if (!why) return false;
  lose(sub, stream, last, *why);
  return true;
}

/// Everything from Stream::next up to here.
void DurableSubscriptions::State::lose(Subscription& sub, Stream& stream, std::uint64_t last, const std::string& why) {
  const std::uint64_t first = stream.next;
  sub.lost += last - first + 1;
  effects.push_back(LostForGood{sub.spec.subscription, stream.id, first, last, why});
  stream.next = last + 1;
  know(sub, stream, stream.next);
  pass(sub, stream, first, last);
  end_gap(sub, stream);
}

void DurableSubscriptions::State::note_gap(Subscription& sub, Stream& stream) {
  std::optional<SteadyTime> again;
  for (const Verdict& verdict : stream.verdicts) {
    if (verdict.kind == Verdict::Kind::Missing && verdict.until > now.steady && (!again || verdict.until < *again)) {
      again = verdict.until;
    }
  }
  stream.not_before = again.value_or(now.steady);
  if (stream.under_way > 0) return;  // it does not stand still
  if (!stream.gap_since) stream.gap_since = now.steady;
  if (now.steady - *stream.gap_since < config.stalled_after || !stream.stalled.empty()) return;
  stream.stalled = why_stalled(stream);
  effects.push_back(StallChanged{sub.spec.subscription, stream.id, stream.stalled});
}

void DurableSubscriptions::State::end_gap(Subscription& sub, Stream& stream) {
  stream.gap_since.reset();
  stream.pause = {};
  if (stream.stalled.empty()) return;
  stream.stalled.clear();
  effects.push_back(StallChanged{sub.spec.subscription, stream.id, {}});
}

std::string DurableSubscriptions::State::why_stalled(const Stream& stream) const {
  const std::uint64_t first = stream.held.run_end(stream.next);
  std::string text = "waits for " + std::to_string(first) + ":";
  bool any = false;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    if (!is_known(spool)) continue;
    text += any ? ", " : " ";
    any = true;
    text += spools[spool].known.name + " ";
    const auto verdict = std::ranges::find_if(stream.verdicts, [&](const Verdict& candidate) {
      return candidate.spool == spool && candidate.first <= first && first <= candidate.last;
    });
    if (verdict != stream.verdicts.end()) {
      text += verdict->why;
    } else if (spools[spool].is_reachable()) {
      text += "is asked";
    } else {
      text += spools[spool].is_expected() ? "is not reachable" : "has left";
    }
  }
  return any ? text : text + " no spool is known";
}

void DurableSubscriptions::State::learn_tail(Subscription& sub, Stream& stream, std::uint64_t next) {
  if (next <= stream.known || next > highest_sequence) return;
  know(sub, stream, next);
  want_repair(sub, stream);
}

/// Some spool has it, so it is journalled after all: from here on.
void DurableSubscriptions::State::keep_stream(Subscription& sub, Stream& stream) {
  if (stream.kept == Stream::Kept::Yes) return;
  stream.kept = Stream::Kept::Yes;
  mark_dirty(sub, stream);
}

}  // namespace legion
