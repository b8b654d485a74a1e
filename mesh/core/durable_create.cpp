// Where a new cursor begins.
#include <algorithm>

#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

constexpr std::size_t tails_max = 1000;       // in one answer
constexpr std::size_t scan_bytes = 4u << 20;  // in one answer
constexpr std::size_t record_cost_max = 512u << 10;

/// The first event of the frame that is wanted, as a sequence.
std::optional<std::uint64_t> first_wanted(const Frame& frame, const DurableStart& start) {
  const auto* time = std::get_if<StartTime>(&start);
  if (time == nullptr) return frame.header().first_sequence;
  for (const EventView& event : frame.events()) {
    if (event.time >= time->time) return event.sequence;
  }
  return std::nullopt;
}

}  // namespace

void DurableSubscriptions::State::create(Subscription& sub, DurableStart start, CursorRecord before) {
  std::vector<RequestId> requests = std::exchange(sub.reset_requests, {});
  sub.phase = DurablePhase::Creating;
  sub.trouble = "asks the spools where the streams are";
  sub.creation = Creation{.start = std::move(start), .before = std::move(before), .requests = std::move(requests)};
  want_all_tails(sub);
  work_on_creation(sub);
}

void DurableSubscriptions::State::work_on_creation(Subscription& sub) {
  Creation& creation = *sub.creation;
  if (creation.written != 0 || intake == Intake::Draining) return;
  if (std::holds_alternative<StartBeginning>(creation.start)) return finish_creation(sub);
  ask_tails(sub);
  bool any = false;
  bool all = true;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    const bool has = sub.spools[spool].tails == SpoolView::Tails::Done;
    any |= has;
    all &= has || !is_awaited(spool);
  }
  if (!any || (!all && is_patient(sub))) return;
  if (std::holds_alternative<StartNow>(creation.start)) return finish_creation(sub);
  if (creation.scan == Creation::Scan::None && now.steady >= creation.not_before) begin_scan(sub);
}

/// One spool is enough: what the others have besides is found by their tails, and begins at its end.
void DurableSubscriptions::State::begin_scan(Subscription& sub) {
  Creation& creation = *sub.creation;
  for (std::uint32_t tried = 0; tried < spools.size(); ++tried) {
    const auto spool = static_cast<std::uint32_t>((creation.scan_spool + tried) % spools.size());
    if (!spools[spool].is_reachable() || sub.spools[spool].tails != SpoolView::Tails::Done) continue;
    creation.scan_spool = spool;
    creation.from = 1;
    creation.first.clear();  // of a scan that another spool did not bring to its end
    if (const auto* event = std::get_if<StartEvent>(&creation.start)) {
      creation.scan = Creation::Scan::Find;
      creation.query = ask(spool, {.subscription = sub.number, .kind = Query::Kind::Find}, AskFind{event->event});
    } else {
      ask_scan(sub);
    }
    return;
  }
}

void DurableSubscriptions::State::take_found(Subscription& sub, std::uint32_t spool,
                                             std::optional<std::uint64_t> commit) {
  Creation& creation = *sub.creation;
  const EventId& event = std::get<StartEvent>(creation.start).event;
  if (!commit) {
    sub.trouble = spools[spool].known.name + " does not have " + event.to_string();
    creation.scan = Creation::Scan::None;
    creation.scan_spool = static_cast<std::uint32_t>((spool + 1) % spools.size());
    creation.not_before = now.steady + config.ask_again_max;
    return;
  }
  creation.first[{{event.node, event.incarnation}, event.lane, event.type, event.shard}] = event.sequence;
  creation.from = *commit;
  ask_scan(sub);
}

void DurableSubscriptions::State::ask_scan(Subscription& sub) {
  Creation& creation = *sub.creation;
  const auto* time = std::get_if<StartTime>(&creation.start);
  creation.scan = Creation::Scan::Scanning;
  creation.query = ask(creation.scan_spool, {.subscription = sub.number, .kind = Query::Kind::Scan},
                       AskScan{.from = creation.from,
                               .since = time != nullptr ? std::optional(time->time) : std::nullopt,
                               .filter = sub.spec.filter,
                               .bytes = scan_bytes});
}

void DurableSubscriptions::State::take_scan(Subscription& sub, const ScanAnswer& answer) {
  Creation& creation = *sub.creation;
  for (const FramePtr& frame : answer.frames) {
    if (frame->header().is_tail_marker() || !sub.takes(frame->header().type, frame->header().shard)) continue;
    const StreamId id = durable::StreamIdView(frame->header()).owned();
    if (creation.first.contains(id)) continue;
    if (const auto first = first_wanted(*frame, creation.start)) creation.first.emplace(id, *first);
  }
  if (answer.more == More::No || answer.next <= creation.from) return finish_creation(sub);
  creation.from = answer.next;
  ask_scan(sub);
}

