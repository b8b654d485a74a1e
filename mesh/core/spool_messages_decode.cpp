// The reading half of the messages of the spool link. Everything here comes from outside.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <legion/base/text.hpp>
#include <legion/core/spool_message_kinds.hpp>
#include <legion/core/spool_messages.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {
namespace {

constexpr std::size_t code_bytes_max = 64;
constexpr std::uint64_t incarnation_max = std::numeric_limits<std::int64_t>::max();

/// Reads members one after the other. After the first one that is wrong the others are not looked at, and `error` says
/// which it was.
class Members {
 public:
  explicit Members(BytesView bytes) : in_(bytes) {}

  std::uint64_t number(const char* member, std::uint64_t least, std::uint64_t most) {
    std::uint64_t value = 0;
    if (error_) return least;
    if (!in_.take_uint(value)) return refuse(member, "not an unsigned integer"), least;
    if (value < least || value > most) return refuse(member, "out of range"), least;
    return value;
  }
  LinkSession session() { return number("session", 1, std::numeric_limits<std::uint64_t>::max()); }
  JournalKind journal() { return static_cast<JournalKind>(number("journal", 1, 2)); }
  Position position(const char* member, Position least) { return number(member, least, position_max); }
  PositionRange range() {
    PositionRange range;
    range.first = position("first", 1);
    range.last = position("last", range.first);
    return range;
  }
  /// At least `least` values follow.
  std::size_t array(const char* member, std::size_t least, std::size_t most) {
    if (error_) return least;
    const auto count = in_.read_array();
    if (!count) return refuse(member, count.error().message), least;
    if (*count < least || *count > most) return refuse(member, "wrong number of entries"), least;
    return *count;
  }
  std::string_view text(const char* member, std::size_t bytes_max) {
    std::string_view value;
    if (!error_ && !in_.take_string(value, bytes_max)) refuse(member, "not a string of its size");
    return value;
  }
  template <std::size_t Size>
  void bin(const char* member, std::array<std::uint8_t, Size>& to) {
    if (error_) return;
    const auto bytes = in_.read_bin(Size);
    if (!bytes || bytes->size() != Size) return refuse(member, "not " + std::to_string(Size) + " bytes");
    std::copy(bytes->begin(), bytes->end(), to.begin());
  }
  void skip() {
    if (error_) return;
    if (const auto skipped = in_.skip(); !skipped) refuse("later member", skipped.error().message);
  }
  void refuse(const char* member, std::string_view what, ErrorCode code = ErrorCode::BadData) {
    if (!error_) error_ = Error{code, std::string(member) + ": " + std::string(what)};
  }
  bool ok() const { return !error_; }

  /// `value`, unless something was wrong or is left.
  template <class Message, class Value>
  Result<Message> end(Value&& value) {
    if (!error_ && !in_.at_end()) refuse("message", "bytes behind it");
    if (error_) return std::unexpected(*std::move(error_));
    return Message(std::forward<Value>(value));
  }

