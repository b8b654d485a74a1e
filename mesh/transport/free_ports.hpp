// A run of ports nobody listens on.
#pragma once

#include <cstdint>
#include <string>

#include <legion/base/error.hpp>

namespace legion::transport {

/// The first of `count` consecutive TCP ports that are free on `host` (IPv4, IPv6 without brackets, or "*"), between
/// 10240 and 32767, below the range the kernel takes for outgoing connections. Another process may take one before the
/// caller binds: on AddressInUse, ask again. Errors: InvalidArgument (no numeric host), Unreachable (not an address of
/// this machine), AddressInUse (no free run found), Io.
Result<std::uint16_t> find_free_ports(const std::string& host, std::uint16_t count = 6);

}  // namespace legion::transport
