// Heartbeats, and the parts of sync echoes: an error, or what is the same after a round trip.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/core/messages.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const BytesView input(bytes, size);
  if (as_text(input).starts_with("~sync.")) {
    const auto received = decode_sync_part(input);
    if (!received) return 0;
    const Bytes sent = encode_sync_part(received->topic, received->part);
    const auto again = decode_sync_part(sent);
    LEGION_ASSERT(again.has_value());
    LEGION_ASSERT(again->topic == received->topic);
    LEGION_ASSERT(encode_sync_part(again->topic, again->part) == sent);
    return 0;
  }
  const auto heartbeat = decode_heartbeat(input);
  if (!heartbeat) return 0;
  const Bytes sent = encode(*heartbeat);
  const auto again = decode_heartbeat(sent);
  LEGION_ASSERT(again.has_value());
  LEGION_ASSERT(again->self == heartbeat->self && again->spool == heartbeat->spool);
  LEGION_ASSERT(encode(*again) == sent);
  return 0;
}
