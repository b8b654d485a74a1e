// JSON lines from anybody, as data and as CloudEvents.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const BytesView input(bytes, size);
  if (const auto data = data_from_json(as_text(input))) {
    const auto json = data_to_json(*data);
    LEGION_ASSERT(json.has_value());
    const auto again = data_from_json(*json);
    LEGION_ASSERT(again.has_value() || json->size() > limits::json_line_bytes_max);
    if (again) LEGION_ASSERT(*again == *data);
  }
  if (auto incoming = from_cloudevent_json(as_text(input))) {
    Event& event = incoming->event;
    if (event.source.empty()) event.source = "fuzz/json";
    const auto encoded = encode_event(event, 0, limits::event_bytes_max);
    LEGION_ASSERT(encoded.has_value() || encoded.error().code == ErrorCode::TooBig);
  }
  return 0;
}
