// What happened, as those outside the product saw it: publishers, handlers, processes. Checkers read nothing else of a
// run, and what the nodes and the stores say of themselves at the end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>
#include <legion/event/journal.hpp>
#include <legion/runtime/agent.hpp>

namespace legion::sim {

/// An event of the workload: the publisher in one of its lives (high half), and its count there from 1. 0: not ours.
using Tag = std::uint64_t;
using LifeNo = std::uint32_t;    ///< into History::lives
using StreamNo = std::uint32_t;  ///< into History::streams

struct Place {
  StreamNo stream = 0;
  std::uint64_t sequence = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

/// A process that hosts a node.
struct Life {
  std::size_t host = 0;
  std::uint32_t number = 0;  ///< of the host, from 1
  SteadyTime began{};
  std::optional<SteadyTime> ended{};
  std::optional<SteadyTime> stopping{};  ///< SIGTERM was given
  enum class End : std::uint8_t { Running, Killed, Clean, ByItself, NeverStarted } end = End::Running;
  /// Of its directory when it began. The file of what is in hands is never synced: a machine that dies takes it along.
  enum class State : std::uint8_t { Kept, InFlightLost, Lost } state = State::Kept;
  bool drained = true;  ///< of Clean: everything held was handled
  int exit_code = 0;  ///< of ByItself
  std::string message{};
};

struct Publishing {
  Tag tag = 0;
  LifeNo life = 0;
  std::uint16_t type = 0;  ///< of the plan
  std::string key;
  SteadyTime at{};
  PublishStatus answer = PublishStatus::Queued;
  std::optional<Place> place{};  ///< its id, once told
  std::optional<SteadyTime> numbered{};
  std::optional<SteadyTime> confirmed{};
  std::size_t copies = 0;  ///< on disks, at the moment of the confirm
  bool asked_for_confirm = false;
  bool numbering_failed = false;  ///< told with an empty id
};

enum class Ending : std::uint8_t { Open, Done, Stop, Reject, Retry };
std::string_view to_string(Ending ending);

/// One hand-over of one event to one handler.
struct HandOver {
  SteadyTime at{};
  LifeNo life = 0;
  std::uint32_t subscription = 0;  ///< of the plan
  Place place{};
  Tag tag = 0;
  std::uint32_t attempt = 1;
  bool replayed = false;
  bool deferred = false;
  std::optional<std::size_t> copies{};  ///< on disks, of a held event whose confirm had not been told yet
  Ending ending = Ending::Open;
  SteadyTime ended{};  ///< unless Open
  std::string key;
};

/// What an operator was told to do and what came of it.
struct Operation {
  SteadyTime at{};
  std::string what;  ///< "requeue", "skip", ..
  std::string subscription;  ///< durable name; of requeue and purge: the agent
  std::string subject;  ///< event id, stream
  std::optional<SteadyTime> answered{};
  bool ok = false;
  std::string answer;
};

struct AgentAway {
  LifeNo life = 0;
  std::size_t agent = 0;  ///< of the host
  SteadyTime at{};
};

struct Pause {
  LifeNo life = 0;
  SteadyTime from{};
  std::optional<SteadyTime> to{};
};

/// Thread: everything runs on one real thread; nothing here waits, so no simulated process is killed in the middle.
class History {
 public:
  std::vector<Life> lives;
  std::vector<Publishing> publishings;
  std::vector<HandOver> hand_overs;  ///< in the order in which they happened
  std::vector<StreamId> streams;
  std::vector<Operation> operations;
  std::vector<AgentAway> agents_away;
  std::vector<Pause> pauses;
  struct Line {
    SteadyTime at{};
    LifeNo life = 0;
    LogLevel level = LogLevel::Error;
    std::string text;
  };
  std::vector<Line> errors;  ///< log lines of level error
  std::vector<std::string> oddities;  ///< what the agents found wrong by themselves
  struct StoreLoss {
    SteadyTime at{};
    std::size_t host = 0;
    std::string what;
  };
  std::vector<StoreLoss> store_losses;  ///< by the plan: disks wiped, blocks damaged

  struct WallStep {
    SteadyTime at{};
    std::size_t host = 0;
    Duration by{};
  };
  std::vector<WallStep> wall_steps;

  /// A frame or a tail marker that an origin had for a host. Only where queues are so short that the last ones of a
  /// stream may all be dropped.
  struct Sent {
    SteadyTime at{};
    std::uint64_t next = 0;  ///< the sequence behind it
    bool dropped = false;  ///< the queue for that host was full
  };
  std::map<std::pair<std::size_t, StreamNo>, std::vector<Sent>> sent;  ///< by the host it was for
  void sent_to(std::size_t host, std::string_view message, Sent sent);
  /// Until then whatever could have told this host of the event was dropped at a full queue, and something was.
  bool is_unheard(std::size_t host, const Place& place, SteadyTime until) const;

  StreamNo stream_of(const StreamId& stream);
  Place place_of(const EventId& id);
  std::string id_text(const Place& place) const;

  std::size_t attempted(Publishing publishing);
  void numbered(std::size_t publishing, const std::string& id, SteadyTime at);
  const Publishing* published(Tag tag) const;
  const Publishing* published_at(const Place& place) const;

  std::size_t handed(HandOver hand_over);
  void ended(std::size_t hand_over, Ending ending, SteadyTime at);

  /// Of every stream how many events were numbered in it, as far as anybody was told.
  const std::map<StreamNo, std::uint64_t>& tails() const { return tails_; }

  /// Everything about one event, a line each, for whoever reads a violation.
  std::string story(const Place& place) const;
  std::string name_of(LifeNo life) const;
  std::vector<std::string> host_names;

 private:
  std::map<StreamId, StreamNo> stream_numbers_;
  std::unordered_map<Tag, std::size_t> by_tag_;
  std::map<Place, std::size_t> by_place_;
  std::map<StreamNo, std::uint64_t> tails_;
};

/// "12.345678", seconds since the run began.
std::string text_of(SteadyTime at);

}  // namespace legion::sim
