#include <legion/runtime/spool_catchup.hpp>

#include <algorithm>

namespace legion {
namespace {

constexpr Duration look_every = 50ms;          // at what is due
constexpr std::uint64_t gap_max = 64;          // positions that are there already, rather than a question more
constexpr std::size_t refused_max = 1024;
constexpr std::size_t waiting_max = 16384;

std::string name_of(const Origin& origin, JournalKind journal) {
  return origin.node + ":" + std::to_string(origin.incarnation) + ":" + std::string(to_string(journal));
}

bool concerns_the_spool(ErrorCode code) {
  return code == ErrorCode::TimedOut || code == ErrorCode::Unreachable || code == ErrorCode::WouldBlock ||
         code == ErrorCode::Closed;
}

}  // namespace

SpoolCatchup::SpoolCatchup(Setup setup, Pace pace) : setup_(std::move(setup)), pace_(pace) {}

// Askers answer what is left, to a round that is over.
SpoolCatchup::~SpoolCatchup() {
  round_.reset();
  peers_.clear();
}

void SpoolCatchup::connect(const std::string& name, const std::string& uri) {
  if (name == setup_.self) return;
  Peer& peer = peers_[name];
  if (peer.asker && peer.asker->uri() == uri) return;
  if (round_ && round_->peer == name) round_.reset();
  auto asker = SpoolAsker::connect(setup_.context, uri, setup_.client);
  if (!asker) {
    setup_.log(LogLevel::Error, "cannot catch up from the spool " + name + ": " + asker.error().message);
    return;
  }
  peer = {};
  peer.asker = std::move(*asker);
  setup_.poller.add(peer.asker->pollables());
}

void SpoolCatchup::disconnect(const std::string& name) {
  if (round_ && round_->peer == name) round_.reset();
  peers_.erase(name);
}

void SpoolCatchup::on_mark(const std::string& name, std::uint64_t mark) {
  const auto found = peers_.find(name);
  if (found == peers_.end() || std::exchange(found->second.mark, mark) == mark) return;
  found->second.moved = true;
}

SpoolCatchupFigures SpoolCatchup::figures() const {
  SpoolCatchupFigures figures = figures_;
  for (const auto& [name, peer] : peers_) {
    if (peer.asker && peer.asker->up()) ++figures.peers;
    figures.missing = std::max(figures.missing, peer.missing);
  }
  return figures;
}

void SpoolCatchup::on_turn(Now now) {
  now_ = now;
  const bool look = now.steady >= next_look_;
  if (look) next_look_ = now.steady + look_every;
  for (auto& [name, peer] : peers_) {
    if (!peer.asker || !(look || peer.asker->may_have_input())) continue;
    peer.asker->on_turn(now);
    const bool up = peer.asker->up();
    if (std::exchange(peer.was_up, up) == up || !up) continue;
    // A connection is news: whoever was away may have come back with something, or as an older copy.
    peer.moved = true;
    peer.pause = pace_.round_min;
    peer.not_before = now.steady;
    peer.absent.clear();
  }
  if (look && !round_) begin_due_round();
}

// --- comparing -------------------------------------------------------------------------------------------------------

bool SpoolCatchup::is_due(const Peer& peer) const {
  if (!peer.asker || !peer.asker->up()) return false;
  const SteadyTime at = peer.moved ? peer.not_before : peer.not_before + pace_.round_idle;
  return now_.steady >= at;
}

/// The spools take turns.
void SpoolCatchup::begin_due_round() {
  if (setup_.service.frozen()) return;
  const auto due = [this](const auto& named) { return is_due(named.second); };
  auto next = std::find_if(peers_.upper_bound(last_compared_), peers_.end(), due);
  if (next == peers_.end()) next = std::find_if(peers_.begin(), peers_.end(), due);
  if (next == peers_.end()) return;
  last_compared_ = next->first;
  Peer& peer = next->second;
  peer.moved = false;
  peer.not_before = now_.steady + peer.pause;
  round_ = Round{};
  Round& round = *round_;
  round.number = ++rounds_begun_;
  round.peer = next->first;
  setup_.service.journals(in_this_round<std::vector<JournalState>>([this](std::vector<JournalState> states) {
    for (JournalState& state : states) {
      JournalKey key{state.origin, state.journal};
      round_->here.emplace(std::move(key), std::move(state));
    }
    ask_journals();
  }));
}

template <class Answer>
std::function<void(Answer)> SpoolCatchup::in_this_round(std::function<void(Answer)> call) {
  return [this, number = round_->number, call = std::move(call)](Answer answer) {
    if (round_ && round_->number == number) call(std::move(answer));
  };
}

void SpoolCatchup::ask_journals() {
  JournalsQuery query;
  query.after = round_->after;
  peers_.at(round_->peer)
      .asker->ask<SpoolJournals>(now_, spool_question::journals(query), pace_.timeout,
                                 in_this_round<Result<SpoolJournals>>([this](Result<SpoolJournals> page) {
                                   if (!page) return end_round(page.error().message);
                                   on_journals(std::move(*page));
                                 }));
}

void SpoolCatchup::on_journals(SpoolJournals page) {
  Round& round = *round_;
  Peer& peer = peers_.at(round.peer);
  for (const JournalState& there : page.journals) {
    JournalKey key{there.origin, there.journal};
    if (round.after && key <= *round.after) return end_round("its journals are not in order");
    round.after = std::move(key);
    compare(peer, there);
  }
  if (page.more && !page.journals.empty()) return ask_journals();
  round.here.clear();
  round.listing = false;
  peer.missing = round.missing;
  go_on();
}

void SpoolCatchup::compare(Peer& peer, const JournalState& there) {
  Round& round = *round_;
  const JournalKey key{there.origin, there.journal};
  const auto known = round.here.find(key);
  JournalState here;
  here.origin = there.origin;
  here.journal = there.journal;
  if (known != round.here.end()) here = known->second;
  const auto is_too_far = [](const PositionRange& range) { return range.last > position_max; };
  const bool is_possible =
      std::ranges::none_of(there.ranges, is_too_far) && std::ranges::none_of(there.voids, is_too_far);
  if (!is_possible || !is_ours_to_take(here, there)) return;
  take_marks(here, there);
  count_holders(peer, here, there);
  const CatchupWants wants = catchup_wants(here, there);
  take_floor(peer, here, there, wants);
  if (wants.empty()) {
    peer.waiting.erase(key);
    return;
  }
  PositionSet wanted = ripe(peer, here, wants);
  if (const auto absent = peer.absent.find(key); absent != peer.absent.end()) {
    if (absent->second.until <= now_.steady) {
      peer.absent.erase(absent);
    } else {
      wanted = without(wanted, absent->second.positions);
    }
  }
  if (wanted.empty()) return;
  round.missing += count(wanted);
  const auto questions = catchup_questions(wanted, gap_max);
  round.fetches.push_back({key, {questions.begin(), questions.end()}, std::move(wanted), PositionSet(here.voids)});
}

/// Two boots under one name and incarnation: what the other one has is of another life, and never mixed with this.
bool SpoolCatchup::is_ours_to_take(const JournalState& here, const JournalState& there) {
  if (here.boot.is_nil() || there.boot.is_nil() || here.boot == there.boot) return true;
  if (refused_.size() < refused_max && refused_.insert(there.origin).second) {
    setup_.log(LogLevel::Error, "spool " + round_->peer + ": its journals of " + there.origin.node + ", incarnation " +
                                    std::to_string(there.origin.incarnation) + ", belong to boot " + there.boot.hex() +
                                    ", those here to " + here.boot.hex() + "; they are not taken over");
  }
  return false;
}

/// What is known of the origin besides its records.
void SpoolCatchup::take_marks(const JournalState& here, const JournalState& there) {
  SpoolService& service = setup_.service;
  if (here.boot.is_nil() && !there.boot.is_nil()) bind(there);
  for (std::size_t i = 0; i < there.released.size(); ++i) {
    if (there.released[i] <= here.released[i]) continue;
    service.note_released(there.origin, there.journal, static_cast<std::uint8_t>(i + 1), there.released[i]);
  }
  if (!there.final || here.final) return;
  const Position last_here = here.ranges.empty() ? here.floor : here.ranges.back().last;
  if (*there.final < last_here) {
    return trouble("spool " + round_->peer + ": " + name_of(there.origin, there.journal) + " ended at " +
                   std::to_string(*there.final) + ", it says, but " + std::to_string(last_here) + " is here");
  }
  auto& finals = round_->finals[there.origin];
  finals[journal_index(there.journal)] = there.final;
  if (finals[0] && finals[1]) service.note_final(there.origin, *finals[0], *finals[1]);
}

/// What an origin that is over can no longer say itself: that a frame is on as many spools as it asked for.
void SpoolCatchup::count_holders(Peer& peer, const JournalState& here, const JournalState& there) {
  if (!here.final && !there.final && !setup_.is_gone(here.origin)) return;
  const JournalKey key{here.origin, here.journal};
  if (peer.through.size() >= waiting_max) peer.through.clear();
  peer.through[key] = contiguous_through(there);
  std::vector<Position> holders{contiguous_through(here)};
  for (const auto& [name, other] : peers_) {
    if (const auto found = other.through.find(key); found != other.through.end()) holders.push_back(found->second);
  }
  std::ranges::sort(holders, std::greater{});
  for (std::size_t n = 2; n <= std::min(holders.size(), here.released.size()); ++n) {
    if (holders[n - 1] <= here.released[n - 1]) continue;
    setup_.service.note_released(here.origin, here.journal, static_cast<std::uint8_t>(n), holders[n - 1]);
  }
}

/// What retention took there and nobody has is not missing here: it will not come. The origin gets time to send what it
/// may still keep; one that is cut off from here may keep what nobody else had, so it is waited for.
void SpoolCatchup::take_floor(Peer& peer, const JournalState& here, const JournalState& there,
                              const CatchupWants& wants) {
  const JournalKey key{here.origin, here.journal};
  const auto may_have_more = [&](const auto& named) {
    const Peer& other = named.second;
    return &other != &peer && other.asker && (!other.compared || other.missing > 0);
  };
  const bool may_have_sent = setup_.service.is_linked(here.origin) || setup_.is_gone(here.origin);
  if (!may_have_sent || contiguous_through(here) >= there.floor || wants.reach_down_to(there.floor) ||
      std::ranges::any_of(peers_, may_have_more)) {
    peer.floors.erase(key);
    return;
  }
  if (peer.floors.size() >= waiting_max) peer.floors.clear();
  const SteadyTime since = peer.floors.try_emplace(key, now_.steady).first->second;
  peer.moved = true;  // looked at again in any case
  if (now_.steady - since < pace_.patience) {
    round_->soon = true;
    return;
  }
  peer.floors.erase(key);
  setup_.service.note_floor(here.origin, here.journal, there.floor);
}

/// Before anything of it is stored. It may have been bound to another meanwhile: the next comparison says so.
void SpoolCatchup::bind(const JournalState& there) {
  ++round_->binding;
  const auto on_bound = [this, origin = there.origin](const Result<void>& bound) {
    Round& round = *round_;
    --round.binding;
    if (!bound) std::erase_if(round.fetches, [&](const Fetch& fetch) { return fetch.key.first == origin; });
    go_on();
  };
  setup_.service.bind(there.origin, there.boot, in_this_round<Result<void>>(on_bound));
}

/// All of it but the end of a journal that its origin may be sending at this moment.
PositionSet SpoolCatchup::ripe(Peer& peer, const JournalState& here, const CatchupWants& wants) {
  PositionSet now_wanted = united(wants.holes, wants.voids);
  const JournalKey key{here.origin, here.journal};
  if (wants.end.empty()) {
    peer.waiting.erase(key);
    return now_wanted;
  }
  if (setup_.is_gone(here.origin) || here.final) return united(now_wanted, wants.end);
  const Position last_here = here.ranges.empty() ? here.floor : here.ranges.back().last;
  peer.moved = true;  // looked at again in any case
  if (peer.waiting.size() >= waiting_max) peer.waiting.clear();
  const auto [found, is_new] = peer.waiting.try_emplace(key, last_here, now_.steady);
  Waiting& waiting = found->second;
  if (waiting.last_here != last_here) {
    waiting = {last_here, now_.steady};  // it is coming
    return now_wanted;
  }
  if (now_.steady - waiting.since >= pace_.patience) return united(now_wanted, wants.end);
  round_->soon = true;
  return now_wanted;
}

// --- fetching --------------------------------------------------------------------------------------------------------

void SpoolCatchup::go_on() {
  Round& round = *round_;
  if (round.listing || round.binding > 0) return;
  while (!round.fetches.empty() && round.fetches.front().questions.empty()) round.fetches.pop_front();
  if (!round.fetches.empty() && !round.asking && round.adopting < adopting_max) return ask_records();
  if (round.fetches.empty() && !round.asking && round.adopting == 0) end_round("");
}

void SpoolCatchup::ask_records() {
  Fetch& fetch = round_->fetches.front();
  const JournalQuery query{fetch.key.first, fetch.key.second, fetch.questions.front(), page_bytes};
  round_->asking = true;
  peers_.at(round_->peer)
      .asker->ask<std::vector<JournalRecord>>(
          now_, spool_question::journal(query), pace_.timeout,
          in_this_round<Result<std::vector<JournalRecord>>>([this, query](Result<std::vector<JournalRecord>> records) {
            round_->asking = false;
            on_records(query, std::move(records));
          }));
}

void SpoolCatchup::on_records(const JournalQuery& asked, Result<std::vector<JournalRecord>> records) {
  Fetch& fetch = round_->fetches.front();
  if (!records) {
    if (concerns_the_spool(records.error().code)) return end_round(records.error().message);
    leave_alone(fetch.key, records.error().message);
    return go_on();
  }
  auto answer = judge_catchup_page(std::move(*records), asked.range, fetch.wanted, fetch.voids_here);
  if (!answer) {
    leave_alone(fetch.key, answer.error().message);
    return go_on();
  }
  if (!answer->absent.empty()) leave_alone(fetch.key, answer->absent);
  PositionRange& question = fetch.questions.front();
  const PositionRange done{question.first, answer->through};
  question.first = answer->through + 1;
  const JournalKey key = fetch.key;
  if (question.first > question.last) fetch.questions.pop_front();
  if (!answer->records.empty()) adopt(key, done, std::move(answer->records));
  go_on();
}

void SpoolCatchup::adopt(const JournalKey& key, PositionRange range, std::vector<JournalRecord> records) {
  ++round_->adopting;
  const auto on_done = [this, key, range, count = records.size()](const Result<void>& done) {
    --round_->adopting;
    if (done) {
      figures_.adopted += count;
      round_->adopted += count;
      return go_on();
    }
    if (setup_.service.frozen()) return end_round(done.error().message);
    PositionSet refused;
    refused.add(range);
    leave_alone(key, refused);
    trouble(done.error().message);
    go_on();
  };
  setup_.service.adopt(std::move(records), in_this_round<Result<void>>(on_done));
}

void SpoolCatchup::leave_alone(const JournalKey& key, const PositionSet& positions) {
  Absent& absent = peers_.at(round_->peer).absent[key];
  absent.positions = united(absent.positions, positions);
  absent.until = now_.steady + pace_.absent_for;
}

/// The journal whose turn it is: the whole of what is wanted.
void SpoolCatchup::leave_alone(const JournalKey& key, const std::string& why) {
  trouble("spool " + round_->peer + ": " + name_of(key.first, key.second) + ": " + why);
  leave_alone(key, round_->fetches.front().wanted);
  round_->fetches.pop_front();
}

void SpoolCatchup::end_round(const std::string& why) {
  const Round round = std::move(*round_);
  round_.reset();
  Peer& peer = peers_.at(round.peer);
  if (!why.empty()) trouble("spool " + round.peer + ": " + why);
  if (why.empty()) {
    ++figures_.rounds;
    peer.compared = true;
    peer.missing = round.missing > round.adopted ? round.missing - round.adopted : 0;
  }
  if (round.adopted > 0) {
    setup_.log(LogLevel::Info, "took " + std::to_string(round.adopted) + " records from the spool " + round.peer +
                                   " that were missing here");
  }
  const bool soon = why.empty() && (round.adopted > 0 || round.soon);
  peer.pause = soon ? pace_.round_min : std::clamp(2 * peer.pause, pace_.round_min, pace_.round_max);
  peer.moved = peer.moved || soon || !why.empty();
  peer.not_before = now_.steady + peer.pause;
}

void SpoolCatchup::trouble(const std::string& what) {
  figures_.trouble = what;
  if (lines_.allow(now_.steady)) setup_.log(LogLevel::Warn, "catching up: " + what);
}

}  // namespace legion
