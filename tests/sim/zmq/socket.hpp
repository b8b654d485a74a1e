// What all simulated ZeroMQ sockets have in common.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/time.hpp>

#include "message.hpp"
#include "options.hpp"
#include "pipe.hpp"
#include "tcp_uri.hpp"

namespace legion::sim {

class Context;
class Session;

/// What sessions ask of a socket.
enum class Command : std::uint8_t { Attach, ActivateRead, ActivateWrite, Hiccup, Terminated, Finished, End };

/// Thread: its owner's, except post() and what the session calls.
/// Order: commands are carried out inside calls of the owner and nowhere else; the descriptor is readable while some
/// wait. Errors: as in libzmq, -1 and errno.
class Socket {
 public:
  /// Null: this type is not simulated.
  static std::unique_ptr<Socket> make(Context& context, int type);
  virtual ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int set(int option, const void* value, std::size_t size);
  int get(int option, void* value, std::size_t* size);
  int bind(const std::string& uri);
  int connect(const std::string& uri);
  int disconnect(const std::string& uri);
  int send(Msg& msg, int flags);
  int receive(Msg& into, int flags);
  /// zmq_socket_monitor; null detaches.
  int watch(const char* address);

  void post(Command command, Pipe& pipe) { post_command({command, &pipe, 0}); }
  /// A session that was left is through.
  void post_end(std::uint64_t session) { post_command({Command::End, nullptr, session}); }
  /// Of an accepted connection whose handshake is done.
  Pipe& make_pipe(Session& session);
  void report(std::uint16_t event, std::int32_t value, const std::string& endpoint);
  /// A part for a socket without pipes: a monitor's report, a question to the ZAP handler.
  void put(Msg part);
  /// Its descriptor becomes readable, as when a command comes.
  void wake();
  /// Everything is closed, with what LINGER says, or with the process.
  enum class Ending : std::uint8_t { Closed, ProcessDied };
  void end(Ending ending);

  Context& context() { return context_; }
  const Options& options() const { return options_; }
  int type() const { return type_; }
  const std::vector<std::unique_ptr<Pipe>>& pipes() const { return pipes_; }
  const Ring<Msg>& inbox() const { return inbox_; }

 protected:
  Socket(Context& context, int type);

  virtual int do_send(Msg& msg) = 0;
  virtual int do_receive(Msg& into) = 0;
  virtual bool has_input() { return !inbox_.empty(); }
  virtual void on_attach(Pipe&) {}
  virtual void on_read_activated(Pipe&) {}
  virtual void on_write_activated(Pipe&) {}
  virtual void on_hiccup(Pipe&) {}
  virtual void on_gone(Pipe&) {}

  Options options_;
  Ring<Msg> inbox_;

 private:
  struct Posted {
    Command command;
    Pipe* pipe;             // null: it is gone, or End
    std::uint64_t session;  // of End
  };
  struct Endpoint {
    std::uint64_t session;
    Pipe* pipe;
  };
  void post_command(Posted posted);
  enum class Throttle : std::uint8_t { No, Yes };
  /// False, with errno: the context was shut down.
  bool carry_out_commands(Throttle throttle);
  void carry_out(const Posted& posted);
  void drop(Pipe& pipe);
  int bind_tcp(const std::string& uri);
  int connect_inproc(const std::string& uri);

  Context& context_;
  const int type_;
  int fd_;
  std::vector<Posted> mailbox_;
  std::vector<Posted> in_hand_;
  bool signalled_ = false;
  int ticks_ = 0;
  SteadyTime last_look_{};
  std::vector<std::unique_ptr<Pipe>> pipes_;
  std::map<std::string, Endpoint, std::less<>> endpoints_;
  struct Bound {
    std::string endpoint;
    std::uint16_t port;
  };
  std::vector<Bound> bound_;
  std::string last_endpoint_;
  std::string monitor_address_;
  Socket* monitor_ = nullptr;   // the PAIR that was connected
  Socket* watched_ = nullptr;   // of such a PAIR
  std::vector<Msg> unreported_;  // before somebody connected
};

}  // namespace legion::sim
