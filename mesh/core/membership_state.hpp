// The inside of Membership, shared by its sources; nobody else includes it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/failure_detector.hpp>
#include <legion/core/membership.hpp>
#include <legion/core/membership_addresses.hpp>
#include <legion/core/membership_dialer.hpp>

namespace legion {

/// Thread, order and bounds: those of Membership. The sources: membership.cpp routes the inputs, membership_join.cpp
/// chooses the incarnation and dials, membership_learn.cpp keeps the members, membership_names.cpp guards the own name,
/// membership_roster.cpp counts and tells what is kept, membership_tails.cpp asks for the tails of those who are gone.
///
/// Nothing walks all members because of one input: what depends on all of them (hash, how many are alive, how many the
/// barrier waits for, whom to dial) is counted by recount() when an entry changes.
struct Membership::State {
  enum class Phase : std::uint8_t { Idle, Joining, Running, Fenced, GaveUp, Left };

  /// How a fact about a member came in. Only the first two come from the member itself.
  enum class Source : std::uint8_t { Heartbeat, Hello, Told, Kept };

  /// What an entry adds to the figures over all members.
  struct Counted {
    std::uint64_t hash = 0;
    bool alive = false;
    bool awaited = false;  // by the first-sync barrier
    MembershipAddresses::Use use = MembershipAddresses::Use::None;
  };

  struct Entry {
    Member member;             // `state` is this node's own view
    std::uint64_t hash = 0;    // member_hash(member)
    Counted counted{};
    std::uint64_t asked_up_to = 0;          // of the origins that are gone
    std::optional<std::uint64_t> gone_as{};  // the number of this life among them
    bool judged_here = false;  // dead by our own detector: others calling it alive no longer counts
    bool connected = false;    // ConnectPeer was given for this life
    bool introduced = false;   // it answered a hello, or sent us one, that carried our incarnation
    bool synced = false;       // it has been given a complete sync echo of ours
    std::optional<SteadyTime> close_at{};  // the links of one that left
  };

  /// What a join or kept address said while this node was choosing its incarnation.
  enum class Answer : std::uint8_t { None, Member, Newcomer, Ourselves, Refused, Silent };

  struct Asked {
    Answer answer = Answer::None;
    std::uint32_t batch = 0;  // dialled so many ticks after the start
  };

  /// An address where the own name was seen with another boot id; erased when nobody answers there under that name.
  struct Rival {
    std::optional<SteadyTime> taken_since;
  };

  struct Fetch {
    SteadyTime at;
    std::uint64_t their_hash = 0;
    std::uint64_t our_hash = 0;
    std::uint32_t repeats = 0;  // with the same two hashes
  };

  State(MembershipConfig config_given, Self self_given, std::uint64_t seed);

  // membership_join.cpp
  void start(Now now);
  void sweep(Now now);
  void note_answer(const std::string& address, Answer answer);
  bool may_choose(Now now) const;
  void choose_incarnation(Now now);
  void newcomer_seen(const Member& seen);
  void open_when_synced(Now now);
  void forget_rival(const std::string& address);
  bool join_satisfied(const std::string& address) const;
  bool is_wanted(const std::string& address) const;
  void review(Now now, const std::string& address);
  void want_while_joining(Now now);
  void want_while_running(Now now);
  void dial(Now now);
  void persist(Now now);

  // membership_learn.cpp
  Entry* learn(Now now, const Member& told, Source source);
  void learn_all(Now now, const std::vector<Member>& told);
  void begin_life(Now now, Entry& entry, const Member& told, Source source, std::optional<MemberState> from);
  void same_life(Now now, Entry& entry, const Member& told, Source source);
  void heard(Now now, Entry& entry, Source source);
  void relocate(Entry& entry, const Member& told);
  void mark_left(Now now, Entry& entry, std::string why);
  void apply(Now now, const FailureDetector::Tick& tick);
  void change(Entry& entry, std::optional<MemberState> from, MemberState to, std::string why);
  void connect(Entry& entry);
  void disconnect(Entry& entry);
  enum class Fetching : std::uint8_t { No, Yes };
  Fetching fetch_roster(Now now, const Entry& entry, std::uint64_t their_hash);
  void complete_roster(Now now, const std::string& address, const Entry& answerer, const HelloReply& reply);

