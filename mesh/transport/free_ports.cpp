#include <legion/transport/free_ports.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include <legion/transport/socket.hpp>

namespace legion::transport {
namespace {

constexpr std::uint32_t port_min = 10240;
constexpr std::uint32_t port_end = 32768;

class Listener {
 public:
  explicit Listener(int fd) : fd_(fd) {}
  Listener(Listener&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Listener& operator=(Listener&&) = delete;
  ~Listener() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct Host {
  sockaddr_storage address{};
  socklen_t size = 0;
  enum class Families : std::uint8_t { One, Both } families = Families::One;
};

Result<Host> parse_host(const std::string& host) {
  Host parsed;
  if (host == "*") parsed.families = Host::Families::Both;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (getaddrinfo(host == "*" ? "::" : host.c_str(), "1", &hints, &found) != 0) {
    return fail(ErrorCode::InvalidArgument, "\"" + host + "\" is no numeric address to listen on");
  }
  std::memcpy(&parsed.address, found->ai_addr, found->ai_addrlen);
  parsed.size = found->ai_addrlen;
  freeaddrinfo(found);
  return parsed;
}

void set_port(Host& host, std::uint16_t port) {
  if (host.address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(host.address).sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in&>(host.address).sin_port = htons(port);
  }
}

/// A listener as ZeroMQ would make it, or the errno.
std::expected<Listener, int> listen_on(const Host& host) {
  Listener listener(socket(host.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (listener.fd() < 0) return std::unexpected(errno);
  const int on = 1;
  const int only_ipv6 = host.families == Host::Families::Both ? 0 : 1;
  setsockopt(listener.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (host.address.ss_family == AF_INET6) {
    setsockopt(listener.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof only_ipv6);
  }
  if (bind(listener.fd(), reinterpret_cast<const sockaddr*>(&host.address), host.size) != 0 ||
      listen(listener.fd(), 1) != 0) {
    return std::unexpected(errno);
  }
  return listener;
}

}  // namespace

Result<std::uint16_t> find_free_ports(const std::string& host, std::uint16_t count) {
  auto parsed = parse_host(host);
  if (!parsed) return std::unexpected(parsed.error());
  if (count == 0 || count > port_end - port_min) {
    return fail(ErrorCode::InvalidArgument, "a run has 1 to " + std::to_string(port_end - port_min) + " ports");
  }
  // A random start keeps nodes that start together out of each other's way.
  std::random_device random;
  const std::uint32_t runs = (port_end - port_min) / count;
  const std::uint32_t first = random() % runs;
  for (std::uint32_t tried = 0; tried < runs; ++tried) {
    const std::uint32_t base = port_min + (first + tried) % runs * count;
    std::vector<Listener> held;
    for (std::uint32_t port = base; port < base + count; ++port) {
      set_port(*parsed, static_cast<std::uint16_t>(port));
      auto listener = listen_on(*parsed);
      if (listener) {
        held.push_back(std::move(*listener));
        continue;
      }
      if (listener.error() == EADDRINUSE || listener.error() == EACCES) break;
      return std::unexpected(error_from_errno(listener.error(), "cannot listen on " + host));
    }
    if (held.size() == count) return static_cast<std::uint16_t>(base);
  }
  return fail(ErrorCode::AddressInUse, "no " + std::to_string(count) + " consecutive ports are free on " + host);
}

}  // namespace legion::transport
