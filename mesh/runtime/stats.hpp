// A node's figures at one moment, and their wire form (docs/operations.md, "stats").
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/core/dispatcher_stats.hpp>
#include <legion/core/durable_types.hpp>
#include <legion/core/journal.hpp>
#include <legion/core/journal_inlet.hpp>
#include <legion/core/ledger.hpp>
#include <legion/core/membership.hpp>
#include <legion/runtime/middleware_chains.hpp>
#include <legion/spool/store.hpp>

namespace legion {

/// Counters with a name, for example refusals by reason. Names come from code, so the set is bounded.
using NamedCounts = std::map<std::string, std::uint64_t, std::less<>>;

struct LaneSnapshot {
  std::uint64_t published = 0;  ///< events numbered and sent from here
  std::uint64_t queued = 0;     ///< events waiting to be numbered
  std::uint64_t slow_peers = 0; ///< times a peer's queue here became full; what it lost is in its own books
  Ledger::Totals in;            ///< what arrived, own events included where somebody here wants them
};

struct SubscriptionSnapshot {
  std::string agent;
  std::string type;  ///< the filter as written
  Priority tier = Priority::Normal;
  Books books;
  std::optional<std::string> durable{};  ///< the name of a durable one
  std::optional<std::string> where{};    ///< its condition, as written
};

struct AgentSnapshot {
  std::string name;
  std::string kind;   ///< "exec", "feed", ...
  std::string state;  ///< its own words
  NamedCounts counters;
};

/// The journals of a node and their way to the spools.
struct JournalSnapshot {
  std::array<Journal::Figures, 2> journals{};  ///< by journal_index()
  std::array<std::uint64_t, 2> waiting{};      ///< Journal::waiting_events()
  std::vector<Journal::LinkFigures> links;
};

/// What a spool gets from the others.
struct SpoolCatchupFigures {
  std::uint64_t peers = 0;    ///< other spools that are connected
  std::uint64_t rounds = 0;   ///< comparisons that went to their end
  std::uint64_t missing = 0;  ///< positions another spool had and this one had not, when last compared
  std::uint64_t adopted = 0;  ///< records taken from other spools
  std::string trouble;        ///< the last one; empty: none yet
};

/// Of a node that is a spool.
struct SpoolSnapshot {
  std::string path;
  StoreId store;
  StoreFigures figures;
  JournalInlet::Figures inlet;
  SpoolCatchupFigures catchup;
  std::optional<std::string> frozen;  ///< why nothing is confirmed any more
};

struct NodeSnapshot {
  std::string node;
  Incarnation incarnation = 0;
  std::string boot;
  std::string version;
  WallTime time{};
  Duration uptime{};
  bool publishing_open = false;
  std::array<LaneSnapshot, limits::lane_count> lanes{};
  std::vector<SubscriptionSnapshot> subscriptions;
  DispatcherStats dispatcher;  ///< its agents are those of `agents`, in the same order
  std::vector<AgentSnapshot> agents;  ///< by AgentId
  std::vector<StepFigures> middleware; ///< in the order of the configuration
  NamedCounts publish;                ///< answers of publish() by status
  NamedCounts refused;                ///< bytes and requests from outside that were refused, by reason
  NamedCounts local;                  ///< the ipc pair: published, delivered, refused_<reason>
  NamedCounts dead_letters;           ///< by reason
  NamedCounts schema;                 ///< as SchemaGuard::counts()
  std::uint64_t redials = 0;          ///< links dialled again because ZeroMQ had given up
  bool degraded = false;              ///< fewer spools are reachable than confirms need
  std::optional<JournalSnapshot> journal;  ///< absent: nothing is journalled here
  std::optional<SpoolSnapshot> spool;
  std::vector<DurableFigures> durable;
};

/// A MessagePack map; its JSON is what `legion-cli stats -o json` prints for one node.
Bytes encode(const NodeSnapshot& snapshot);

/// What one node tells of another (and of itself), from the roster and from the last heartbeat.
struct NodeRow {
  MemberView view;
  std::optional<Heartbeat> heartbeat;  ///< the last one heard
  std::optional<Duration> clock_skew;  ///< its clock minus ours, delay included
};

/// A MessagePack array of maps; its JSON is what `legion-cli nodes -o json` prints.
Bytes encode(const std::vector<NodeRow>& rows);

}  // namespace legion
