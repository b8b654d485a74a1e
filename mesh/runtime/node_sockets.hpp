// Every socket a node binds, bound.
#pragma once

#include <array>
#include <memory>
#include <string>

#include <legion/core/messages.hpp>
#include <legion/runtime/node_host.hpp>
#include <legion/transport/context.hpp>
#include <legion/transport/control_server.hpp>
#include <legion/transport/lane_publisher.hpp>
#include <legion/transport/local_pair.hpp>
#include <legion/transport/resolver.hpp>
#include <legion/transport/spool_sockets.hpp>
#include <legion/transport/zap_server.hpp>

namespace legion {

/// Order of members: the context outlives everything in it, the ZAP handler every socket but the context.
struct NodeSockets {
  std::unique_ptr<transport::Poller> poller;    ///< where the loop waits for all of them
  std::unique_ptr<transport::Context> context;
  std::unique_ptr<transport::ZapServer> zap;
  std::unique_ptr<transport::ControlServer> control;
  std::array<std::unique_ptr<transport::LanePublisher>, limits::lane_count> lanes;
  std::unique_ptr<transport::SpoolServer> spool;  ///< null unless this node is a spool
  std::unique_ptr<transport::LocalPair> local;  ///< null when switched off
  std::unique_ptr<transport::Resolver> resolver;
  Endpoints endpoints;                          ///< as advertised
  std::string listening_on;                     ///< the control port as bound
  std::string own_spool;                        ///< where this node reaches its own spool; empty unless it is one

  /// Binds control, lanes and the spool port to a run of ports beginning with the one of `options.listen`, or to a free run.
  /// Errors: AddressInUse naming the address, Unreachable when the listen name does not resolve, Io.
  static Result<NodeSockets> open(const NodeHostOptions& options);
};

}  // namespace legion
