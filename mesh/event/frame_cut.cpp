// One event out of a frame.
#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/frame_format.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {

namespace {

struct Cut {
  BytesView event;
  BytesView behind;  // the last one
};

Cut find_event(BytesView events, std::uint32_t count, std::size_t index) {
  MsgpackReader reader(events);
  Cut cut{events, {}};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t begin = reader.offset();
    if (!reader.skip(frame_format::event_depth_max)) {
      if (i <= index) cut.event = events.subspan(begin);
      return cut;
    }
    if (i == index) cut.event = events.subspan(begin, reader.offset() - begin);
  }
  cut.behind = events.subspan(reader.offset());
  return cut;
}

}  // namespace

Bytes Frame::cut(std::size_t index) const {
  LEGION_ASSERT(index < header_.event_count);
  const Cut cut = find_event(encoded_, header_.event_count, index);
  FrameBuilder builder;
  builder.begin({std::string(header_.origin), header_.incarnation}, header_.lane, header_.type, header_.shard,
                header_.first_sequence + index);
  builder.append(cut.event);
  Bytes frame = builder.finish();
  const std::size_t room = limits::message_bytes_max - frame.size();
  frame.insert(frame.end(), cut.behind.begin(), cut.behind.begin() + std::min(room, cut.behind.size()));
  return frame;
}

}  // namespace legion
