// What the store has to know of the events of a frame, and no more: their times and the ids they carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/event/frame.hpp>
#include <legion/spool/bloom.hpp>

namespace legion::spool {

/// Of one event. Views point into the bytes walked; empty: absent.
struct EventFacts {
  std::int64_t time = 0;
  std::string_view correlation;
  std::string_view causation;
  std::string_view trace;        ///< the 32 hex digits of traceparent
  bool is_defect = false;        ///< it does not decode, and only its end is known
};

/// Walks encoded events one behind the other, without an allocation and without looking at what is not asked for: every
/// event that is stored goes through it. Whether the events are sound in all else is for the frame codec to say.
///
/// Bounds: never reads outside the bytes.
class EventWalker {
 public:
  explicit EventWalker(BytesView events) : at_(events.data()), end_(events.data() + events.size()) {}
  /// False when the next event cannot be walked; so can then no later one.
  bool next(EventFacts& facts);

 private:
  bool take_uint(std::uint64_t& value);
  bool take_string(std::string_view& text);
  bool take_count(std::uint8_t fix, std::uint8_t tag16, std::size_t& count);
  bool take_attributes(EventFacts& facts);
  bool take_event(EventFacts& facts);
  bool skip_value();

  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

/// Times of the events of a frame, or of a block. Without an event that says one: min > max.
struct TimeRange {
  std::int64_t min = std::numeric_limits<std::int64_t>::max();
  std::int64_t max = std::numeric_limits<std::int64_t>::min();
  void add(std::int64_t time) {
    min = time < min ? time : min;
    max = time > max ? time : max;
  }
};

/// Adds the times and ids of a frame's events.
void collect(const FrameHeader& header, BytesView frame, TimeRange& times, IdSet& ids);
TimeRange times_of(const FrameHeader& header, BytesView frame);
/// Whether one of the events carries `id` as correlation, causation or trace id.
bool mentions(const FrameHeader& header, BytesView frame, std::string_view id);

}  // namespace legion::spool
