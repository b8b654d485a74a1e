// Decides which link of a LaneSubscriber has to be dialled again, because ZeroMQ gives up after a protocol error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/time.hpp>
#include <legion/transport/monitor_event.hpp>

namespace legion::transport {

struct LinkSupervisorOptions {
  /// A loss that ZeroMQ does not follow with a new attempt within this time is for good.
  Duration give_up_after = 500ms;
  Duration redial_first = 200ms;
  Duration redial_max = 2s;
  /// A lost link is redialled only when nothing was read from it for so long: a redial discards what was received and
  /// not read yet. Never put off for longer than redial_max.
  Duration quiet_after = 250ms;
  /// A link that was heard within this time is not half open, whatever became of its peer's heartbeats.
  Duration alive_after = 3s;
  /// An attempt without any news for so long is taken for dead. Above connect time-out + handshake time-out +
  /// redial_max.
  Duration stalled_after = 15s;
};

enum class LinkEffectKind : std::uint8_t {
  Up,  ///< (again) connected: call process_commands(), then subscribe to a fresh sync topic
  Down,  ///< what was sent since the last frame read may be lost
  Redial  ///< disconnect(uri), then connect(uri)
};

struct LinkEffect {
  LinkEffectKind kind = LinkEffectKind::Down;
  std::string uri;
  friend bool operator==(const LinkEffect&, const LinkEffect&) = default;
};

/// One per LaneSubscriber. A pure state machine: no clock, no socket.
/// Order: carry out drain_effects() in order, after every batch of inputs.
/// Bounds: one record per uri.
class LinkSupervisor {
 public:
  explicit LinkSupervisor(LinkSupervisorOptions options = {}) : options_(options) {}

  /// The caller has connected to `uri`. A uri that is known starts anew.
  void on_connect(SteadyTime now, const std::string& uri);
  void on_disconnect(const std::string& uri);
  /// Events of other endpoints are ignored.
  void on_monitor_event(SteadyTime now, const MonitorEvent& event);
  /// A frame came over this link.
  void on_heard(SteadyTime now, const std::string& uri);
  /// The peer was declared dead: a link that is up and silent is half open and will be redialled.
  void on_suspect(SteadyTime now, const std::string& uri);
  /// The peer lives another life: a link that has long been up, and says nothing now either, is half open and will be
  /// redialled.
  void on_succeeded(SteadyTime now, const std::string& uri);
  void on_tick(SteadyTime now);

  std::vector<LinkEffect> drain_effects();
  /// When on_tick() has something to do next; nullopt: nothing is pending.
  std::optional<SteadyTime> next_deadline() const;
  bool is_up(const std::string& uri) const;
  std::uint64_t redials() const { return redials_; }

 private:
  enum class State : std::uint8_t {
    Dialling,  // ZeroMQ is at it; deadline: when that is no longer believed
    Up,  // no deadline
    Lost  // deadline: when we dial ourselves
  };
  struct Link {
    State state = State::Dialling;
    SteadyTime deadline;
    SteadyTime lost_at;
    SteadyTime up_since;
    std::optional<SteadyTime> heard;
    std::optional<SteadyTime> redialled;
    std::int32_t fd = -1;  // of the TCP connection, to tell a stale Disconnected from a real one
    std::uint32_t attempts = 0;  // own redials since the link was last stable
    bool suspected = false;
  };

  void dialling(SteadyTime now, Link& link);
  void lost(SteadyTime now, const std::string& uri, Link& link);
  void redial(SteadyTime now, const std::string& uri, Link& link);
  Duration back_off(const std::string& uri, const Link& link) const;
  void set_deadline(Link& link, SteadyTime deadline);

  const LinkSupervisorOptions options_;
  std::map<std::string, Link, std::less<>> links_;
  std::vector<LinkEffect> effects_;
  std::uint64_t redials_ = 0;
  // No link has anything to do before: an owner asks every few milliseconds, and has a link for each of its peers.
  SteadyTime next_due_ = never;
  static constexpr SteadyTime never{INT64_MAX};
};

}  // namespace legion::transport
