// What nodes tell each other on the control port, in heartbeats and in sync echoes. Wire form: docs/protocol.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/ids.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>
#include <legion/event/journal.hpp>

namespace legion {

inline constexpr std::uint8_t protocol_version = 1;
inline constexpr std::uint8_t protocol_version_min = 1;

/// Full URIs, as peers have to dial them: "tcp://10.0.0.5:7400".
struct Endpoints {
  std::string control;
  std::array<std::string, limits::lane_count> lanes;
  std::string spool;  ///< empty: the node is no spool
  friend bool operator==(const Endpoints&, const Endpoints&) = default;
};

enum class MemberState : std::uint8_t { Alive, Suspect, Dead, Left };
std::string_view to_string(MemberState state);  ///< "alive", "suspect", "dead", "left"

/// One entry of a roster. `state` is the teller's view; a receiver uses it only for members it never heard itself,
/// except Left, which is a fact about that incarnation.
struct Member {
  std::string name;
  Incarnation incarnation = 0;  ///< 0 only in the hello of a newcomer that has not chosen yet
  BootId boot;
  Endpoints endpoints;
  std::vector<std::string> roles;
  std::string version;          ///< product version, for people
  MemberState state = MemberState::Alive;
  friend bool operator==(const Member&, const Member&) = default;
};

struct HelloRequest {
  std::uint8_t version_min = protocol_version_min;
  std::uint8_t version_max = protocol_version;
  bool observer = false;  ///< wants the roster only; `self` carries just a name and a boot id then
  Member self;
};

struct HelloReply {
  std::uint8_t version = protocol_version;  ///< the version of this link
  Member self;                              ///< who answers
  Incarnation highest_incarnation = 0;      ///< the highest known of the asker's name, 0 if none
  bool name_taken = false;                  ///< the answerer itself lives under the asker's name with another boot id
  std::uint64_t roster_hash = 0;            ///< the answerer's; 0: not told
  std::vector<Member> roster{};             ///< first page; empty towards members, who compare `roster_hash` instead
  bool more = false;                        ///< there are further pages
};

/// Members in name order, at most limits::roster_page_members of them.
struct RosterPage {
  std::vector<Member> members;
  bool more = false;  ///< ask again for what comes after the last one
};

/// What a spool says of its store in every heartbeat.
struct StoreMark {
  StoreId store;
  std::uint64_t mark = 0;  ///< number that the next frame committed there will get: it moves when there is something new
  bool frozen = false;     ///< nothing is confirmed any more until the spool has been restarted
  friend bool operator==(const StoreMark&, const StoreMark&) = default;
};

/// Data of an `agent.heartbeat` event.
struct Heartbeat {
  Member self;
  bool leaving = false;                      ///< the goodbye: nothing follows from this incarnation
  std::uint64_t roster_hash = 0;             ///< over (name, incarnation, endpoints) of all members that have not left
  std::string policy_hash;
  Duration interval{};                       ///< the sender's heartbeat interval
  std::vector<std::pair<std::string, std::string>> agents;  ///< name, state
  std::array<std::uint64_t, limits::lane_count> lane_depth{};
  std::map<std::string, std::uint64_t> lost;                ///< reason -> events, over the sender's subscriptions
  bool degraded = false;                     ///< fewer spools are reachable from the sender than its confirms need
  std::optional<StoreMark> spool;            ///< of a spool
};

/// Where a stream of the teller stands: the next sequence to go out on the XPUB.
struct Tail {
  std::string type;
  std::uint8_t shard = 0;
  std::uint64_t next_sequence = 1;
  friend auto operator<=>(const Tail&, const Tail&) = default;
};
using LaneTails = std::array<std::vector<Tail>, limits::lane_count>;  ///< by lane

/// One numbered part of a sync echo.
struct SyncPart {
  Origin origin;
  Priority lane = Priority::Normal;
  std::uint32_t part = 0;  ///< 0, 1, 2...
  bool last = false;
  std::vector<Tail> tails;
};

/// `~sync.<origin>.<receiver>.<nonce>` without the closing NUL. `receiver` is a node name, or `~` and hex digits for an
/// observer.
struct SyncTopic {
  std::string origin;
  std::string receiver;
  std::uint64_t nonce = 0;
  friend auto operator<=>(const SyncTopic&, const SyncTopic&) = default;
  std::string to_string() const;
  /// Errors: BadData.
  static Result<SyncTopic> parse(std::string_view topic);
};

/// Members encode as maps with string keys; unknown keys are skipped, so that a later version may add some.
/// All decoders are bounded (legion/base/limits.hpp) and answer BadData with the offending key.
Bytes encode(const HelloRequest& request);
Bytes encode(const HelloReply& reply);
Bytes encode(const Heartbeat& heartbeat);
Bytes encode(const std::vector<Member>& roster);
Bytes encode(const RosterPage& page);
Bytes encode(const std::vector<Tail>& tails);
Result<HelloRequest> decode_hello_request(BytesView bytes);
Result<HelloReply> decode_hello_reply(BytesView bytes);
Result<Heartbeat> decode_heartbeat(BytesView bytes);
Result<std::vector<Member>> decode_roster(BytesView bytes);
Result<RosterPage> decode_roster_page(BytesView bytes);
Result<std::vector<Tail>> decode_tails(BytesView bytes);

/// The whole ZeroMQ part: topic, NUL, MessagePack array.
Bytes encode_sync_part(const SyncTopic& topic, const SyncPart& part);
struct ReceivedSyncPart {
  SyncTopic topic;
  SyncPart part;
};
/// `bytes` begins with "~sync.".
Result<ReceivedSyncPart> decode_sync_part(BytesView bytes);

/// A control message: `[0, id, method, params]` or `[1, id, error, result]`; error is nil or [code name, message].
struct RpcRequest {
  std::uint64_t id = 0;
  std::string method;
  Bytes params;  ///< one MessagePack value
};
struct RpcReply {
  std::uint64_t id = 0;
  std::string error_code;  ///< empty: success
  std::string error_message;
  Bytes result;            ///< one MessagePack value, nil on error
};
/// `[2, method, params]`: nobody answers it.
struct RpcNotification {
  std::string method;
  Bytes params;  ///< one MessagePack value
};

Bytes encode(const RpcRequest& request);
Bytes encode(const RpcReply& reply);
Result<RpcRequest> decode_rpc_request(BytesView bytes);
Result<RpcReply> decode_rpc_reply(BytesView bytes);
Bytes encode(const RpcNotification& notification);
Result<RpcNotification> decode_rpc_notification(BytesView bytes);
/// Of what may be either: a request has the tag 0, a notification 2.
bool is_rpc_notification(BytesView bytes);

/// Over (name, incarnation, endpoints): h begins as the incarnation; for name, control, the four lanes and spool, in
/// this order, h becomes XXH3-64 of the text with seed h.
std::uint64_t member_hash(const Member& member);
/// The sum of member_hash() over every member that has not left, modulo 2^64: the order does not matter, and one change
/// is one subtraction and one addition.
std::uint64_t roster_hash(const std::vector<Member>& members);

}  // namespace legion
