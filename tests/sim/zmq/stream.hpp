// One direction of a TCP connection: what the sender's kernel holds, what is on the wire, what the receiver's kernel
// holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <legion/base/time.hpp>

#include "message.hpp"
#include "ring.hpp"

namespace legion::sim {

class Connection;
struct Link;

enum class SegmentKind : std::uint8_t {
  Data,         ///< a part of a message
  Greeting,     ///< ZMTP's handshake, in four messages: the connecter's greeting
  GreetingBack,
  Ready,        ///< the connecter's READY
  ReadyBack,
  End           ///< FIN or RST
};

struct Segment {
  SegmentKind kind = SegmentKind::Data;
  std::uint32_t bytes = 0;
  SteadyTime arrives{};
  Msg msg;
};

/// Order: segments arrive in the order they were put in, whole, and none is lost but by truncate(): it is TCP.
/// Bounds: put() is not called while has_room() says no, so at most one segment above `limit` bytes.
class Stream {
 public:
  void begin(Connection& connection, int from, Link& link, std::uint64_t limit);

  bool has_room() const { return bytes_ < limit_; }
  std::uint64_t bytes() const { return bytes_; }
  std::size_t messages() const;
  bool has_undelivered() const { return arrived_ < queue_.size(); }
  void put(SegmentKind kind, Msg msg = {});
  /// Puts on the wire what the link takes now.
  void transmit();

  bool has_arrived() const { return arrived_ > 0; }
  const Segment& next() const { return queue_[0]; }
  Segment take();

  /// Of what has not arrived only the first `kept` segments stay, and whole messages.
  void truncate(std::size_t kept);
  std::size_t undelivered() const { return queue_.size() - arrived_; }
  /// What is on the wire has to be sent again.
  void recall() {
    sent_ = arrived_;
    wire_bytes_ = 0;
    unacknowledged_ = 0;
    last_arrival_ = {};
  }
  /// Acknowledgements come again.
  void acknowledged() { unacknowledged_ = 0; }
  /// The end, at once, behind what has arrived.
  void end_here();
  void on_event();

  /// The sender found no room: since when, until the receiver takes something.
  std::optional<SteadyTime> stalled_since;

 private:
  void arm();

  Connection* connection_ = nullptr;
  int from_ = 0;
  Link* link_ = nullptr;
  std::uint64_t limit_ = 0;
  Ring<Segment> queue_;
  std::size_t arrived_ = 0;          // of the queue, in the receiver's kernel
  std::size_t sent_ = 0;             // these and those on the wire
  std::uint64_t bytes_ = 0;
  std::uint64_t wire_bytes_ = 0;
  std::uint64_t unacknowledged_ = 0;  // while the way back is broken
  SteadyTime last_arrival_{};
  SteadyTime armed_for_{};           // the moment of the earliest event that is due; 0: none
};

}  // namespace legion::sim
