// "tcp://10.0.0.5:7400", "tcp://[::1]:7400", "tcp://*:0".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace legion::sim {

struct TcpUri {
  std::string host;        ///< without brackets
  std::uint16_t port = 0;  ///< 0: any
  std::string text() const;
};

/// False: it is none.
bool parse_tcp(std::string_view uri, TcpUri& into);

}  // namespace legion::sim
