// Where a node listens or is reached: a host and the first port of its run of ports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <legion/base/error.hpp>

namespace legion {

struct Address {
  std::string host;         ///< IPv4 as a.b.c.d, IPv6 without brackets, a lower-case name, or "*" for every interface
  std::uint16_t port = 0;   ///< 0: any free one (only where an address is listened on)

  std::string uri() const;        ///< "tcp://127.0.0.1:7400", "tcp://[::1]:7400"
  std::string host_port() const;  ///< "127.0.0.1:7400", "[::1]:7400"
  bool is_numeric() const;        ///< IPv4 or IPv6, so that no name has to be resolved
  bool is_ipv6() const;
  /// 127.0.0.0/8, ::1, their IPv4-mapped form, or "localhost". Other names cannot be judged and are not loopback.
  bool is_loopback() const;
  /// Every interface ("*", 0.0.0.0, ::): can be listened on, never connected to.
  bool is_wildcard() const;

  friend bool operator==(const Address&, const Address&) = default;
};

/// Reads `tcp://HOST:PORT`, `HOST:PORT` and, when `default_port` is not 0, `HOST`. IPv6 always stands in brackets, for
/// "::1:7400" would be an address without a port. Errors: InvalidArgument naming the text and what is wrong with it.
Result<Address> parse_address(std::string_view text, std::uint16_t default_port);

}  // namespace legion
