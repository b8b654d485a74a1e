// The simulated network under the simulated ZeroMQ: hosts by IP address, links between them, and what befalls both.
//
// It is TCP: an established connection loses and reorders nothing while it lasts. Messages are lost where ZeroMQ loses
// them: at a high-water mark, with a connection, before a subscription arrives.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/time.hpp>

#include "connection.hpp"
#include "context.hpp"
#include "kernel/kernel.hpp"
#include "session.hpp"

namespace legion::sim {

/// One way from a host to another.
struct LinkSettings {
  Duration delay{100us};
  Duration jitter{50us};              ///< evenly in [0, jitter), on top
  std::uint64_t bytes_per_second = 0;  ///< shared by all connections that way; 0: no limit
};

struct Host {
  std::string ip;
  std::size_t number = 0;
  bool known = false;  ///< some process is or was there; nobody answers otherwise
  bool off = false;
  std::map<std::uint16_t, Socket*> listeners;
};

struct Link {
  Host* from = nullptr;
  Host* to = nullptr;
  LinkSettings settings;
  bool blocked = false;
  bool refused = false;        ///< whoever dials that way is told so
  SteadyTime clogged_until{};
  SteadyTime free_at{};        ///< the bytes that were given to it have left
  bool is_cut() const { return blocked || from->off || to->off; }
  bool passes() const { return !is_cut() && clogged_until <= Kernel::get().now(); }
};

struct NetworkSettings {
  LinkSettings link;                              ///< between hosts, unless set otherwise
  LinkSettings loopback{15us, 10us, 0};
  int mark_max = 0;  ///< no high-water mark of a lane is above this; 0: as the sockets ask
  Duration io_delay{15us};  ///< until an I/O thread sees what its process did
  std::size_t io_burst = 64;  ///< messages written at once that it sees without that delay
  std::uint64_t kernel_buffer_bytes = 1u << 20;  ///< both ends of a direction together, unless the socket sets them
};

struct NetworkFigures {
  std::uint64_t connections = 0;  ///< handshakes that succeeded, counted at the dialling end
  std::uint64_t refused = 0;  ///< attempts that were refused
  std::uint64_t resets = 0;  ///< connections that ended otherwise than by a close
  std::uint64_t timeouts = 0;  ///< of these, by a kernel's time-out
  std::uint64_t messages = 0;  ///< that reached the other end's ZeroMQ
  std::uint64_t bytes = 0;
  std::uint64_t dropped_full = 0;  ///< by an XPUB for one peer, at its high-water mark
  std::uint64_t refused_full = 0;  ///< EAGAIN told to the owner
  std::uint64_t lost_with_connection = 0;  ///< whole messages that were given to ZeroMQ and never arrived
};

/// What becomes of a message that an XPUB has for one peer.
enum class Published : std::uint8_t { Queued, DroppedFull };
/// Is told the peer's IP address and the first part of the message.
using OnPublished = std::function<void(const std::string& to, std::string_view text, Published what)>;

/// What waits somewhere, of one session: for bounds on memory.
struct Held {
  std::string process;
  std::string endpoint;
  std::size_t to_send = 0;  ///< messages or parts of them in ZeroMQ
  std::size_t in_kernels = 0;
  std::uint64_t kernel_bytes = 0;
  std::size_t to_read = 0;
};

/// Thread: the scheduler and the fibers, which are one thread.
class Network {
 public:
  static Network& get();
  /// After Kernel::reset(): no host, no link, no figures.
  void reset(NetworkSettings settings = {});

  /// Sockets that this process opens from now on live on this host. A process that was not placed is on 127.0.0.1, or
  /// where the first address is that it binds.
  void place(const Process& process, const std::string& ip);

  /// Of a link that becomes faster also what is already on its way.
  void set_link(const std::string& from, const std::string& to, LinkSettings settings);
  void set_all_links(LinkSettings settings);
  /// Nothing passes this way; established connections stall and time out, new ones find no answer.
  void block(const std::string& from, const std::string& to);
  void unblock(const std::string& from, const std::string& to);
  /// Whoever dials this way is refused, as by a firewall that says so. Established connections go on.
  void refuse(const std::string& from, const std::string& to);
  void admit(const std::string& from, const std::string& to);
  /// Nothing moves this way for so long; nothing is lost.
  void clog(const std::string& from, const std::string& to, Duration how_long);
  void unclog(const std::string& from, const std::string& to);
  /// Every connection between the two ends now, seen by both.
  void reset_connections(const std::string& a, const std::string& b);
  /// The power fails: its processes have to be killed afterwards, and nobody is told. A host that is on again answers
  /// what belongs to its former life with a reset.
  void power_off(const std::string& ip);
  void power_on(const std::string& ip);
  bool is_open(const std::string& from, const std::string& to);

  /// Until the next reset(): is told of every message of an XPUB, once for each peer with a connection that wants it.
  void watch_published(OnPublished watcher) { on_published_ = std::move(watcher); }

  const NetworkFigures& figures() const { return figures_; }
  std::vector<Held> held() const;
  const NetworkSettings& settings() const { return settings_; }

  // For the simulated ZeroMQ.
  Context& make_context();
  /// Or an errno.
  std::expected<std::uint16_t, int> listen(Socket& socket, const TcpUri& at);
  void unlisten(Socket& socket, std::uint16_t port);
  Session& make_session(Socket& socket, const std::string& uri);
  Session& accept(Connection& connection);
  Session* session(std::uint64_t id);
  /// The backlog of a socket that closes.
  void forget(Socket& socket, Socket::Ending ending);
  bool has_sessions(const Context& context) const;
  /// Of a process that died: what lingered of its closed sockets.
  void end_sessions(const Context& context);
  void retire(Session& session);
  void retire(Connection& connection);
  /// Sends a SYN, and again when it finds no answer.
  void dial(std::uint64_t session, std::uint32_t attempt, std::uint32_t tried);
  Link& link(Host& from, Host& to);
  Host& host(const std::string& ip);
  Connection* connection(std::uint64_t id);
  NetworkFigures& count() { return figures_; }
  bool is_published_watched() const { return on_published_ != nullptr; }
  void tell_published(const Pipe& pipe, std::string_view text, Published what);
  void count_lost(const Ring<Msg>& parts);

 private:
  Network() = default;
  Session& keep(std::unique_ptr<Session> fresh);
  void on_syn(std::uint64_t session, std::uint32_t attempt);
  void on_syn_ack(std::uint64_t connection, std::uint64_t session, std::uint32_t attempt);
  Host& dialled(Session& session, const TcpUri& uri);
  void on_path_change(const Host& a, const Host& b);
  std::vector<Connection*> between(const Host& a, const Host& b);

  NetworkSettings settings_;
  NetworkFigures figures_;
  OnPublished on_published_;
  std::vector<std::unique_ptr<Context>> contexts_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::vector<std::unique_ptr<Link>>> links_;  // from, to
  std::map<std::uint64_t, std::string> places_;  // of processes
  std::map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Session>> retired_sessions_;  // until the next event: somebody may still be inside
  std::vector<std::unique_ptr<Connection>> retired_connections_;
  std::uint64_t last_id_ = 0;
  std::vector<Session*> session_of_id_;        // the same, by id: every message asks
  std::vector<Connection*> connection_of_id_;
};

}  // namespace legion::sim
