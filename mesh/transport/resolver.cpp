#include <legion/transport/resolver.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include <legion/transport/thread_without_signals.hpp>

namespace legion::transport {
namespace {

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> split(std::string_view uri) {
  const auto bad = [&] {
    return fail(ErrorCode::InvalidArgument,
                "\"" + std::string(uri) + "\" is no address like tcp://10.0.0.5:7400 or tcp://[::1]:7400");
  };
  constexpr std::string_view scheme = "tcp://";
  if (!uri.starts_with(scheme)) return bad();
  const std::string_view rest = uri.substr(scheme.size());
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  unsigned number = 0;
  const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (code != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65535) return bad();
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  if (host.empty() || host.find('\0') != std::string_view::npos) return bad();
  return HostPort{std::string(host), std::to_string(number)};
}

std::optional<std::string> numeric(const addrinfo& found, const std::string& port) {
  char host[NI_MAXHOST] = {};
  if (getnameinfo(found.ai_addr, found.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  return found.ai_family == AF_INET6 ? "tcp://[" + std::string(host) + "]:" + port
                                     : "tcp://" + std::string(host) + ":" + port;
}

/// An error text, or the addresses.
std::pair<int, std::vector<std::string>> look_up(const HostPort& wanted, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(wanted.host.c_str(), wanted.port.c_str(), &hints, &found);
  std::vector<std::string> uris;
  if (rc != 0) return {rc, uris};
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    auto uri = numeric(*at, wanted.port);
    if (uri && std::ranges::find(uris, *uri) == uris.end()) uris.push_back(std::move(*uri));
  }
  freeaddrinfo(found);
  return {0, uris};
}

}  // namespace

Result<std::optional<std::string>> numeric_uri(std::string_view uri) {
  const auto wanted = split(uri);
  if (!wanted) return std::unexpected(wanted.error());
  auto [rc, uris] = look_up(*wanted, AI_NUMERICHOST | AI_NUMERICSERV);
  if (rc != 0 || uris.empty()) return std::nullopt;
  return std::move(uris.front());
}

Result<std::vector<std::string>> resolve_uri_blocking(std::string_view uri) {
  const auto wanted = split(uri);
  if (!wanted) return std::unexpected(wanted.error());
  auto [rc, uris] = look_up(*wanted, AI_NUMERICSERV);
  if (rc != 0) return fail(ErrorCode::Unreachable, "cannot resolve " + wanted->host + ": " + gai_strerror(rc));
  if (uris.empty()) return fail(ErrorCode::Unreachable, wanted->host + " has no IPv4 or IPv6 address");
  return std::move(uris);
}

Result<std::unique_ptr<Resolver>> Resolver::create(std::size_t requests_max) {
  auto wake = WakeFd::create();
  if (!wake) return std::unexpected(wake.error());
  return std::unique_ptr<Resolver>(new Resolver(std::move(*wake), requests_max));
}

Resolver::Resolver(WakeFd wake, std::size_t requests_max)
    : requests_max_(requests_max), results_wake_(std::move(wake)) {
  worker_ = start_thread_without_signals([this] { run(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  has_work_.notify_one();
  worker_.join();
}

Result<void> Resolver::resolve(const std::string& uri) {
  auto known = numeric_uri(uri);
  if (!known) {
    deliver({uri, std::unexpected(known.error())});
    return {};
  }
  if (*known) {
    deliver({uri, std::vector<std::string>{std::move(**known)}});
    return {};
  }
  {
    const std::lock_guard lock(mutex_);
    if (requests_.size() >= requests_max_) return fail(ErrorCode::WouldBlock, "too many names wait to be resolved");
    requests_.push_back(uri);
  }
  has_work_.notify_one();
  return {};
}

std::size_t Resolver::drain(const std::function<void(Resolved)>& on_resolved) {
  results_wake_.drain();
  std::deque<Resolved> results;
  {
    const std::lock_guard lock(mutex_);
    results.swap(results_);
  }
  for (Resolved& resolved : results) on_resolved(std::move(resolved));
  return results.size();
}

void Resolver::deliver(Resolved resolved) {
  {
    const std::lock_guard lock(mutex_);
    results_.push_back(std::move(resolved));
  }
  results_wake_.wake_always();
}

void Resolver::run() {
  for (;;) {
    std::string uri;
    {
      std::unique_lock lock(mutex_);
      has_work_.wait(lock, [this] { return stopping_ || !requests_.empty(); });
      if (stopping_) return;
      uri = std::move(requests_.front());
      requests_.pop_front();
    }
    auto addresses = resolve_uri_blocking(uri);
    deliver({std::move(uri), std::move(addresses)});
  }
}

}  // namespace legion::transport