std::vector<StreamCursor> DurableSubscriptions::State::first_positions(const Subscription& sub) const {
  const Creation& creation = *sub.creation;
  std::map<StreamId, StreamCursor> positions;
  const auto old_filter = CursorFilter::parse(creation.before.filter);
  const bool had_one = creation.before.generation.counter > 0 && old_filter.has_value();
  for (const auto& [id, next] : creation.tails) {
    if (had_one && old_filter->matches(id)) continue;  // begins where it was, or at its beginning
    const auto wanted = creation.first.find(id);
    const std::uint64_t first = wanted != creation.first.end() ? wanted->second : next;
    positions.emplace(id, StreamCursor{id, first - 1, {}});
  }
  for (const auto& [id, first] : creation.first) {
    if (!had_one || !old_filter->matches(id)) positions.try_emplace(id, StreamCursor{id, first - 1, {}});
  }
  for (const StreamCursor& cursor : creation.before.streams) {
    if (sub.takes(cursor.stream)) positions.insert_or_assign(cursor.stream, cursor);
  }
  std::vector<StreamCursor> out;
  for (auto& [id, cursor] : positions) {
    if (cursor.done > 0 || !cursor.ahead.empty()) out.push_back(std::move(cursor));
  }
  return out;
}

void DurableSubscriptions::State::finish_creation(Subscription& sub) {
  Creation& creation = *sub.creation;
  creation.scan = Creation::Scan::Done;
  creation.streams = first_positions(sub);
  sub.generation = {std::max(sub.loaded.generation.counter, sub.generation.counter) + 1, config.node};
  if (sub.lease) sub.generation.counter = std::max(sub.generation.counter, sub.lease->epoch);
  sub.trouble = "waits until its beginning is recorded";
  creation.written = write_streams(sub, CursorRecord::Form::Whole, creation.streams, Written::Kind::Beginning);
}

void DurableSubscriptions::State::on_beginning_written(Subscription& sub, RecordToken token) {
  if (!sub.creation || sub.creation->written != token) return;
  Creation creation = std::move(*sub.creation);
  sub.creation.reset();
  const CursorGeneration met = std::exchange(sub.loaded.generation, sub.generation);  // perhaps while this was written
  sub.loaded.streams = std::move(creation.streams);
  for (const RequestId request : creation.requests) answer(request, sub.spec.durable + " begins anew");
  activate(sub);
  outrank(sub, met);
}

/// The streams in as many records as they need, the last of which has this form.
RecordToken DurableSubscriptions::State::write_streams(Subscription& sub, CursorRecord::Form form,
                                                       const std::vector<StreamCursor>& streams, Written::Kind kind) {
  std::vector<StreamCursor> part;
  std::size_t cost = 0;
  for (const StreamCursor& cursor : streams) {
    const std::size_t more = record_cost(cursor);
    if (part.size() == limits::record_streams_max || (cost + more > record_cost_max && !part.empty())) {
      write_cursor(sub, CursorRecord::Form::Delta, std::exchange(part, {}), Written::Kind::Cursor);
      cost = 0;
    }
    cost += more;
    part.push_back(cursor);
  }
  return write_cursor(sub, form, std::move(part), kind);
}

void DurableSubscriptions::State::want_all_tails(Subscription& sub) {
  for (SpoolView& view : sub.spools) {
    view.tails = SpoolView::Tails::Wanted;
    view.tails_not_before = now.steady;
  }
}

/// Pages of tails, one at a time from each spool.
void DurableSubscriptions::State::ask_tails(Subscription& sub) {
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    SpoolView& view = sub.spools[spool];
    const bool may_ask = spools[spool].is_reachable() && now.steady >= view.tails_not_before;
    if (!may_ask || view.tails != SpoolView::Tails::Wanted) continue;
    view.tails = SpoolView::Tails::Asked;
    view.tails_mark = spools[spool].known.mark;
    ask(spool, {.subscription = sub.number, .kind = Query::Kind::Tails},
        AskTails{sub.spec.filter, std::nullopt, tails_max});
  }
}

void DurableSubscriptions::State::take_tails(Subscription& sub, const Query& query,
                                             const std::vector<StoredTail>& tails, More more) {
  SpoolView& view = sub.spools[query.spool];
  if (view.tails != SpoolView::Tails::Asked) return;
  for (const StoredTail& tail : tails) {
    if (!sub.takes(tail.stream) || tail.next == 0 || tail.next > highest_sequence) continue;
    if (sub.phase == DurablePhase::Creating) {
      std::uint64_t& next = sub.creation->tails[tail.stream];
      next = std::max(next, tail.next);
    } else if (sub.phase == DurablePhase::Active) {
      Stream& stream = stream_of(sub, tail.stream, no_stream);
      keep_stream(sub, stream);
      learn_tail(sub, stream, tail.next);
    }
  }
  if (more == More::Yes && !tails.empty()) {
    ask(query.spool, {.subscription = query.subscription, .kind = Query::Kind::Tails},
        AskTails{sub.spec.filter, tails.back().stream, tails_max});
    return;
  }
  const bool moved = spools[query.spool].known.mark != view.tails_mark;
  view.tails = moved && sub.phase == DurablePhase::Active ? SpoolView::Tails::Wanted : SpoolView::Tails::Done;
  view.tails_not_before = now.steady + config.tails_every;
  if (sub.phase == DurablePhase::Creating) work_on_creation(sub);
}

}  // namespace legion
