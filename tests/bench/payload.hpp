// The data of every event and message measured here.
#pragma once

#include <cstdint>
#include <span>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>

namespace legion::bench {

inline constexpr std::size_t payload_bytes = 128;
inline constexpr std::uint64_t warm_up_number = 0;  ///< of what is sent before a measurement begins; counted apart
inline constexpr std::uint8_t flows_max = 8;

/// A trade, as a MessagePack map of exactly payload_bytes.
struct Payload {
  std::uint8_t flow = 0;         ///< which publishing thread of the benchmark it comes from, below flows_max
  std::uint64_t number = 0;      ///< 1, 2, 3.. within its flow
  SteadyTime sent;               ///< all processes of a machine share the clock
  double price = 0;
  double size = 0;
  std::size_t text_bytes = 0;    ///< of its texts; only read_payload() fills it in
};

Bytes write_payload(const Payload& payload);
/// Puts the numbers of `payload` into what write_payload() made. Both sides of a comparison publish this way, so that
/// the making of the data costs them the same, and next to nothing.
void rewrite_payload(std::span<std::uint8_t> data, const Payload& payload);
/// Reads every field. Errors: BadData.
Result<Payload> read_payload(BytesView data);

}  // namespace legion::bench
