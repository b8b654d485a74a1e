#include <legion/runtime/node_sockets.hpp>

#include <legion/transport/free_ports.hpp>

namespace legion {

namespace {

constexpr std::uint16_t run_of_ports = 6;  // control, four lanes, spool
constexpr int free_run_attempts = 20;

/// The listen address with its host as a number.
Result<Address> numeric_listen(const Address& listen) {
  if (listen.is_numeric() || listen.is_wildcard()) return listen;
  Address askable = listen;
  if (askable.port == 0) askable.port = 1;  // only the host is asked for, and 0 is no port to be reached at
  auto uris = transport::resolve_uri_blocking(askable.uri());
  if (!uris) return fail(ErrorCode::Unreachable, "listen " + listen.uri() + ": " + uris.error().message);
  // Names that mean both loopbacks ("localhost") listen on the IPv4 one: that is where people look first.
  std::string chosen = uris->front();
  for (const auto& uri : *uris) {
    if (uri.find('[') == std::string::npos) {
      chosen = uri;
      break;
    }
  }
  auto address = parse_address(chosen, listen.port);
  if (address) address->port = listen.port;
  return address;
}

Result<void> bind_run(NodeSockets& sockets, const NodeHostOptions& options, Address address) {
  auto control = transport::ControlServer::create(*sockets.context);
  if (!control) return std::unexpected(control.error());
  if (auto bound = (*control)->bind(address.uri()); !bound) return std::unexpected(bound.error());
  sockets.control = std::move(*control);
  for (std::size_t lane = 0; lane < limits::lane_count; ++lane) {
    ++address.port;
    auto publisher = transport::LanePublisher::create(*sockets.context, lane);
    if (!publisher) return std::unexpected(publisher.error());
    if (auto bound = (*publisher)->bind(address.uri()); !bound) return std::unexpected(bound.error());
    sockets.lanes[lane] = std::move(*publisher);
  }
  if (!options.spool) return {};
  ++address.port;
  auto spool = transport::SpoolServer::create(*sockets.context);
  if (!spool) return std::unexpected(spool.error());
  if (auto bound = (*spool)->bind(address.uri()); !bound) return std::unexpected(bound.error());
  sockets.spool = std::move(*spool);
  return {};
}

Result<std::uint16_t> bind_somewhere(NodeSockets& sockets, const NodeHostOptions& options, Address address) {
  if (address.port != 0) {
    if (auto bound = bind_run(sockets, options, address); !bound) return std::unexpected(bound.error());
    return address.port;
  }
  Error last;
  for (int attempt = 0; attempt < free_run_attempts; ++attempt) {
    auto port = transport::find_free_ports(address.host, run_of_ports);
    if (!port) return std::unexpected(port.error());
    address.port = *port;
    auto bound = bind_run(sockets, options, address);
    if (bound) return address.port;
    if (bound.error().code != ErrorCode::AddressInUse) return std::unexpected(bound.error());
    last = bound.error();
    sockets.control.reset();
    for (auto& lane : sockets.lanes) lane.reset();
    sockets.spool.reset();
  }
  return std::unexpected(last);
}

Endpoints advertised(const NodeHostOptions& options, const Address& listen, std::uint16_t port) {
  Address address = options.advertise.value_or(listen);
  if (address.port == 0) address.port = port;
  Endpoints endpoints;
  endpoints.control = address.uri();
  for (auto& lane : endpoints.lanes) {
    ++address.port;
    lane = address.uri();
  }
  ++address.port;
  if (options.spool) endpoints.spool = address.uri();
  return endpoints;
}

/// Not as advertised: a node need not be able to reach itself there, and no cut cable takes its spool away from it.
std::string spool_seen_from_here(const NodeHostOptions& options, Address bound) {
  if (!options.spool) return {};
  if (bound.is_wildcard()) bound.host = bound.host == "::" ? "::1" : "127.0.0.1";
  bound.port += run_of_ports - 1;
  return bound.uri();
}

}  // namespace

Result<NodeSockets> NodeSockets::open(const NodeHostOptions& options) {
  NodeSockets sockets;
  const auto listen = numeric_listen(options.listen);
  if (!listen) return std::unexpected(listen.error());
  auto poller = transport::Poller::create();
  if (!poller) return std::unexpected(poller.error());
  sockets.poller = std::move(*poller);
  auto context = transport::Context::create();
  if (!context) return std::unexpected(context.error());
  sockets.context = std::move(*context);
  auto zap = transport::ZapServer::start(*sockets.context);
  if (!zap) return std::unexpected(zap.error());
  sockets.zap = std::move(*zap);
  const auto port = bind_somewhere(sockets, options, *listen);
  if (!port) {
    const std::string where = options.listen.port == 0 ? options.listen.host : options.listen.uri();
    return fail(port.error().code, "cannot listen on " + where + " and the five ports after it: " + port.error().message);
  }
  sockets.endpoints = advertised(options, *listen, *port);
  sockets.own_spool = spool_seen_from_here(options, {listen->host, *port});
  sockets.listening_on = Address{listen->host, *port}.uri();
  if (options.local) {
    auto local = transport::LocalPair::create(*sockets.context, {.directory = (options.state_dir / "local").string()});
    if (!local) return std::unexpected(local.error());
    sockets.local = std::move(*local);
  }
  auto resolver = transport::Resolver::create();
  if (!resolver) return std::unexpected(resolver.error());
  sockets.resolver = std::move(*resolver);
  return sockets;
}

}  // namespace legion
