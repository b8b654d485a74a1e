// The two queues between a socket and the session of one connection, with libzmq's high-water marks and its ways of
// waking the other side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "message.hpp"
#include "ring.hpp"

namespace legion::sim {

class Session;
class Socket;

/// The socket's functions are called by the thread that owns the socket, the session's by the (simulated) I/O thread.
/// Whatever the session does reaches the socket as a command, which it carries out when it is touched.
/// Bounds: `sndhwm` messages out, `rcvhwm` in; 0 is no limit. A queue that was full takes something again when half of
/// it was read.
class Pipe {
 public:
  struct Marks {
    int sndhwm;
    int rcvhwm;
  };
  Pipe(Socket& socket, Session& session, Marks marks);

  // The socket.
  bool below_mark() const { return out_mark_ == 0 || written_ - told_read_ < out_mark_; }
  /// False, once, makes it inactive until there is room again.
  bool can_write();
  bool write(Msg msg);
  bool read(Msg& into);
  void on_read_activated();
  /// True: it could not be written to before.
  bool on_write_activated();
  void on_hiccup();
  /// True: everything was read, it can go.
  bool on_terminated();
  bool is_terminated() const { return state_ != State::Active; }

  // The session.
  bool has_output() const { return committed_ > 0 && !hiccup_pending_; }
  std::size_t waiting_output() const { return committed_; }
  Msg pull();
  Ring<Msg> take_output();
  bool has_room() const { return in_mark_ == 0 || in_written_ - told_in_read_ < in_mark_; }
  void push(Msg msg);
  /// Behind one or more push().
  void flush();
  /// What waits to be sent is thrown away by the socket, which is told to subscribe again.
  void hiccup();

  Session* session;      ///< null: the connection is gone for good
  Ring<Msg> out;
  Ring<Msg> in;

  // What the patterns keep about a pipe.
  std::size_t place = 0;           ///< in the fair queue
  bool eligible = true;            ///< of an XPUB or XSUB: it is written to
  std::uint64_t matched = 0;       ///< number of the send it was matched for
  std::string routing_id;
  std::set<std::string, std::less<>> topics;

 private:
  friend class Socket;
  enum class State : std::uint8_t { Active, Draining, Finished } state_ = State::Active;

  Socket& socket_;
  const std::uint64_t out_mark_;
  const std::uint64_t out_half_;
  const std::uint64_t in_mark_;
  const std::uint64_t in_half_;
  std::size_t committed_ = 0;      // parts in `out` that belong to whole messages
  std::uint64_t written_ = 0;      // messages
  std::uint64_t pulled_ = 0;
  std::uint64_t credit_ = 0;       // of pulled_, on its way to the socket
  std::uint64_t told_read_ = 0;    // of pulled_, as the socket knows it
  std::uint64_t in_written_ = 0;
  std::uint64_t in_read_ = 0;
  std::uint64_t told_in_read_ = 0;
  bool out_active_ = true;
  bool in_active_ = true;
  bool asleep_ = false;            // the socket found `in` empty and waits to be told
  bool credit_pending_ = false;
  bool hiccup_pending_ = false;
};

}  // namespace legion::sim
