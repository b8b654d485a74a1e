// Who is in the mesh, seen from one node: join, names and incarnations, liveness, rosters, leaving.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/rng.hpp>
#include <legion/base/time.hpp>
#include <legion/core/messages.hpp>

namespace legion {

struct MembershipConfig {
  std::vector<std::string> join;  ///< control URIs ("tcp://host:port"), dialled for ever
  Duration heartbeat_interval = 1s;
  Duration suspect_after = 3s;
  Duration dead_after = 10s;
  Duration redial_max = 2s;
  Duration connect_timeout = 3s;
  Duration forget_after = std::chrono::hours(24 * 7);
};

namespace effect {
/// Send hello; exactly one on_hello_reply or on_hello_failed for `address` follows (the runtime times out after
/// connect_timeout). At most one is under way per address.
struct SendHello { std::string address; HelloRequest request; };
/// Call `roster` at this control address, page by page; on_roster with each page or nothing follows.
struct FetchRoster { std::string address; };
/// Connect all lanes to this member, replacing links to an earlier incarnation or other endpoints of the same name.
struct ConnectPeer { Member peer; };
/// Close the links to this name (left, forgotten, or replaced).
struct DisconnectPeer { std::string name; };
/// From here on this node may number events. Persist it before the first publish.
struct IncarnationChosen { Incarnation incarnation; };
/// The first-sync barrier is over: everything may be published now, not heartbeats only.
struct PublishingOpen {};
/// Publish a heartbeat now (the runtime fills in what membership does not know). `leaving` is the goodbye.
struct PublishHeartbeat { bool leaving = false; };
/// Call `goodbye` at these control addresses; failures do not matter.
struct SendGoodbye { std::vector<std::string> addresses; };
/// Write roster_to_keep() to the state directory.
struct PersistRoster {};
/// `from` is absent for a member seen for the first time. `why` is one sentence for the log.
struct MemberChanged { Member member; std::optional<MemberState> from; MemberState to; std::string why; };
/// Ask the member at this control address for the tails it knows of these origins (method `tails`): they died, left or
/// were succeeded. Every alive member is asked, a few of them per tick.
struct CollectTails { std::string address; std::vector<Origin> origins; };
/// Another live process has this name and wins: stop publishing, drain, exit 70.
struct Fence { std::string message; };
/// Starting has failed for good (name in use): exit with this code (69).
struct GiveUp { int exit_code; std::string message; };
struct LogLine { enum class Level : std::uint8_t { Info, Warning, Error } level; std::string text; };
}  // namespace effect

using MembershipEffect =
    std::variant<effect::SendHello, effect::FetchRoster, effect::ConnectPeer, effect::DisconnectPeer,
                 effect::IncarnationChosen, effect::PublishingOpen, effect::PublishHeartbeat, effect::SendGoodbye,
                 effect::PersistRoster, effect::MemberChanged, effect::CollectTails, effect::Fence, effect::GiveUp,
                 effect::LogLine>;

/// What a person sees of a member (legion-cli nodes).
struct MemberView {
  Member member;                              ///< `state` is this node's own view
  std::optional<Duration> heartbeat_age;      ///< absent: never heard
  bool self = false;
};

/// Thread: owned by one thread; reads no clock. Ordering: the effects of one input are carried out in the order of
/// drain_effects() before the next input. Bounds: limits::roster_entries_max members; further ones are refused and
/// logged once. Source: docs/protocol.md, "Membership".
class Membership {
 public:
  struct Self {
    std::string name;
    BootId boot;
    Endpoints endpoints;               ///< as advertised
    std::vector<std::string> roles;
    std::string version;
    Incarnation kept_incarnation = 0;  ///< the last one of this name found in the state directory
    std::vector<Member> kept_roster;   ///< the members found in the state directory
  };

  Membership(MembershipConfig config, Self self, std::uint64_t seed);
  ~Membership();

  void start(Now now);
  /// Call at least every tick_interval, and after other inputs when wants_tick(), not waiting for anything.
  void on_tick(Now now);
  bool wants_tick() const;  ///< an input changed what a tick decides: choosing, opening, dialling, keeping; O(1)
  static constexpr Duration tick_interval = std::chrono::milliseconds(50);

  /// Answers a hello at once, whatever phase this node is in. Errors: WrongVersion.
  Result<HelloReply> on_hello(Now now, const HelloRequest& request);
  void on_hello_reply(Now now, const std::string& address, const HelloReply& reply);
  /// `refused`: the address actively refused the connection (nobody listens), as opposed to silence.
  enum class HelloFailure : std::uint8_t { Refused, TimedOut };
  /// `why`: the error text of an answer that was an error (for example wrong_version), empty otherwise.
  void on_hello_failed(Now now, const std::string& address, HelloFailure failure, std::string_view why = {});
  enum class RosterPart : std::uint8_t { More, Last };
  void on_roster(Now now, const std::vector<Member>& members, RosterPart part = RosterPart::Last);
  void on_heartbeat(Now now, const Heartbeat& heartbeat);
  void on_goodbye(Now now, const std::string& name, Incarnation incarnation);
  /// `receiver` has been given a complete sync echo of ours on every lane.
  void on_receiver_synced(Now now, const std::string& receiver);
  /// SIGTERM: says goodbye (after the runtime has drained what it wanted to send).
  void leave(Now now);

  std::vector<MembershipEffect> drain_effects();

  Incarnation incarnation() const;           ///< 0 until chosen
  bool publishing_open() const;
  const Member& self_member() const;
  std::vector<Member> roster() const;        ///< everyone known, self included, in name order
  RosterPage roster_page(std::string_view after) const;  ///< of those with an incarnation; "" begins
  std::vector<Member> roster_to_keep() const;            ///< the roster; once fenced, with the winner in the own place
  void for_each(const std::function<void(const Member&)>& visit) const;  ///< as roster(), without copies
  std::vector<MemberView> view(Now now) const;
  const Member* find(std::string_view name) const;       ///< nullptr: unknown; valid until the next input
  std::size_t size() const;                  ///< members known, self included
  std::size_t alive() const;                 ///< of them alive, self included
  std::uint64_t hash() const;                ///< roster_hash(roster()); O(1)

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace legion
