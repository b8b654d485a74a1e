// Answers the control port. docs/protocol.md, "Membership and control".
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <legion/base/error.hpp>
#include <legion/core/messages.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/remote_hub.hpp>
#include <legion/runtime/stats.hpp>
#include <legion/transport/control_server.hpp>

namespace legion {

/// What the service asks the rest of the node; all are called on the loop's thread.
struct ControlBackend {
  std::function<Result<HelloReply>(Now, const HelloRequest&)> hello;
  std::function<std::vector<Member>()> roster;
  std::function<RosterPage(std::string_view after)> roster_page;
  std::function<std::vector<Tail>(const Origin&, Priority lane)> tails;
  /// With the final tails by lane, as far as the one who goes told them.
  std::function<void(Now, const Origin&, const LaneTails&)> goodbye;
  std::function<Bytes(Now)> stats;
  std::function<Bytes(Now)> nodes;
  /// Those DurableControl knows.
  using Answer = std::function<void(Result<Bytes>)>;
  std::function<void(Now, std::string_view method, BytesView params, Answer)> durable;
  std::function<void(Now, BytesView params, const std::function<void(Result<Bytes>)>& answer)> replay;
  RemoteHub* remote = nullptr;  ///< never null in a node
};

/// Thread: the loop's. Bounds: a few milliseconds per turn, at least one request. Errors: a request that is wrong gets
/// an error answer where it has an id, and is counted as refused.
class ControlService {
 public:
  ControlService(transport::ControlServer& server, Intake& intake, ControlBackend backend);

  void on_turn(Now now);
  const NamedCounts& refused() const { return refused_; }

 private:
  using Answer = std::function<void(Result<Bytes>)>;
  void handle(Now now, const transport::ControlPeer& peer, BytesView payload);
  void dispatch(Now now, const transport::ControlPeer& peer, const RpcRequest& request, const Answer& answer);
  void publish(Now now, const transport::ControlPeer& peer, BytesView params, const Answer& answer);
  Result<Bytes> hello(Now now, BytesView params);
  Result<Bytes> roster(BytesView params);
  Result<Bytes> tails(BytesView params);
  Result<Bytes> tails_of(BytesView origins);
  Result<Bytes> goodbye(Now now, BytesView params);

  transport::ControlServer& server_;
  Intake& intake_;
  ControlBackend backend_;
  NamedCounts refused_;
  std::multimap<SteadyTime, std::function<void()>> deadlines_;  // of publish calls that wait for confirms
};

}  // namespace legion
