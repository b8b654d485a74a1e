#include <legion/event/where_values.hpp>

#include <array>
#include <bit>
#include <cstring>

#include <legion/base/assert.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion::where {

namespace {

// How a value begins, by its first byte.
struct Head {
  enum class Form : std::uint8_t { Scalar, Sized, Array, Map, Never } form = Form::Never;
  std::uint8_t bytes = 1;   // of the head: with a scalar's value, with the size or the count of the others
  std::uint8_t extra = 0;   // of Sized: bytes besides those its size states (the type of an ext)
  std::uint32_t count = 0;  // where the first byte says it: of Sized bytes, of Array and Map entries
};

constexpr std::array<Head, 256> make_heads() {
  using enum Head::Form;
  std::array<Head, 256> heads{};
  for (std::uint32_t tag = 0; tag < 256; ++tag) {
    if (tag < 0x80 || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3) heads[tag] = {Scalar, 1, 0, 0};
    if (tag >= 0x80 && tag < 0x90) heads[tag] = {Map, 1, 0, tag & 0x0f};
    if (tag >= 0x90 && tag < 0xa0) heads[tag] = {Array, 1, 0, tag & 0x0f};
    if (tag >= 0xa0 && tag < 0xc0) heads[tag] = {Sized, 1, 0, tag & 0x1f};
  }
  for (std::uint8_t i = 0; i < 3; ++i) {
    heads[0xc4u + i] = {Sized, static_cast<std::uint8_t>(1 + (1u << i)), 0, 0};  // bin
    heads[0xd9u + i] = {Sized, static_cast<std::uint8_t>(1 + (1u << i)), 0, 0};  // str
    heads[0xc7u + i] = {Sized, static_cast<std::uint8_t>(1 + (1u << i)), 1, 0};  // ext
  }
  for (std::uint8_t i = 0; i < 4; ++i) {
    heads[0xccu + i] = {Scalar, static_cast<std::uint8_t>(1 + (1u << i)), 0, 0};  // uint
    heads[0xd0u + i] = {Scalar, static_cast<std::uint8_t>(1 + (1u << i)), 0, 0};  // int
  }
  heads[0xca] = {Scalar, 5, 0, 0};
  heads[0xcb] = {Scalar, 9, 0, 0};
  for (std::uint32_t i = 0; i < 5; ++i) heads[0xd4 + i] = {Sized, 1, 1, 1u << i};  // fixext
  heads[0xdc] = {Array, 3, 0, 0};
  heads[0xdd] = {Array, 5, 0, 0};
  heads[0xde] = {Map, 3, 0, 0};
  heads[0xdf] = {Map, 5, 0, 0};
  return heads;
}

constexpr std::array<Head, 256> heads = make_heads();

/// A place in MessagePack. Once something does not fit, it stands at the end and finds nothing any more.
class Cursor {
 public:
  explicit Cursor(BytesView bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  const std::uint8_t* at() const { return at_; }

  /// Stands behind the head of the value here, if that is a map; its number of entries.
  bool enter(Head::Form form, std::uint64_t& count) {
    Head::Form found{};
    if (!read_head(found, count) || found != form) return lose();
    return true;
  }

  bool skip() {
    for (std::uint64_t left = 1; left > 0; --left) {
      Head::Form form{};
      std::uint64_t count = 0;
      if (!read_head(form, count)) return lose();
      if (form == Head::Form::Array) left += count;
      if (form == Head::Form::Map) left += 2 * count;
      if (left > static_cast<std::uint64_t>(end_ - at_) + 1) return lose();  // each takes a byte
    }
    return true;
  }

  /// Passes over the key here; whether it is this text.
  bool take_key(std::string_view wanted, bool& is_wanted) {
    if (at_ == end_) return false;
    const std::size_t size = *at_ ^ 0xa0u;
    if (size < 32 && size < static_cast<std::size_t>(end_ - at_)) {
      is_wanted = size == wanted.size() && std::memcmp(at_ + 1, wanted.data(), size) == 0;
      at_ += 1 + size;
      return true;
    }
    const std::uint8_t* const begin = at_;
    if (!skip()) return false;
    MsgpackReader reader(BytesView(begin, at_));
    std::string_view key;
    is_wanted = reader.take_string(key, limits::message_bytes_max) && key == wanted;
    return true;
  }

  /// The value here, as it is; `Other` for what a condition cannot look into.
  Value read();

 private:
  bool lose() {
    at_ = end_;
    return false;
  }

  std::uint64_t big_endian(const std::uint8_t* from, std::size_t bytes) const {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes; ++i) number = number << 8 | from[i];
    return number;
  }