  // membership_names.cpp
  void own_name_seen(Now now, const Member& told, Source source);
  void own_name_seen_while_joining(const Member& told, Source source);
  void own_name_seen_while_running(Now now, const Member& told, Source source);
  bool answers_taken(const Member& asker) const;
  void on_rival_answer(Now now, const std::string& address, const HelloReply& reply);
  void fence(Now now, const Member& higher);
  void give_up_when_overdue(Now now);

  // membership_roster.cpp
  Entry* find(std::string_view name) const;
  Entry& add(const std::string& name);
  void erase(const std::string& name);
  void recount(Entry& entry);
  void uncount(Entry& entry) { count(entry, {}); }  // before the address changes
  void count(Entry& entry, Counted next);
  template <class Visit>  // void(const Member&), in name order, self included
  void visit_members(Visit visit) const;
  RosterPage page(std::string_view after) const;
  std::uint64_t hash() const { return members_hash + own_hash; }
  std::vector<std::string> alive_addresses() const;

  // membership_tails.cpp
  std::optional<std::uint64_t> collect_tails(const Member& gone);
  void cancel_tails(Entry& back);
  void ask_for_tails(Now now);
  void stop_asking();

  bool is_own_address(const std::string& address) const { return own_addresses.contains(address); }
  Duration barrier_timeout() const { return config.redial_max + config.connect_timeout; }
  void log(effect::LogLine::Level level, std::string text);
  bool ticks() const { return phase == Phase::Joining || phase == Phase::Running; }
  void changed() { swept_needed = true; }
  void roster_changed();

  MembershipConfig config;
  Self self;
  Member own;  // as told to others
  Rng rng;
  FailureDetector detector;
  MembershipDialer dialer;

  Phase phase = Phase::Idle;
  Incarnation incarnation = 0;
  Incarnation highest_own = 0;  // the highest anybody, this node's files included, knows of the own name
  SteadyTime started_at;
  SteadyTime chosen_at;
  SteadyTime next_heartbeat;
  bool open = false;

  std::map<std::string, Entry, std::less<>> members;         // without this node
  std::unordered_map<std::string_view, Entry*> by_name;      // of members
  std::uint64_t members_hash = 0;
  std::uint64_t own_hash = 0;
  std::size_t alive = 0;    // without this node
  std::size_t awaited = 0;
  std::set<std::string> closing;  // members with a close_at
  std::map<std::string, Incarnation> forgotten;
  std::optional<Member> winner;   // who fenced this node
  /// Receivers synced before this node had heard of them, or of their present life, and until when that counts.
  std::map<std::string, SteadyTime> early_synced;
  std::set<std::string> newcomers;       // seen without incarnation while this node was starting: about to be members

  std::set<std::string> own_addresses;
  std::set<std::string> join_addresses;
  std::map<std::string, Asked> asked;
  std::map<std::string, std::string> answered_by;              // join address -> name of who answered there last
  std::unordered_map<std::string, Incarnation> greeted_with;   // address -> our incarnation in the hello under way
  std::map<std::string, Rival> rivals;                    // by address, while joining
  std::set<std::string> questions;                        // addresses of a lower life of the own name, to be asked once
  std::set<BootId> rivals_asked;                          // by what others told
  std::set<BootId> rivals_reported;
  std::set<std::string> version_reported;
  bool bound_reported = false;
  bool left_reported = false;

  MembershipAddresses addresses;
  std::vector<std::string> to_review;  // wanted for another reason than before, or not any more
  bool roster_awaited = false;         // the barrier waits for what the first answers did not carry

  std::deque<Origin> gone;             // whose tails are asked for, from number gone_begin on; incarnation 0: back
  std::size_t gone_open = 0;           // of them not back
  std::uint64_t gone_begin = 0;
  std::string asked_last;              // the round goes on behind this member
  std::optional<SteadyTime> asked_tails_at;

  std::map<std::string, Fetch> fetches;
  SteadyTime fetch_window;
  std::optional<SteadyTime> fetched_at;
  std::set<std::uint64_t> fetched_hashes;  // within the present window

  bool swept_needed = false;
  std::optional<SteadyTime> swept_at;
  bool unsaved = false;
  std::optional<SteadyTime> saved_at;
  Duration save_pause{0};  // from saved_at on

  std::vector<MembershipEffect> effects;
};

}  // namespace legion
