// The loop's own questions to other nodes' control ports: asynchronous, with deadlines, names resolved elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/core/messages.hpp>
#include <legion/transport/control_client.hpp>
#include <legion/transport/resolver.hpp>

namespace legion {

/// Thread: the loop's. Order: each call is answered exactly once, with the result or with NotFound (the name means
/// nothing), Unreachable (nobody listens), TimedOut, or the error the other node gave. Bounds: the client's links.
class ControlCaller {
 public:
  ControlCaller(transport::Context& context, transport::ControlClientOptions options,
                std::unique_ptr<transport::Resolver> resolver);
  ~ControlCaller();

  using OnAnswer = std::function<void(Result<Bytes> result)>;
  /// `address` is "tcp://host:port", a name or numeric; every address of a name is tried in turn.
  void call(Now now, const std::string& address, std::string_view method, Bytes params, Duration timeout,
            OnAnswer on_answer);

  /// Numeric URIs for every element; all or nothing. Names are looked up on the resolver's thread.
  using OnResolved = std::function<void(Result<std::vector<std::string>> uris)>;
  void resolve(const std::vector<std::string>& uris, OnResolved on_resolved);

  /// Its connections and its resolver are waited for in `poller`, which lives as long as calls are made.
  void watch(transport::Poller& poller);
  /// Answers, news of connections, names; deadlines every few milliseconds. Call it every turn: it costs what there is.
  void on_tick(Now now);

 private:
  struct Call {
    std::string address;   // as asked
    std::string method;
    Bytes request;
    SteadyTime deadline;
    std::vector<std::string> candidates;  // numeric, in order
    std::size_t candidate = 0;
    OnAnswer on_answer;
  };
  struct Lookup {
    std::vector<std::string> uris;
    std::size_t missing = 0;
    OnResolved on_resolved;
  };

  void read_answers(Now now);
  void end_overdue(Now now);
  void dial(Now now, std::uint64_t id);
  void try_next(Now now, const std::string& refused, std::string_view why);
  void finish(std::uint64_t id, Result<Bytes> result);
  void on_message(const std::string& address, const transport::Message& message);
  void on_resolved(Now now, const transport::Resolved& resolved);
  const std::string& preferred(const transport::Resolved& resolved) const;

  transport::Poller* poller_ = nullptr;
  std::size_t resolver_token_ = 0;
  SteadyTime next_look_at_deadlines_;
  transport::ControlClient client_;
  std::unique_ptr<transport::Resolver> resolver_;
  std::map<std::uint64_t, Call> calls_;
  std::vector<Lookup> lookups_;
  std::map<std::string, std::string> answered_hosts_;  // a name with several addresses -> the one that answered
  std::uint64_t next_id_ = 1;
};

}  // namespace legion
