#include <legion/spool/event_walk.hpp>

#include <array>
#include <bit>
#include <cstring>

#include <legion/event/event_codec.hpp>

namespace legion::spool {
namespace {

constexpr std::size_t trace_at = 3;  // of 00-<32 hex>-<16 hex>-<2 hex>
constexpr std::size_t trace_bytes = 32;

template <class Number>
Number big_endian(const std::uint8_t* at) {
  Number value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}

std::string_view trace_of(std::string_view traceparent) {
  if (traceparent.size() <= trace_at + trace_bytes || traceparent[trace_at - 1] != '-') return {};
  return traceparent.substr(trace_at, trace_bytes);
}

constexpr std::uint8_t no_value = 0xff;

// How a value goes on behind its tag.
struct Shape {
  std::uint8_t fixed = 0;       // bytes behind the tag, a length among them
  std::uint8_t length = 0;      // the first so many of them are a length
  std::uint8_t values_each = 0; // the length counts values (1), pairs (2) or bytes (0)
};

constexpr std::array<Shape, 256> make_shapes() {
  std::array<Shape, 256> shapes{};
  for (std::size_t tag = 0xa0; tag < 0xc0; ++tag) shapes[tag].fixed = static_cast<std::uint8_t>(tag & 0x1f);
  shapes[0xc1].fixed = no_value;
  for (std::uint8_t i = 0; i < 3; ++i) {
    const auto width = static_cast<std::uint8_t>(1u << i);
    shapes[0xc4 + i] = {width, width, 0};                                 // bin
    shapes[0xc7 + i] = {static_cast<std::uint8_t>(width + 1), width, 0};  // ext
    shapes[0xd9 + i] = {width, width, 0};                                 // str
  }
  shapes[0xca].fixed = 4;
  shapes[0xcb].fixed = 8;
  for (std::uint8_t i = 0; i < 4; ++i) {
    shapes[0xcc + i].fixed = shapes[0xd0 + i].fixed = static_cast<std::uint8_t>(1u << i);
    shapes[0xd4 + i].fixed = static_cast<std::uint8_t>(1 + (1u << i));
  }
  shapes[0xd8].fixed = 17;
  shapes[0xdc] = {2, 2, 1};
  shapes[0xdd] = {4, 4, 1};
  shapes[0xde] = {2, 2, 2};
  shapes[0xdf] = {4, 4, 2};
  return shapes;
}
constexpr std::array<Shape, 256> shape_of = make_shapes();

// Visits the facts of each event until one says no; returns false then.
template <class Visit>
bool visit_events(const FrameHeader& header, BytesView frame, Visit visit) {
  EventFacts facts;
  if ((header.flags & frame_flag_zstd) == 0) {
    EventWalker walker(frame.subspan(header.events_offset));
    for (std::uint32_t i = 0; i < header.event_count && walker.next(facts); ++i) {
      if (!facts.is_defect && !visit(facts)) return false;
    }
    return true;
  }
  const auto expanded = Frame::decode(frame, nullptr);
  if (!expanded) return true;
  for (const EventView& event : (*expanded)->events()) {
    if (!event.defect.empty()) continue;
    facts = {event.time.ns, event.correlation_id, event.causation_id, trace_of(event.traceparent), false};
    if (!visit(facts)) return false;
  }
  return true;
}

}  // namespace

bool EventWalker::take_uint(std::uint64_t& value) {
  if (at_ == end_) return false;
  const std::uint8_t tag = *at_;
  const auto left = static_cast<std::size_t>(end_ - at_) - 1;
  if (tag < 0x80) {
    value = tag;
    ++at_;
    return true;
  }
  if (tag == 0xcf && left >= 8) {
    value = big_endian<std::uint64_t>(at_ + 1);
  } else if ((tag == 0xcc || tag == 0xd0) && left >= 1) {
    value = at_[1];
  } else if ((tag == 0xcd || tag == 0xd1) && left >= 2) {
    value = big_endian<std::uint16_t>(at_ + 1);
  } else if ((tag == 0xce || tag == 0xd2) && left >= 4) {
    value = big_endian<std::uint32_t>(at_ + 1);
  } else if (tag == 0xd3 && left >= 8) {
    value = big_endian<std::uint64_t>(at_ + 1);
  } else {
    return false;
  }
  at_ += 1 + shape_of[tag].fixed;
  return true;
}

bool EventWalker::take_string(std::string_view& text) {
  if (at_ == end_) return false;
  const std::uint8_t tag = *at_;
  const auto left = static_cast<std::size_t>(end_ - at_) - 1;
  std::size_t head = 0, size = 0;
  if ((tag ^ 0xa0u) < 32) {
    size = tag ^ 0xa0u;
  } else if (tag == 0xd9 && left >= 1) {
    head = 1, size = at_[1];
  } else if (tag == 0xda && left >= 2) {
    head = 2, size = big_endian<std::uint16_t>(at_ + 1);
  } else if (tag == 0xdb && left >= 4) {
    head = 4, size = big_endian<std::uint32_t>(at_ + 1);
  } else {
    return false;
  }
  if (left - head < size) return false;
  text = {reinterpret_cast<const char*>(at_) + 1 + head, size};
  at_ += 1 + head + size;
  return true;
}

bool EventWalker::take_count(std::uint8_t fix, std::uint8_t tag16, std::size_t& count) {
  if (at_ == end_) return false;
  const std::uint8_t tag = *at_;
  const auto left = static_cast<std::size_t>(end_ - at_) - 1;
  if ((tag ^ fix) < 16) {
    count = tag ^ fix;
    ++at_;
  } else if (tag == tag16 && left >= 2) {
    count = big_endian<std::uint16_t>(at_ + 1);
    at_ += 3;
  } else if (tag == tag16 + 1 && left >= 4) {
    count = big_endian<std::uint32_t>(at_ + 1);
    at_ += 5;
  } else {
    return false;
  }
  return true;
}

bool EventWalker::skip_value() {
  // Counts what is still to come instead of keeping a stack: every value is at least a byte, so more than the bytes
  // left can never be owed for long.
  std::size_t owed = 1;
  const std::uint8_t* at = at_;
  do {
    if (at == end_) return false;
    const std::uint8_t tag = *at++;
    const auto left = static_cast<std::size_t>(end_ - at);
    if (tag >= 0x80 && tag < 0xa0) {
      owed += static_cast<std::size_t>(tag & 0x0f) << (tag < 0x90 ? 1 : 0);
    } else if (tag >= 0x80 && tag < 0xe0) {
      const Shape shape = shape_of[tag];
      if (shape.fixed > left || shape.fixed == no_value) return false;
      std::size_t length = 0;
      for (std::uint8_t i = 0; i < shape.length; ++i) length = length << 8 | at[i];
      at += shape.fixed;
      if (shape.values_each > 0) {
        owed += length * shape.values_each;
      } else if (length > left - shape.fixed) {
        return false;
      } else {
        at += length;
      }
    }
    if (--owed > static_cast<std::size_t>(end_ - at)) return false;
  } while (owed > 0);
  at_ = at;
  return true;
}

bool EventWalker::take_attributes(EventFacts& facts) {
  std::size_t count = 0;
  if (!take_count(0x80, 0xde, count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t key = 0;
    if (!take_uint(key)) return false;
    bool is_taken = true;
    if (key == static_cast<std::uint64_t>(Attribute::CorrelationId)) {
      is_taken = take_string(facts.correlation);
    } else if (key == static_cast<std::uint64_t>(Attribute::CausationId)) {
      is_taken = take_string(facts.causation);
    } else if (key == static_cast<std::uint64_t>(Attribute::Traceparent)) {
      std::string_view traceparent;
      is_taken = take_string(traceparent);
      facts.trace = trace_of(traceparent);
    } else {
      is_taken = skip_value();
    }
    if (!is_taken) return false;
  }
  return true;
}

bool EventWalker::take_event(EventFacts& facts) {
  std::size_t fields = 0;
  std::uint64_t time = 0, schema_version = 0;
  std::string_view source;
  if (!take_count(0x90, 0xdc, fields) || fields != event_fields || !take_uint(time)) return false;
  facts.time = static_cast<std::int64_t>(time & std::numeric_limits<std::int64_t>::max());
  return take_string(source) && take_uint(schema_version) && take_attributes(facts) && skip_value();
}

bool EventWalker::next(EventFacts& facts) {
  const std::uint8_t* const start = at_;
  facts = {};
  if (take_event(facts)) return true;
  facts = {};
  facts.is_defect = true;
  at_ = start;
  return skip_value();
}

void collect(const FrameHeader& header, BytesView frame, TimeRange& times, IdSet& ids) {
  visit_events(header, frame, [&](const EventFacts& facts) {
    times.add(facts.time);
    if (!facts.correlation.empty()) ids.add(hash_of_id(facts.correlation));
    if (!facts.causation.empty()) ids.add(hash_of_id(facts.causation));
    if (!facts.trace.empty()) ids.add(hash_of_id(facts.trace));
    return true;
  });
}

TimeRange times_of(const FrameHeader& header, BytesView frame) {
  TimeRange times;
  visit_events(header, frame, [&](const EventFacts& facts) {
    times.add(facts.time);
    return true;
  });
  return times;
}

bool mentions(const FrameHeader& header, BytesView frame, std::string_view id) {
  return !visit_events(header, frame, [&](const EventFacts& facts) {
    return facts.correlation != id && facts.causation != id && facts.trace != id;
  });
}

}  // namespace legion::spool
