// A random mesh around a consumer with durable subscriptions: frames get lost, spools go away, events kill the process.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <legion/base/rng.hpp>

#include "durable_kit.hpp"

namespace legion::test {

/// Checkers know only the rules. A broken one throws std::logic_error that names it.
class DurableWorld {
 public:
  explicit DurableWorld(std::uint64_t seed);

  void step();
  /// Everything comes back and nothing more is published: in the end every event is over.
  void finish();

  struct Tally {
    std::uint64_t lives = 0, events = 0, kills = 0, gate_kills = 0, requeues = 0, resolved = 0, refusals = 0;
    std::map<std::string, std::uint64_t> lost, letters;  // by reason
  };
  const Tally& tally() const { return tally_; }

 private:
  using Place = std::pair<StreamId, std::uint64_t>;
  using Delivered = std::tuple<std::uint32_t, StreamId, std::uint64_t>;  // subscription and event

  enum class Manner { Fine, Fails, Rejected, Kills, FailsOnce };
  struct Origin {
    std::vector<StreamId> streams;
    std::vector<std::uint64_t> next;
  };
  /// Hand-overs by the cursor, or by the requeue of one round; those of one do not count for another.
  struct Way {
    std::uint32_t hand_overs = 0;  // since its last letter
    std::uint32_t before = 0;         // hand-overs that an unfinished letter may have counted already
    std::uint32_t last_attempt = 0;  // since its last letter
    std::set<std::uint32_t> attempts_of_life;
    bool is_uncertain = false;  // of a requeue: for good
  };
  struct Story {
    std::map<std::uint32_t, Way> ways;  // by InFlightPath::round
    std::uint32_t round = 0;          // of the last letter
    std::uint64_t life_of_letter = 0;
    bool is_over = false;
    bool was_done = false;            // since the last letter: what comes now is that again, of which nothing may be known
    bool is_fixed = false;
    bool is_uncertain = false;        // what was in hands is not known, or counts for nothing: only bounds hold
    /// Of every requeue, for good, and of the cursor until all know what came of it.
    void become_uncertain();
    std::string history;              // for whoever reads the message of a failure
  };
  /// A letter of this life, and what was known before it.
  struct Told {
    Delivered what;
    LetterRecord letter;
    Story before;
  };

  // --- what happens
  void be_born();
  enum class Past { Kept, LostWithTheMachine };
  void die(Past past = Past::Kept);
  void end_cleanly();
  void publish();
  FramePtr some_events(const StreamId& stream, std::uint64_t first, std::size_t count);
  void arrive_late(std::size_t frames);
  void tell_tail();
  void give_birth_to_origin();
  void store_some(std::size_t frames);
  void trim();
  void catch_up();
  void change_reach();
  void change_holder();
  void requeue_one();
  void purge_one();
  enum class Letters { Dead, All };
  const LetterRecord* some_letter(Letters which);
  void operate();
  void handle(std::size_t tasks);
  void complete_one();
  Outcome treat(const DurableKit::Handled& one);
  Outcome treat_at_gate(const Place& place, std::uint32_t attempt);
  void disturb(std::uint32_t subscription);
  Manner manner(std::uint32_t subscription, const StreamId& stream, std::uint64_t sequence) const;
  Manner inborn_manner(std::uint32_t subscription, const StreamId& stream, std::uint64_t sequence) const;
  bool gate_stops(const Place& place) const;
  bool gate_fails(const Place& place) const;
  bool gate_kills(const Place& place) const;
  bool is_bad_at_gate(const Place& place) const;

  // --- the rules
  void check();
  void check_cursor(const CursorRecord& cursor);
  void check_letter(const LetterRecord& letter);
  void check_reason(const Story& told, const Way& way, const Delivered& what, const LetterDeath& death) const;
  bool all_know(const Delivered& what);
  void check_lost(const LostForGood& lost);
  void check_phases();
  void check_end();
  std::uint64_t done(std::uint32_t subscription, const StreamId& stream);
  void take_back_letters();
  void become_certain();
  Story& story(std::uint32_t subscription, const StreamId& stream, std::uint64_t sequence) {
    return stories_[{subscription, stream, sequence}];
  }
  bool is_over(std::uint32_t subscription, const StreamId& stream, std::uint64_t sequence);
  void require(bool holds, const std::string& rule) const;

  std::uint64_t seed_;
  Rng random_;
  std::unique_ptr<DurableKit> kit_;
  std::map<std::string, ModelSpool> spools_;   // while no life has them
  std::optional<std::vector<InFlightEntry>> left_;  // by the life before; nothing: not known
  Now now_{SteadyTime{1'000'000'000}, WallTime{1'700'000'000'000'000'000}};
  Origin origins_[2];
  std::uint64_t incarnation_ = 1;
  std::vector<std::pair<StreamId, std::uint64_t>> all_;   // every stream there was, with its end
  std::vector<std::pair<std::string, FramePtr>> to_store_;
  std::map<StreamId, std::vector<FramePtr>> held_back_;   // not live yet
  std::set<Place> gone_;                                  // voided or trimmed: no spool will ever have them
  std::set<Delivered> skipped_;                           // given up by an operator
  std::map<Place, WallTime> expires_;
  std::set<Place> broken_;                                // do not decode
  std::set<Place> gate_is_fixed_;
  std::map<std::string, LetterRecord> letters_seen_;      // by all spools together
  std::vector<Told> told_;
  std::set<std::uint32_t> disturbed_;                     // subscriptions that began anew in this life
  std::map<Delivered, Story> stories_;
  std::map<std::pair<std::uint32_t, StreamId>, std::uint64_t> first_handed_;  // in this life
  std::vector<DurableKit::Handled> deferred_;
  std::size_t journal_seen_ = 0, lost_seen_ = 0;
  std::uint64_t steps_ = 0;
  RequestId requests_ = 0;
  std::size_t requests_of_life_ = 0;
  bool is_quiet_ = false;
  Tally tally_;
};

}  // namespace legion::test
