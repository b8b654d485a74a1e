#include "tcp_uri.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace legion::sim {

std::string TcpUri::text() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return "tcp://" + (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool parse_tcp(std::string_view uri, TcpUri& into) {
  constexpr std::string_view scheme = "tcp://";
  const std::size_t colon = uri.rfind(':');
  if (!uri.starts_with(scheme) || colon < scheme.size()) return false;
  std::string_view host = uri.substr(scheme.size(), colon - scheme.size());
  std::string_view port = uri.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  into.host = host;
  unsigned char address[sizeof(in6_addr)];
  const bool numeric =
      inet_pton(AF_INET, into.host.c_str(), address) == 1 || inet_pton(AF_INET6, into.host.c_str(), address) == 1;
  if (!numeric && host != "*" && host != "localhost") return false;
  if (port == "*") port = "0";
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), into.port);
  return error == std::errc{} && end == port.data() + port.size();
}

}  // namespace legion::sim
