// How the socket types deal messages out and take them in.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "socket.hpp"
#include "topics.hpp"

namespace legion::sim {

/// Takes one message of every pipe in turn.
class FairQueue {
 public:
  void attach(Pipe& pipe);
  void activated(Pipe& pipe);
  void remove(Pipe& pipe);
  /// False: no pipe has anything.
  bool receive(Msg& into, Pipe** from);
  bool has_input() const;

 private:
  void swap(std::size_t a, std::size_t b);
  std::vector<Pipe*> pipes_;   // the first `active_` may have something
  std::size_t active_ = 0;
  std::size_t current_ = 0;
  bool more_ = false;
};

class Xpub final : public Socket {
 public:
  explicit Xpub(Context& context);

 private:
  int do_send(Msg& msg) override;
  int do_receive(Msg& into) override;
  void on_attach(Pipe& pipe) override;
  void on_read_activated(Pipe& pipe) override;
  void on_write_activated(Pipe& pipe) override { pipe.eligible = true; }
  void on_gone(Pipe& pipe) override;
  void take_upstream(Msg msg, Pipe& pipe);
  void tell(char command, std::string_view topic, int source);

  Topics topics_;
  std::vector<Pipe*> matching_;
  std::uint64_t sends_ = 0;
  bool more_sent_ = false;
  bool more_taken_ = false;
  bool takes_subscriptions_ = true;  // in this message
};

class Xsub final : public Socket {
 public:
  explicit Xsub(Context& context);

 private:
  int do_send(Msg& msg) override;
  int do_receive(Msg& into) override;
  bool has_input() override { return queue_.has_input(); }
  void on_attach(Pipe& pipe) override;
  void on_read_activated(Pipe& pipe) override { queue_.activated(pipe); }
  void on_write_activated(Pipe& pipe) override { pipe.eligible = true; }
  void on_hiccup(Pipe& pipe) override { subscribe_at(pipe); }
  void on_gone(Pipe& pipe) override;
  void subscribe_at(Pipe& pipe);
  void send_to_all(const Msg& msg);

  FairQueue queue_;
  std::vector<Pipe*> peers_;
  std::map<std::string, std::size_t, std::less<>> subscriptions_;  // how often
  bool more_sent_ = false;
};

class Router final : public Socket {
 public:
  explicit Router(Context& context);

 private:
  int do_send(Msg& msg) override;
  int do_receive(Msg& into) override;
  bool has_input() override { return prefetched_ || queue_.has_input(); }
  void on_attach(Pipe& pipe) override;
  void on_read_activated(Pipe& pipe) override { queue_.activated(pipe); }
  void on_gone(Pipe& pipe) override;

  FairQueue queue_;
  std::map<std::string, Pipe*, std::less<>> peers_;
  std::uint32_t next_id_;
  Pipe* sending_to_ = nullptr;
  bool more_sent_ = false;
  bool prefetched_ = false;
  bool more_taken_ = false;
  Msg prefetch_;
};

class Dealer final : public Socket {
 public:
  explicit Dealer(Context& context);

 private:
  int do_send(Msg& msg) override;
  int do_receive(Msg& into) override;
  bool has_input() override { return queue_.has_input(); }
  void on_attach(Pipe& pipe) override;
  void on_read_activated(Pipe& pipe) override { queue_.activated(pipe); }
  void on_gone(Pipe& pipe) override;

  FairQueue queue_;
  std::vector<Pipe*> peers_;
  std::size_t next_ = 0;
  Pipe* sending_to_ = nullptr;
};

/// The reading end of a monitor. Nothing else of PAIR is simulated.
class Pair final : public Socket {
 public:
  explicit Pair(Context& context);

 private:
  int do_send(Msg& msg) override;
  int do_receive(Msg& into) override;
};

/// The ZAP handler's end. Nothing else of REP is simulated.
class Rep final : public Socket {
 public:
  explicit Rep(Context& context);

 private:
  int do_send(Msg& msg) override;
  int do_receive(Msg& into) override;
  std::vector<std::string> answer_;
};

}  // namespace legion::sim
