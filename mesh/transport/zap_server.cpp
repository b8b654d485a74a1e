#include <legion/transport/zap_server.hpp>

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/transport/thread_without_signals.hpp>

namespace legion::transport {
namespace {

// Parts of a request, RFC 27: version, request id, domain, address, identity, mechanism, credentials.
constexpr std::size_t part_version = 0;
constexpr std::size_t part_request_id = 1;
constexpr std::size_t part_domain = 2;
constexpr std::size_t part_mechanism = 5;
constexpr std::size_t parts_min = 6;
constexpr std::string_view zap_version = "1.0";

}  // namespace

Result<std::unique_ptr<ZapServer>> ZapServer::start(Context& context, ZapPolicy policy) {
  auto socket = Socket::open(context, SocketType::Rep);
  if (!socket) return std::unexpected(socket.error());
  if (auto bound = socket->bind("inproc://zeromq.zap.01"); !bound) return std::unexpected(bound.error());
  auto stop = WakeFd::create();
  if (!stop) return std::unexpected(stop.error());
  auto poller = Poller::create();
  if (!poller) return std::unexpected(poller.error());
  return std::unique_ptr<ZapServer>(
      new ZapServer(std::move(*socket), std::move(*stop), std::move(*poller), std::move(policy)));
}

ZapServer::ZapServer(Socket socket, WakeFd stop, std::unique_ptr<Poller> poller, ZapPolicy policy)
    : socket_(std::move(socket)), stop_(std::move(stop)), poller_(std::move(poller)), policy_(std::move(policy)) {
  poller_->add(socket_.pollable());
  poller_->add(stop_.pollable());
  thread_ = start_thread_without_signals([this] { run(); });
}

ZapServer::~ZapServer() {
  stopping_.store(true);
  stop_.wake_always();
  thread_.join();
}

void ZapServer::run() {
  while (!stopping_.load()) {
    if (poller_->wait(-1s) == PollOutcome::Closed) return;
    answer();
  }
}

void ZapServer::answer() {
  More more = More::No;
  while (auto part = socket_.receive(more)) {
    std::vector<Message> parts;
    parts.push_back(std::move(*part));
    while (more == More::Yes) {
      part = socket_.receive(more);
      if (!part) return;
      parts.push_back(std::move(*part));
    }
    const bool readable = parts.size() >= parts_min && parts[part_version].text() == zap_version;
    const bool admit = readable && parts[part_mechanism].text() == "NULL" &&
                       policy_.null_domains.contains(std::string(parts[part_domain].text()));
    (admit ? admitted_ : refused_).fetch_add(1, std::memory_order_relaxed);

    const std::string_view request_id = parts.size() > part_request_id ? parts[part_request_id].text() : "";
    const std::array<std::string_view, 5> head = {zap_version, request_id, admit ? "200" : "300",
                                                  admit ? "OK" : "not allowed", ""};
    for (const std::string_view text : head) socket_.send(as_bytes_view(text), More::Yes);
    socket_.send(BytesView{});
  }
}

}  // namespace legion::transport
