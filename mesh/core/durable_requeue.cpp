// Letters on their way again: to the gates, and then to the agent that failed and to nobody else.
#include <algorithm>

#include <legion/base/planted.hpp>
#include <legion/core/durable_state.hpp>

namespace legion {

namespace {

constexpr std::size_t requeues_max = 256;       // at once
constexpr std::size_t under_way_max = 64;       // of them in the dispatcher
constexpr std::size_t ended_max = 4096;         // remembered, so that a repeated command finds them
constexpr std::size_t letters_page = 64;
constexpr std::size_t record_overhead = 512;

/// Of this round, at the agent or at a gate before it.
bool is_of(const InFlightEntry& entry, const LetterRecord& letter) {
  const StreamId& stream = entry.stream;
  const bool may_be =
      entry.path.round == letter.round && (entry.path.role == InFlightPath::Role::Gate || entry.agent == letter.agent);
  return may_be &&
         EventId{stream.origin.node, stream.origin.incarnation, stream.lane, stream.type, stream.shard, entry.sequence}
                 .to_string() == letter.event;
}

LetterRecord without_payload(const LetterRecord& letter) {
  LetterRecord record = letter;
  record.deaths.clear();
  record.frame.clear();
  return record;
}

}  // namespace

void DurableSubscriptions::on_requeue(Now now, RequestId request, LetterRecord letter) {
  state_->now = now;
  state_->requeue(request, std::move(letter));
}

void DurableSubscriptions::on_purge(Now now, RequestId request, LetterRecord letter) {
  State& state = *state_;
  state.now = now;
  if (state.requeues.contains(letter.key())) {
    return state.answer(request, fail(ErrorCode::Refused, "it was requeued and is on its way"));
  }
  LetterRecord purged = without_payload(letter);
  purged.state = LetterState::Purged;
  state.remember(letter.key(), purged);
  state.write(std::move(purged), {.kind = durable::Written::Kind::Told, .letter = "purged", .request = request});
}

void DurableSubscriptions::State::requeue(RequestId request, LetterRecord letter) {
  const std::string key = letter.key();
  if (const auto found = requeues.find(key); found != requeues.end()) {
    if (found->second.stage == Requeue::Stage::Writing) return found->second.requests.push_back(request);
    return answer(request, "requeued already");
  }
  if (const auto found = ended.find(key); found != ended.end() && holds_over(found->second, letter) && !LEGION_PLANTED(RequeueHandledTwice)) {
    letter = found->second;  // what came here is older than what this node knows
  }
  // Of a member of a group that is gone while it was on its way: whoever has the share now begins again.
  const bool is_left_behind = letter.state == LetterState::Requeued && !is_own(letter);
  if (letter.state != LetterState::Dead && !is_left_behind) {
    return answer(request, fail(ErrorCode::Refused, "it is " + std::string(to_string(letter.state))));
  }
  if (letter.requeues >= config.max_requeues) {
    return answer(request,
                  fail(ErrorCode::Refused, "it was requeued " + std::to_string(letter.requeues) + " times already"));
  }
  if (requeues.size() >= requeues_max || intake == Intake::Draining) {
    return answer(request, fail(ErrorCode::WouldBlock, "too many are on their way"));
  }
  auto frame = frame_of(letter);
  if (!frame) return answer(request, std::unexpected(frame.error()));
  auto handler = target_of(letter, (*frame)->header());
  if (is_left_behind) handler.reset();  // of an agent of that node only it knows what is under way
  if (!handler) handler = holder_of(letter, (*frame)->header());
  if (!handler) {
    return answer(request, fail(ErrorCode::NotFound, "no subscription of " + letter.agent + " on this node takes it"));
  }
  ++letter.requeues;
  Requeue& requeue = begin_requeue(std::move(letter), std::move(*frame), *handler);
  requeue.requests.push_back(request);
  write_requeued(requeue, 0);
}

Result<FramePtr> DurableSubscriptions::State::frame_of(const LetterRecord& letter) const {
  if (letter.frame.empty()) return fail(ErrorCode::BadData, "the letter came without its event");
  auto frame = Frame::decode(Bytes(letter.frame));
  if (!frame) return frame;
  const FrameHeader& header = (*frame)->header();
  const auto id = EventId::parse(letter.event);
  const bool is_it = id && header.event_count == 1 && header.origin == id->node && header.lane == id->lane &&
                     header.incarnation == id->incarnation && header.type == id->type && header.shard == id->shard &&
                     header.first_sequence == id->sequence;
  if (!is_it) return fail(ErrorCode::BadData, "the frame of the letter is not its event");
  return frame;
}

/// Of an agent of this node.
bool DurableSubscriptions::State::is_own(const LetterRecord& letter) const {
  return letter.agent.starts_with(config.node + "/");
}

std::optional<std::uint32_t> DurableSubscriptions::State::target_of(const LetterRecord& letter,
                                                                    const FrameHeader& header) const {
  std::optional<std::uint32_t> found;
  for (const DurableHandler& handler : handlers) {
    if (handler.agent != letter.agent || !handler.filter.matches(original_type(header.type))) continue;
    if (handler.durable == letter.subscription) return handler.subscription.value;
    if (!found) found = handler.subscription.value;
  }
  return found;
}

/// Of a member of a group that is not this one: the share that died there, if it is held here now.
std::optional<std::uint32_t> DurableSubscriptions::State::holder_of(const LetterRecord& letter,
                                                                    const FrameHeader& header) const {
  for (const Subscription& sub : subs) {
    if (!sub.is_leased() || sub.spec.durable != letter.subscription || sub.phase != DurablePhase::Active) continue;
    if (sub.spec.filter.matches(original_type(header.type))) return sub.spec.subscription.value;
  }
  return std::nullopt;
}

durable::Requeue& DurableSubscriptions::State::begin_requeue(LetterRecord letter, FramePtr frame,
                                                             std::uint32_t handler) {
  const std::string key = letter.key();
  const StreamKey slot = take_slot(Slot::Use::Requeue);
  slots[slot].letter = key;
  Requeue& requeue = requeues[key];
  requeue.deaths = std::move(letter.deaths);
  letter.deaths.clear();
  requeue.bytes = std::exchange(letter.frame, {});
  letter.state = LetterState::Requeued;
  requeue.letter = std::move(letter);
  requeue.frame = std::move(frame);
  requeue.handler = handler;
  requeue.key = slot;
  return requeue;
}

/// Before the next hand-over; `permit` of a retry, else 0.
void DurableSubscriptions::State::write_requeued(Requeue& requeue, TaskId permit) {
  requeue.letter.attempts = requeue.so_far.attempts + 1;
  write(requeue.letter,
        {.kind = Written::Kind::Requeued, .permit = permit, .bytes = record_overhead, .letter = requeue.letter.key()});
}

void DurableSubscriptions::State::on_requeued_written(const Written& about) {
  const auto found = requeues.find(about.letter);
  if (found == requeues.end()) return;
  if (about.permit != 0) return effects.push_back(PermitRetry{about.permit});
  Requeue& requeue = found->second;
  requeue.stage = Requeue::Stage::Ready;
  for (const RequestId request : std::exchange(requeue.requests, {})) answer(request, "requeued");
}

void DurableSubscriptions::State::offer_requeues() {
  if (!may_offer()) return;
  std::size_t out = static_cast<std::size_t>(std::ranges::count_if(
      requeues, [](const auto& entry) { return entry.second.stage == Requeue::Stage::UnderWay; }));
  for (auto& [key, requeue] : requeues) {
    if (out >= under_way_max) return;
    if (requeue.stage != Requeue::Stage::Ready) continue;
    const bool is_suspect = requeue.suspect == Again::Suspect::Yes;
    if (probation == Probation::Yes && (!is_suspect || under_way() > 0)) continue;
    requeue.stage = Requeue::Stage::UnderWay;
    ++out;
    const DurableHandler& handler = handlers[requeue.handler];
    std::optional<Earlier> earlier;
    if (requeue.so_far.attempts > 0) earlier = requeue.so_far;
    auto routes =
        routes_to(handler, requeue.key, original_type(requeue.frame->header().type), Booked::No, requeue.gates);
    routes.back().round = requeue.letter.round;
    effects.push_back(DurableOffer{requeue.frame, 0, 1, std::move(routes), std::move(earlier)});
    ++offers_pending;
  }
}

void DurableSubscriptions::State::on_requeue_completed(const std::string& key) {
  Requeue& requeue = requeues.at(key);
  if (requeue.death) return requeue_died(requeue, *std::move(requeue.death));
  LetterRecord resolved = requeue.letter;
  resolved.state = LetterState::Resolved;
  end_requeue(requeue, std::move(resolved));
}

void DurableSubscriptions::State::requeue_died(Requeue& requeue, LetterDeath death) {
  LetterRecord dead = requeue.letter;
  dead.state = LetterState::Dead;
  dead.attempts = 0;
  ++dead.round;
  dead.deaths = std::move(requeue.deaths);
  dead.deaths.push_back(std::move(death));
  if (dead.deaths.size() > limits::letter_deaths_max) dead.deaths.erase(dead.deaths.begin());
  dead.frame = std::move(requeue.bytes);
  end_requeue(requeue, std::move(dead));
}

void DurableSubscriptions::State::end_requeue(Requeue& requeue, LetterRecord record) {
  const std::string key = record.key();
  const std::uint32_t round = requeue.letter.round;
  if (requeue.suspect == Again::Suspect::Yes) suspect_is_over();
  give_back_slot(requeue.key);
  requeues.erase(key);
  remember(key, record);
  const std::size_t bytes = record.frame.size() + record_overhead;
  write(std::move(record), {.kind = Written::Kind::RequeueOver, .round = round, .bytes = bytes, .letter = key});
}

void DurableSubscriptions::State::remember(const std::string& key, const LetterRecord& record) {
  const auto [entry, is_new] = ended.insert_or_assign(key, without_payload(record));
  if (!is_new) return;
  ended_order.push_back(key);
  if (ended_order.size() <= ended_max) return;
  ended.erase(ended_order.front());
  ended_order.pop_front();
}

/// Letters that were on their way when the node ended.
void DurableSubscriptions::State::ask_letters() {
  if (intake == Intake::Draining || requeues.size() > requeues_max / 2) return;
  // What waits to be taken up is the business of the agents themselves.
  const auto stands_in = [](const Subscription& sub) { return sub.spec.role == DurableHandler::Role::StandIn; };
  if (std::ranges::any_of(subs, stands_in)) return;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    LettersOf& of = letters_of[spool];
    const bool may_ask = spools[spool].is_reachable() && now.steady >= of.not_before;
    if (may_ask && of.load == SpoolView::Load::Done && of.lacking == LettersOf::Lacking::Yes) of = {};
    if (!may_ask || of.load != SpoolView::Load::No) continue;
    of.load = SpoolView::Load::Asked;
    ask(spool, {.kind = Query::Kind::Letters}, AskLetters{of.after, letters_page});
  }
}

