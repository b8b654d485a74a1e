// Frames from anybody. Whatever is accepted has to agree with itself.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const BytesView input(bytes, size);
  static FramePool pool;  // as a node has it: what one frame leaves behind is used for the next
  const auto header = decode_frame_header(input);
  Bytes buffer = pool.take_buffer();
  buffer.assign(input.begin(), input.end());
  const auto frame = Frame::decode(std::move(buffer), &pool);
  if (!frame) return 0;
  LEGION_ASSERT(header.has_value());
  LEGION_ASSERT(header->event_count == (*frame)->header().event_count);
  LEGION_ASSERT((*frame)->events().size() == header->event_count);
  for (const EventView& event : (*frame)->events()) {
    if (!event.defect.empty()) continue;
    const auto encoded = encode_event(event.to_event(), event.shard, limits::event_bytes_max);
    LEGION_ASSERT(encoded.has_value() || encoded.error().code == ErrorCode::TooBig);
    LEGION_ASSERT(to_cloudevent_json(event).has_value());
    LEGION_ASSERT(to_cloudevent_msgpack(event).has_value());
  }
  return 0;
}