 private:
  MsgpackReader in_;
  std::optional<Error> error_;
};

template <class Message>
Result<Message> wrong_shape(Members& in) {
  in.refuse("message", "wrong number of members");
  return in.end<Message>(Message{});
}

Result<ToSpool> read_open_link(Members& in, std::size_t members) {
  if (members < 4) return wrong_shape<ToSpool>(in);
  OpenLink open;
  open.version_min = static_cast<std::uint8_t>(in.number("vmin", 0, 255));
  open.version_max = static_cast<std::uint8_t>(in.number("vmax", open.version_min, 255));
  open.session = in.session();
  if (!open.speaks_our_version()) {
    for (std::size_t i = 4; i < members && in.ok(); ++i) in.skip();
    return in.end<ToSpool>(std::move(open));
  }
  if (members != 7) return wrong_shape<ToSpool>(in);
  open.origin.node = in.text("node", limits::node_name_bytes_max);
  if (!is_node_name(open.origin.node)) in.refuse("node", "not a node name");
  open.origin.incarnation = in.number("incarnation", 1, incarnation_max - 1);
  in.bin("boot", open.boot.bytes);
  return in.end<ToSpool>(std::move(open));
}

Result<ToSpool> read_append_frame(Members& in) {
  AppendFrame append;
  append.session = in.session();
  append.journal = in.journal();
  append.position = in.position("position", 1);
  append.held_for = static_cast<std::uint8_t>(in.number("held for", 0, required_spools_max));
  return in.end<ToSpool>(std::move(append));
}

StreamSpan read_span(Members& in) {
  StreamSpan span;
  in.array("spans", 5, 5);
  span.lane = static_cast<Priority>(in.number("lane", 0, limits::lane_count - 1));
  const std::string_view type = in.text("type", limits::wire_type_bytes_max);
  if (in.ok() && !is_wire_type(type)) in.refuse("type", "not an event type");
  span.type = type;
  span.shard = static_cast<std::uint8_t>(in.number("shard", 0, 255));
  span.first = in.number("first sequence", 1, sequence_max);
  span.last = in.number("last sequence", span.first, sequence_max);
  return span;
}

Result<ToSpool> read_append_void(Members& in) {
  AppendVoid append;
  append.session = in.session();
  append.journal = in.journal();
  if (append.journal != JournalKind::Captured) in.refuse("journal", "a void in the confirmed one");
  append.range = in.range();
  const std::size_t spans = in.array("spans", 0, void_spans_max);
  for (std::size_t i = 0; i < spans && in.ok(); ++i) append.spans.push_back(read_span(in));
  return in.end<ToSpool>(std::move(append));
}

Result<ToSpool> read_skip_range(Members& in) {
  SkipRange skip;
  skip.session = in.session();
  skip.journal = in.journal();
  skip.range = in.range();
  return in.end<ToSpool>(std::move(skip));
}

Result<ToSpool> read_released(Members& in) {
  Released released;
  released.session = in.session();
  released.journal = in.journal();
  released.spools = static_cast<std::uint8_t>(in.number("spools", 1, required_spools_max));
  released.through = in.position("through", 0);
  return in.end<ToSpool>(std::move(released));
}

Result<ToSpool> read_close_link(Members& in) {
  CloseLink close;
  close.session = in.session();
  close.confirmed = in.position("confirmed", 0);
  close.captured = in.position("captured", 0);
  return in.end<ToSpool>(std::move(close));
}

LinkOpened::Have read_have(Members& in) {
  LinkOpened::Have have;
  in.array("have", 3, 3);
  have.through = in.position("through", 0);
  have.window = in.number("window", 0, std::numeric_limits<std::uint64_t>::max());
  const std::size_t ranges = in.array("beyond", 0, have_ranges_max);
  Position before = have.through;
  for (std::size_t i = 0; i < ranges && in.ok(); ++i) {
    in.array("beyond", 2, 2);
    const PositionRange range = in.range();
    if (range.first <= before + 1) in.refuse("beyond", "ranges that do not ascend apart");
    have.beyond.push_back(range);
    before = range.last;
  }
  return have;
}

Result<FromSpool> read_link_opened(Members& in, std::size_t members) {
  if (members < 3) return wrong_shape<FromSpool>(in);
  LinkOpened opened;
  opened.version = static_cast<std::uint8_t>(in.number("version", 0, 255));
  if (in.ok() && opened.version != spool_link_version) in.refuse("version", "not ours", ErrorCode::WrongVersion);
  if (in.ok() && members != 5) return wrong_shape<FromSpool>(in);
  opened.session = in.session();
  in.bin("store", opened.store.bytes);
  in.array("journals", 2, 2);
  for (LinkOpened::Have& have : opened.journals) have = read_have(in);
  return in.end<FromSpool>(std::move(opened));
}

Result<FromSpool> read_link_refused(Members& in) {
  LinkRefused refused;
  refused.session = in.session();
  refused.code = in.text("code", code_bytes_max);
  if (in.ok() && (refused.code.empty() || !is_utf8(refused.code))) in.refuse("code", "not a word");
  // Text for people: what is no UTF-8 costs the text only.
  const std::string_view message =
      cut_text(in.text("message", limits::message_bytes_max), limits::error_text_bytes_max);
  refused.message = is_utf8(message) ? message : "?";
  return in.end<FromSpool>(std::move(refused));
}

Result<FromSpool> read_acknowledged(Members& in) {
  Acknowledged acknowledged;
  acknowledged.session = in.session();
  acknowledged.journal = in.journal();
  acknowledged.through = in.position("through", 0);
  acknowledged.window = in.number("window", 0, std::numeric_limits<std::uint64_t>::max());
  return in.end<FromSpool>(std::move(acknowledged));
}

Result<FromSpool> read_rewind(Members& in) {
  Rewind rewind;
  rewind.session = in.session();
  rewind.journal = in.journal();
  rewind.through = in.position("through", 0);
  return in.end<FromSpool>(std::move(rewind));
}

template <class Message>
Result<Message> unknown_kind(std::uint64_t kind) {
  return fail(ErrorCode::NotFound, "kind: there is no message " + std::to_string(kind));
}

}  // namespace

Result<ToSpool> decode_to_spool(BytesView head, bool has_frame) {
  if (head.size() > limits::message_bytes_max) return fail(ErrorCode::BadData, "message: too long");
  Members in(head);
  const std::size_t members = in.array("message", 1, limits::msgpack_items_max);
  const std::uint64_t kind = in.number("kind", 0, 255);
  if (!in.ok()) return in.end<ToSpool>(OpenLink{});
  if (has_frame != (kind == spool_kind::append_frame)) in.refuse("frame", has_frame ? "not expected" : "missing");
  const auto shaped = [&](std::size_t count) {
    if (members != count) in.refuse("message", "wrong number of members");
  };
  switch (kind) {
    case spool_kind::open_link: return read_open_link(in, members);
    case spool_kind::append_frame: return shaped(5), read_append_frame(in);
    case spool_kind::append_void: return shaped(6), read_append_void(in);
    case spool_kind::skip_range: return shaped(5), read_skip_range(in);
    case spool_kind::released: return shaped(5), read_released(in);
    case spool_kind::close_link: return shaped(4), read_close_link(in);
    default: return unknown_kind<ToSpool>(kind);
  }
}

Result<FromSpool> decode_from_spool(BytesView head) {
  if (head.size() > limits::message_bytes_max) return fail(ErrorCode::BadData, "message: too long");
  Members in(head);
  const std::size_t members = in.array("message", 1, limits::msgpack_items_max);
  const std::uint64_t kind = in.number("kind", 0, 255);
  if (!in.ok()) return in.end<FromSpool>(Rewind{});
  const auto shaped = [&](std::size_t count) {
    if (members != count) in.refuse("message", "wrong number of members");
  };
  switch (kind) {
    case spool_kind::link_opened: return read_link_opened(in, members);
    case spool_kind::link_refused: return shaped(4), read_link_refused(in);
    case spool_kind::acknowledged: return shaped(5), read_acknowledged(in);
    case spool_kind::rewind: return shaped(4), read_rewind(in);
    default: return unknown_kind<FromSpool>(kind);
  }
}

}  // namespace legion
