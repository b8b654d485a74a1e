// Reads the lanes of other nodes: links, subscriptions, sync echoes. The same for a node and for an observer.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/log.hpp>
#include <legion/core/ledger.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/frame_pool.hpp>
#include <legion/runtime/subscriptions.hpp>
#include <legion/transport/lane_subscriber.hpp>
#include <legion/transport/link_supervisor.hpp>

namespace legion {

struct MeshReaderOptions {
  std::vector<Priority> lanes{all_priorities.begin(), all_priorities.end()};
  Duration redial_max = 2s;
  Duration connect_timeout = 3s;
  Duration sync_retry = 500ms;  ///< a sync without a complete echo is begun again with a fresh nonce
};

/// Thread: the owner's. Bounds: per peer and lane what the transport's settings state.
/// Errors: what a peer sends wrong costs that message and is counted in refused().
class MeshReader {
 public:
  /// `ledger` outlives the reader.
  static Result<std::unique_ptr<MeshReader>> create(transport::Context& context, MeshReaderOptions options,
                                                    Ledger& ledger, LogSink log);

  /// Asks every peer for what matches `filter`; counted, so each call needs its unsubscribe(). agent.heartbeat goes on
  /// the critical lane only.
  void subscribe(const Filter& filter);
  void unsubscribe(const Filter& filter);
  /// After the ledger has taken in a subscription: every link is synced again, from where on it is booked.
  void sync_all(Now now);

  /// `lane_uris` are numeric, indexed by lane. Links to another address of the same name are replaced.
  void connect(Now now, const std::string& name, const std::array<std::string, limits::lane_count>& lane_uris);
  void disconnect(Now now, const std::string& name);
  /// The peer was declared dead: links that are up and silent are dialled again.
  void suspect(Now now, const std::string& name);
  /// It lives another life: links to the last one that nobody has ended are dialled again.
  void succeed(Now now, const std::string& name);

  std::vector<transport::Pollable> pollables() const;

  /// `frame` has been entered into the ledger; `verdict.routes` is valid during the call.
  using OnFrame = std::function<void(const FramePtr& frame, const FrameVerdict& verdict)>;
  /// Reads at most `max` messages of one lane. Data frames and markers are entered into the ledger by their header and
  /// then reported; sync parts are handled here. A frame whose header does not decode is refused before it is entered,
  /// so what it carried is found missing like anything else that never arrived. Returns how many messages were read.
  std::size_t drain(Now now, Priority lane, std::size_t max, const OnFrame& on_frame);
  /// drain() of some lane may find something.
  bool may_have_input() const;

  /// Monitors that have news, with what follows from it; every few milliseconds supervision, overdue and finished
  /// syncs. Call it every turn.
  void on_tick(Now now);

  /// Called whenever the sync of (origin, lane) completed.
  std::function<void(const std::string& origin, Priority lane)> on_synced;
  /// Called with the tails of every part of an echo.
  std::function<void(const Origin& origin, Priority lane, const std::vector<Tail>& tails)> on_tails;
  /// Called whenever a lane to a peer goes down.
  std::function<void(const std::string& name, Priority lane)> on_link_down;

  /// Messages refused, by reason: bad_frame, wrong_version, bad_sync, multipart.
  std::map<std::string, std::uint64_t, std::less<>> refused() const;
  std::uint64_t redials() const;

 private:
  struct Lane {
    Priority priority;
    std::unique_ptr<transport::LaneSubscriber> socket;
    transport::LinkSupervisor supervisor;
    std::map<std::string, std::string, std::less<>> peer_of_uri;
  };
  using LaneUris = std::array<std::string, limits::lane_count>;

  MeshReader(MeshReaderOptions options, Ledger& ledger, LogSink log);
  Lane* lane_of(Priority priority);
  void begin_sync(Now now, Lane& lane, const std::string& peer);
  void carry_out(Now now, Lane& lane);
  void close_links(Now now, const std::string& name, const LaneUris& uris);
  void give(Now now, Lane& lane, const std::string& uri, const std::string& name);
  void begin_overdue_syncs(Now now);
  void drop_retired_syncs();
  FramePtr accept(Priority priority, transport::Message& message);

  MeshReaderOptions options_;
  Ledger& ledger_;
  LogSink log_;
  FramePool frames_;
  transport::MessagePool messages_;
  std::vector<Lane> lanes_;
  std::map<std::string, LaneUris, std::less<>> peers_;
  std::array<PrefixCounts, limits::lane_count> prefixes_;
  SteadyTime next_sweep_;
  std::map<std::string, std::uint64_t, std::less<>> refused_;
};

}  // namespace legion
