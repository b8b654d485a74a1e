// The data of every event and message measured here.
#pragma once

#include <cstdint>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::bench {

inline constexpr std::size_t payload_bytes = 128;
inline constexpr std::uint64_t warm_up_number = 0;  ///< of what is sent before a measurement begins; counted apart

/// A trade, as a MessagePack map of exactly payload_bytes.
struct Payload {
  std::uint64_t number = 0;  ///< 1, 2, 3.. within one run
  SteadyTime sent;           ///< all processes of a machine share the clock
  double price = 0;
  double size = 0;
};

Bytes write_payload(const Payload& payload);
/// Reads every field. Errors: BadData.
Result<Payload> read_payload(BytesView data);

}  // namespace legion::bench
