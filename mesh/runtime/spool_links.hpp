// The node's end of the journal links: one connection to each spool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/log.hpp>
#include <legion/base/time.hpp>
#include <legion/core/journal.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/poller.hpp>
#include <legion/transport/spool_sockets.hpp>

namespace legion {

/// Carries messages between a Journal and the spools.
///
/// Thread: the loop's. Order: per spool as the journal sends and as the spool answers; a new connection is told to the
/// journal before anything that comes over it. Bounds: what ZeroMQ does not take at once waits here, at most what the
/// windows of the spools allow (frames are shared with the journal, not copied); a turn reads `messages_per_turn` of
/// each spool. What waits when a connection ends is dropped: the journal resends what the next one lacks.
class SpoolLinks {
 public:
  static constexpr std::size_t messages_per_turn = 256;
  SpoolLinks(transport::Context& context, transport::SpoolClientOptions options)
      : context_(context), options_(options) {}

  /// `spool` is the node name, `uri` numeric. Where there is a connection to another address it is given up; to the
  /// same one it stays. Errors: InvalidArgument, Io.
  Result<void> connect(const std::string& spool, const std::string& uri);
  /// The spool has left. The journal is told by the caller (on_spool_gone).
  void disconnect(const std::string& spool);
  bool has(const std::string& spool) const { return links_.contains(spool); }

  /// News and messages into `journal`, and on with what waits. Call it every turn; the journal's effects are the
  /// caller's to take.
  void pump(Now now, Journal& journal);
  void send(const Journal::Send& effect);

  bool may_have_input() const;
  /// ZeroMQ has taken everything that was sent. What it has not passed on when this is destroyed gets half a second.
  bool drained() const;
  /// All connections, those to come included, are waited for in `poller`, which lives as long as they are made.
  void watch(transport::Poller& poller);

  bool up(const std::string& spool) const;
  std::size_t size() const { return links_.size(); }
  /// Messages that could not be read.
  std::uint64_t bad_messages() const { return bad_messages_; }

 private:
  struct Outgoing {
    Bytes head;
    SharedBytes frame;
  };
  struct Link {
    std::unique_ptr<transport::SpoolClient> client;
    std::deque<Outgoing> waiting;
    bool told_up = false;  // to the journal
  };
  void pump(Now now, Journal& journal, const std::string& spool, Link& link);
  void read(Now now, Journal& journal, const std::string& spool, Link& link, std::size_t messages_max);
  static void send_waiting(Link& link);

  transport::Context& context_;
  const transport::SpoolClientOptions options_;
  transport::Poller* poller_ = nullptr;
  std::map<std::string, Link, std::less<>> links_;
  std::vector<std::string> reconnected_;  // to another address: the journal has to hear that the former one ended
  std::uint64_t bad_messages_ = 0;
};

}  // namespace legion