bool DurableSubscriptions::State::all_letters_loaded() const {
  if (std::ranges::none_of(spools, &Spool::is_reachable)) return false;
  for (std::uint32_t spool = 0; spool < spools.size(); ++spool) {
    if (spools[spool].is_reachable() && letters_of[spool].load != SpoolView::Load::Done) return false;
  }
  return true;
}

void DurableSubscriptions::State::take_letters(std::uint32_t spool, std::vector<LetterRecord> letters, More more) {
  LettersOf& of = letters_of[spool];
  of.load = more == More::Yes && !letters.empty() ? SpoolView::Load::No : SpoolView::Load::Done;
  if (!letters.empty()) of.after = letters.back().key();
  for (LetterRecord& letter : letters) {
    const bool lacks_event = letter.frame.empty() && is_own(letter) &&
                             letter.state == LetterState::Requeued && !requeues.contains(letter.key());
    if (!lacks_event) {
      take_up_letter(std::move(letter));
    } else if (const auto found = ended.find(letter.key()); found == ended.end() || holds_over(letter, found->second)) {
      of.lacking = LettersOf::Lacking::Yes;
      of.not_before = now.steady + config.ask_again_max;
    }
  }
}

void DurableSubscriptions::State::take_up_letter(LetterRecord letter) {
  const std::string key = letter.key();
  if (letter.state != LetterState::Requeued || requeues.contains(key)) return;
  if (const auto found = ended.find(key); found != ended.end() && !holds_over(letter, found->second)) return;
  auto frame = frame_of(letter);
  const auto handler = frame ? target_of(letter, (*frame)->header()) : std::nullopt;
  if (!handler) {
    if (!is_own(letter)) return;
    return log(DurableLog::Level::Warning,
               "the requeued dead letter " + key + " stays where it is: " +
                   (frame ? "no subscription of " + letter.agent + " takes it" : frame.error().message));
  }
  const std::uint32_t recorded = std::max(letter.attempts, 1u);
  Requeue& requeue = begin_requeue(std::move(letter), std::move(*frame), *handler);
  // The first one is recorded with the requeue, so that alone says nothing.
  requeue.so_far.attempts = recorded == 1 ? 0 : attempts_made(recorded);
  std::erase_if(in_flight, [&](const InFlightEntry& entry) {
    const bool is_gate = entry.path.role == InFlightPath::Role::Gate;
    if (!is_of(entry, requeue.letter) || (!is_gate && entry.subscription != handlers[*handler].durable)) return false;
    if (is_gate) {
      take_up_gates(entry, requeue.gates);
    } else {
      take_up_entry(entry, requeue.so_far);
    }
    if (entry.stage == InFlightEntry::Stage::InHands && requeue.suspect == Again::Suspect::No) {
      requeue.suspect = Again::Suspect::Yes;
      ++suspects;
    }
    return !is_gate;  // it stands before other agents too
  });
  if (auto death = death_before(handlers[*handler], requeue.so_far, requeue.gates)) {
    return requeue_died(requeue, *std::move(death));
  }
  write_requeued(requeue, 0);
}

}  // namespace legion
