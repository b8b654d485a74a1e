// The rules of the random world.
#include <algorithm>
#include <stdexcept>

#include <legion/core/durable_progress.hpp>

#include "durable_world.hpp"
#include "durable_world_rules.hpp"

namespace legion::test {

using namespace world;

void DurableWorld::require(bool holds, const std::string& rule) const {
  if (!holds)
    throw std::logic_error("seed " + std::to_string(seed_) + ", step " + std::to_string(steps_) + ": " + rule);
}

bool DurableWorld::is_over(std::uint32_t subscription, const StreamId& stream, std::uint64_t sequence) {
  return story(subscription, stream, sequence).is_over || gate_stops({stream, sequence}) ||
         gone_.contains({stream, sequence}) || skipped_.contains({subscription, stream, sequence});
}

void DurableWorld::check() {
  check_phases();
  for (; lost_seen_ < kit_->lost.size(); ++lost_seen_) check_lost(kit_->lost[lost_seen_]);
  for (; journal_seen_ < kit_->journal.size(); ++journal_seen_) {
    const SpoolRecord& record = kit_->journal[journal_seen_].record;
    if (const auto* cursor = std::get_if<CursorRecord>(&record)) check_cursor(*cursor);
    if (const auto* letter = std::get_if<LetterRecord>(&record)) check_letter(*letter);
  }
  const DurableConfig config = small_config();
  for (const DurableFigures& figures : kit_->durable.figures(0)) {
    const std::uint64_t more = config.page_bytes + config.queries_max * frame_cost_max;
    require(figures.held_bytes <= config.buffer_bytes + more,
            figures.name + " holds too much: " + std::to_string(figures.held_bytes));
    require(figures.under_way <= capacity, "too much under way");
  }
}

/// Another member that has the name ends what this one knows of it.
void DurableWorld::check_phases() {
  for (const DurableFigures& figures : kit_->durable.figures(0)) {
    if (figures.phase != DurablePhase::Refused) continue;
    const std::uint32_t subscription = subscription_named(figures.name);
    if (!disturbed_.contains(subscription)) ++tally_.refusals;
    disturb(subscription);
    const bool is_told = std::ranges::any_of(
        kit_->spools, [&](const auto& entry) { return figures.trouble.contains(entry.first + " says: x at tcp:"); });
    require(is_told, "refused, and nobody is told by whom: " + figures.trouble);
  }
}

void DurableWorld::check_lost(const LostForGood& lost) {
  for (std::uint64_t n = lost.first; n <= lost.last; ++n) {
    if (lost.why == "skipped") {
      skipped_.insert({lost.subscription.value, lost.stream, n});
    } else {
      require(gone_.contains({lost.stream, n}), "lost what a spool has or may get: " + event_id(lost.stream, n));
    }
  }
  tally_.lost[lost.why] += lost.last - lost.first + 1;
}

void DurableWorld::check_cursor(const CursorRecord& cursor) {
  const std::uint32_t subscription = subscription_named(cursor.subscription);
  for (const StreamCursor& stream : cursor.streams) {
    for (std::uint64_t n = 1; n <= stream.done; ++n) {
      require(is_over(subscription, stream.stream, n), "the cursor passed " + event_id(stream.stream, n));
    }
    for (const auto& [first, last] : stream.ahead) {
      for (std::uint64_t n = first; n <= last; ++n) {
        require(is_over(subscription, stream.stream, n), "done ahead without being done");
      }
    }
  }
}

void DurableWorld::check_letter(const LetterRecord& letter) {
  if (letter.subscription.empty()) return require(letter.agent == "c/risk", "a letter of nobody");
  const EventId id = EventId::parse(letter.event).value();
  const std::uint32_t subscription = subscription_named(letter.subscription);
  const StreamId stream{{id.node, id.incarnation}, id.lane, id.type, id.shard};
  Story& told = story(subscription, stream, id.sequence);
  told.history += ' ' + std::string(to_string(letter.state)) + "(round " + std::to_string(letter.round) + ", life " +
                  std::to_string(tally_.lives) + ')';
  if (letter.state == LetterState::Resolved) ++tally_.resolved;
  if (letter.state == LetterState::Requeued) {
    // It may come by two ways at once: as the requeue, and because a spool knows of no cursor beyond it.
    told.is_uncertain |= !all_know({subscription, stream, id.sequence});
  }
  if (letter.state != LetterState::Dead) return;
  // Another life may have met only the spool that knows neither the cursor nor the letter.
  require(letter.round >= told.round || told.is_uncertain || told.life_of_letter != tally_.lives,
          "a letter of an earlier round:" + told.history);
  require(!letter.frame.empty() && !letter.deaths.empty(), "a letter without its event");
  const LetterDeath& death = letter.deaths.back();
  Way& way = told.ways[letter.round - 1];
  check_reason(told, way, {subscription, stream, id.sequence}, death);
  ++tally_.letters[death.reason];
  told_.push_back({{subscription, stream, id.sequence}, letter, told});
  way.before += way.hand_overs;
  told.is_over = true;
  told.was_done = false;
  told.round = letter.round;
  told.life_of_letter = tally_.lives;
  way.hand_overs = 0;
  way.last_attempt = 0;
  way.attempts_of_life.clear();
}

void DurableWorld::Story::become_uncertain() {
  is_uncertain = true;
  for (auto& [of, way] : ways) way.is_uncertain |= of > 0;
}

/// Every spool has a cursor that is beyond it, so that no life hands it over once more.
bool DurableWorld::all_know(const Delivered& what) {
  const auto& [subscription, stream, sequence] = what;
  return std::ranges::all_of(kit_->spools, [&](const auto& entry) {
    const auto& streams = kit_->cursor(name_of(subscription), entry.first).streams;
    const auto found = std::ranges::find(streams, stream, &StreamCursor::stream);
    return found != streams.end() && durable::Progress(found->done, found->ahead).contains(sequence);
  });
}

void DurableWorld::check_reason(const Story& told, const Way& way, const Delivered& what,
                                const LetterDeath& death) const {
  const auto& [subscription, stream, sequence] = what;
  const Place place{stream, sequence};
  const std::string about = event_id(stream, sequence) + ", " + death.reason + ", " + death.error + ':' + told.history;
  const bool adds_up = death.attempts >= way.hand_overs && death.attempts <= way.hand_overs + way.before;
  const bool is_uncertain = told.is_uncertain || way.is_uncertain;
  require(is_uncertain || told.was_done || adds_up, "a letter that counts " + std::to_string(death.attempts) +
                                                        " attempts where " + std::to_string(way.hand_overs) +
                                                        " were made: " + about);
  if (death.reason == "undecodable") return require(broken_.contains(place), "it decodes: " + about);
  if (death.reason == "expired") {
    const auto expires = expires_.find(place);
    return require(expires != expires_.end() && expires->second < kit_->now.wall, "it has not expired: " + about);
  }
  if (death.reason == "gate_failed") return require(is_bad_at_gate(place), "the gate did nothing wrong: " + about);
  const Manner of_it = inborn_manner(subscription, stream, sequence);
  if (death.reason == "rejected") return require(of_it == Manner::Rejected, "nobody rejected it: " + about);
  require(death.reason == "handler_error", "a reason unheard of: " + about);
  require(death.attempts == max_attempts, "not exactly max_attempts: " + about);
  // Rejected: three times, and each time the node died before the letter was written.
  require(is_uncertain || of_it == Manner::Fails || of_it == Manner::Kills || of_it == Manner::Rejected,
          "a letter of an event that did nothing wrong: " + about);
}

/// What begins anew, and what a machine forgot, is behind every cursor by now.
void DurableWorld::become_certain() {
  for (auto& [what, story] : stories_) {
    if (story.is_uncertain && story.is_over && all_know(what)) story.is_uncertain = false;
  }
}

/// Letters that no spool got before this life ended were never written.
void DurableWorld::take_back_letters() {
  std::set<Delivered> taken_back;
  for (const Told& told : told_) {
    if (taken_back.contains(told.what)) continue;
    std::size_t known = 0;
    for (const auto& [name, spool] : kit_->spools) {
      const auto found = spool.letters.find(told.letter.key());
      const bool has_it = found != spool.letters.end() && found->second.round >= told.letter.round;
      known += has_it ? 1 : 0;
    }
    Story& now = stories_[told.what];
    if (known == 0) {
      const std::string history = now.history + " taken back";
      const std::map<std::uint32_t, Way> since = now.ways;
      const bool is_fixed = now.is_fixed;
      now = told.before;
      for (const auto& [round, way] : since) now.ways[round].hand_overs += way.hand_overs;
      now.history = history;
      now.is_fixed = is_fixed;
      taken_back.insert(told.what);
    } else if (known < kit_->spools.size()) {
      now.become_uncertain();  // the next life may meet only those that do not know of it
    }
  }
}

/// As the spools have it together.
std::uint64_t DurableWorld::done(std::uint32_t subscription, const StreamId& stream) {
  CursorRecord merged = kit_->cursor(name_of(subscription), "s1");
  merge(merged, kit_->cursor(name_of(subscription), "s2"));
  const auto found = std::ranges::find(merged.streams, stream, &StreamCursor::stream);
  return found == merged.streams.end() ? 0 : found->done;
}

void DurableWorld::check_end() {
  for (const auto& [stream, end] : all_) {
    for (const std::uint32_t subscription : {orders, audit, bulk}) {
      if (!takes(subscription, stream.type)) continue;
      for (std::uint64_t n = 1; n < end; ++n) {
        require(is_over(subscription, stream, n), "never handled: " + event_id(stream, n));
      }
      const std::uint64_t at = done(subscription, stream);
      require(at == end - 1, "the cursor of " + name_of(subscription) + " is not at the end of " +
                                 event_id(stream, end) + " but at " + std::to_string(at));
    }
  }
  some_letter(Letters::All);
  for (const auto& [key, letter] : letters_seen_) {
    require(letter.state != LetterState::Requeued, "a requeue without an end: " + key);
    require(letter.state != LetterState::Dead || !letter.frame.empty(), "a letter whose event is nowhere: " + key);
  }
  require(kit_->answers.size() == requests_of_life_, "an operator without an answer, or with two");
}

}  // namespace legion::test
