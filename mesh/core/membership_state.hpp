// The inside of Membership, shared by its sources; nobody else includes it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/failure_detector.hpp>
#include <legion/core/membership.hpp>
#include <legion/core/membership_dialer.hpp>

namespace legion {

/// Thread, order and bounds: those of Membership. The sources: membership.cpp routes the inputs, membership_join.cpp
/// chooses the incarnation and dials, membership_learn.cpp keeps the members, membership_names.cpp guards the own name.
struct Membership::State {
  enum class Phase : std::uint8_t { Idle, Joining, Running, Fenced, GaveUp, Left };

  /// How a fact about a member came in. Only the first two come from the member itself.
  enum class Source : std::uint8_t { Heartbeat, Hello, Told, Kept };

  struct Entry {
    Member member;             // `state` is this node's own view
    bool judged_here = false;  // dead by our own detector: others calling it alive no longer counts
    bool connected = false;    // ConnectPeer was given for this life
    bool introduced = false;   // it answered a hello, or sent us one, that carried our incarnation
    bool synced = false;       // it has been given a complete sync echo of ours
    std::optional<SteadyTime> close_at{};  // the links of one that left
  };

  /// What a join or kept address said while this node was choosing its incarnation.
  enum class Answer : std::uint8_t { None, Member, Newcomer, Ourselves, Refused, Silent };

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
  void open_when_synced(Now now);
  std::set<std::string> wanted_addresses() const;
  bool join_satisfied(const std::string& address) const;
  void dial(Now now);
  void persist(Now now);

  // membership_learn.cpp
  void learn(Now now, const Member& told, Source source);
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
  void collect_tails(const Member& gone);
  void fetch_roster(Now now, const Entry& entry, std::uint64_t their_hash);

  // membership_names.cpp
  void own_name_seen(Now now, const Member& told, Source source);
  void own_name_seen_while_joining(const Member& told, Source source);
  void own_name_seen_while_running(Now now, const Member& told, Source source);
  bool answers_taken(const Member& asker) const;
  void on_rival_answer(Now now, const std::string& address, const HelloReply& reply);
  void fence(Now now, const Member& winner);
  void give_up_when_overdue(Now now);

  Member self_member() const;
  std::vector<Member> roster() const;
  std::uint64_t hash() const;
  std::vector<std::string> alive_addresses() const;
  bool is_own_address(const std::string& address) const { return own_addresses.contains(address); }
  Duration barrier_timeout() const { return config.redial_max + config.connect_timeout; }
  void log(effect::LogLine::Level level, std::string text);
  void changed() { swept_needed = true; }
  void roster_changed();

  MembershipConfig config;
  Self self;
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

  std::map<std::string, Entry> members;  // without this node
  std::map<std::string, Incarnation> forgotten;
  std::set<std::string> early_synced;    // receivers synced before this node had heard of them
  std::set<std::string> newcomers;       // seen without incarnation while this node was starting: about to be members

  std::set<std::string> own_addresses;
  std::map<std::string, Answer> asked;
  std::map<std::string, std::string> answered_by;         // join address -> name of who answered there last
  std::map<std::string, Incarnation> greeted_with;        // address -> our incarnation in the hello under way
  std::map<std::string, Rival> rivals;                    // by address, while joining
  std::set<std::string> questions;                        // addresses of a lower life of the own name, to be asked once
  std::set<BootId> rivals_asked;                          // by what others told
  std::set<BootId> rivals_reported;
  std::set<std::string> version_reported;
  bool bound_reported = false;
  bool left_reported = false;

  std::map<std::string, Fetch> fetches;
  SteadyTime fetch_window;
  std::set<std::uint64_t> fetched_hashes;  // within the present window

  bool swept_needed = false;
  std::optional<SteadyTime> swept_at;
  bool unsaved = false;
  std::optional<SteadyTime> saved_at;
  mutable std::optional<std::uint64_t> known_hash;

  std::vector<MembershipEffect> effects;
};

}  // namespace legion