  /// Passes over the head, and over the value where that is no container.
  bool read_head(Head::Form& form, std::uint64_t& count) {
    if (at_ == end_) return false;
    const Head& head = heads[*at_];
    const auto left = static_cast<std::size_t>(end_ - at_);
    form = head.form;
    if (head.form == Head::Form::Never || head.bytes > left) return false;
    if (head.form == Head::Form::Scalar) {
      at_ += head.bytes;
      return true;
    }
    count = head.bytes == 1 ? head.count : big_endian(at_ + 1, head.bytes - 1u);
    at_ += head.bytes;
    if (head.form != Head::Form::Sized) return true;
    count += head.extra;
    if (count > static_cast<std::uint64_t>(end_ - at_)) return false;
    at_ += count;
    return true;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

Value Cursor::read() {
  const std::uint8_t* const begin = at_;
  Value value;
  if (!skip()) return value;
  const std::uint8_t tag = *begin;
  const auto text = [&](std::size_t head) {
    value.kind = Kind::Text;
    value.text = as_text(BytesView(begin + head, at_));
  };
  const auto natural = [&](std::uint64_t number) {
    value.kind = Kind::Uint;
    value.natural = number;
  };
  const auto integer = [&](std::int64_t number) {
    if (number >= 0) return natural(static_cast<std::uint64_t>(number));
    value.kind = Kind::Int;
    value.integer = number;
  };
  const auto real = [&](double number) {
    value.kind = Kind::Float;
    value.real = number;
  };
  const auto number = [&](std::size_t bytes) { return big_endian(begin + 1, bytes); };
  value.kind = Kind::Other;
  if (tag < 0x80) {
    natural(tag);
  } else if (tag >= 0xe0) {
    integer(static_cast<std::int8_t>(tag));
  } else if (tag >= 0xa0 && tag < 0xc0) {
    text(1);
  } else {
    switch (tag) {
      case 0xc0: value.kind = Kind::Null; break;
      case 0xc2:
      case 0xc3:
        value.kind = Kind::Bool;
        value.boolean = tag == 0xc3;
        break;
      case 0xca: real(std::bit_cast<float>(static_cast<std::uint32_t>(number(4)))); break;
      case 0xcb: real(std::bit_cast<double>(number(8))); break;
      case 0xcc: natural(number(1)); break;
      case 0xcd: natural(number(2)); break;
      case 0xce: natural(number(4)); break;
      case 0xcf: natural(number(8)); break;
      case 0xd0: integer(static_cast<std::int8_t>(number(1))); break;
      case 0xd1: integer(static_cast<std::int16_t>(number(2))); break;
      case 0xd2: integer(static_cast<std::int32_t>(number(4))); break;
      case 0xd3: integer(static_cast<std::int64_t>(number(8))); break;
      case 0xd9: text(2); break;
      case 0xda: text(3); break;
      case 0xdb: text(5); break;
      default: break;
    }
  }
  return value;
}

bool go_to_member(Cursor& cursor, std::string_view name) {
  std::uint64_t entries = 0;
  if (!cursor.enter(Head::Form::Map, entries)) return false;
  for (; entries > 0; --entries) {
    bool is_wanted = false;
    if (!cursor.take_key(name, is_wanted)) return false;
    if (is_wanted) return true;
    if (!cursor.skip()) return false;
  }
  return false;
}

bool go_to_element(Cursor& cursor, std::uint32_t index) {
  std::uint64_t entries = 0;
  if (!cursor.enter(Head::Form::Array, entries) || index >= entries) return false;
  for (; index > 0; --index) {
    if (!cursor.skip()) return false;
  }
  return true;
}

/// Every place below the value here; the cursor ends behind it. False: the bytes are not what they claim to be.
bool collect(Cursor& cursor, std::span<const Step> steps, const std::uint8_t* begin, std::vector<Place>& places) {
  const auto offset = [&] { return static_cast<std::size_t>(cursor.at() - begin); };
  if (steps.empty()) {
    const std::size_t first = offset();
    if (!cursor.skip()) return false;
    places.push_back({first, offset()});
    return true;
  }
  const Step& step = steps.front();
  const bool by_name = step.kind == Step::Kind::Member;
  Cursor inside = cursor;
  std::uint64_t entries = 0;
  if (!inside.enter(by_name ? Head::Form::Map : Head::Form::Array, entries)) return cursor.skip();
  for (std::uint64_t i = 0; i < entries; ++i) {
    bool is_wanted = i == step.index;
    if (by_name && !inside.take_key(step.name, is_wanted)) return false;
    if (!(is_wanted ? collect(inside, steps.subspan(1), begin, places) : inside.skip())) return false;
  }
  cursor = inside;
  return true;
}

/// Attributes that are absent are empty.
Value text_value(std::string_view text) {
  Value value;
  if (text.empty()) return value;
  value.kind = Kind::Text;
  value.text = text;
  return value;
}

Value integer_value(Kind kind, std::int64_t integer) {
  Value value;
  value.kind = kind;
  value.integer = integer;
  return value;
}

/// Before and after the slash of `node/agent`; without a slash all of it is the node.
std::string_view source_part(std::string_view source, Attribute part) {
  const std::size_t slash = source.find('/');
  if (part == Attribute::Node) return source.substr(0, slash);
  return slash == source.npos ? std::string_view() : source.substr(slash + 1);
}

Value attribute_of(const EventView& event, Attribute attribute) {
  switch (attribute) {
    case Attribute::Type: return text_value(event.type);
    case Attribute::Source: return text_value(event.source);
    case Attribute::Node:
    case Attribute::Agent: return text_value(source_part(event.source, attribute));
    case Attribute::Origin: return text_value(event.origin);
    case Attribute::Key: return text_value(event.key);
    case Attribute::CorrelationId: return text_value(event.correlation_id);
    case Attribute::CausationId: return text_value(event.causation_id);
    case Attribute::Traceparent: return text_value(event.traceparent);
    case Attribute::Tracestate: return text_value(event.tracestate);
    case Attribute::ForeignId: return text_value(event.foreign_id);
    case Attribute::OriginalId: return text_value(event.original_id);
    case Attribute::SchemaVersion: {
      Value value;
      value.kind = Kind::Uint;
      value.natural = event.schema_version;
      return value;
    }
    case Attribute::Priority: return integer_value(Kind::Urgency, -static_cast<std::int64_t>(lane_index(event.lane)));
    case Attribute::Time: return integer_value(Kind::Time, event.time.ns);
    case Attribute::ExpiresAt: return event.expires_at ? integer_value(Kind::Time, event.expires_at->ns) : Value{};
  }
  LEGION_UNREACHABLE();
}

Value extension_of(const Subject& subject, const Step& step) {
  if (!subject.event.extensions.empty()) return find_in_data(subject.event.extensions, {&step, 1});
  for (const auto& [name, text] : subject.extensions) {
    if (name != step.name) continue;
    Value value;
    value.kind = Kind::Text;
    value.text = text;
    return value;
  }
  return {};
}

}  // namespace

Value find_in_data(BytesView data, std::span<const Step> steps) {
  Cursor cursor(data);
  for (const Step& step : steps) {
    const bool found =
        step.kind == Step::Kind::Member ? go_to_member(cursor, step.name) : go_to_element(cursor, step.index);
    if (!found) return {};
  }
  return cursor.read();
}

void find_places(BytesView data, std::span<const Step> steps, std::vector<Place>& places) {
  Cursor cursor(data);
  collect(cursor, steps, data.data(), places);
}

Value value_of(const Operand& operand, const Program& program, const Subject& subject) {
  switch (operand.source) {
    case Operand::Source::Attribute: return attribute_of(subject.event, operand.attribute);
    case Operand::Source::Data:
      return find_in_data(subject.event.data, std::span(program.steps).subspan(operand.first, operand.count));
    case Operand::Source::Extension: return extension_of(subject, program.steps[operand.first]);
    case Operand::Source::Literal: return program.literals[operand.first].value;
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion::where
