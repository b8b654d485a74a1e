// The writing half of the messages of the spool link.
#include <legion/base/text.hpp>
#include <legion/core/spool_message_kinds.hpp>
#include <legion/core/spool_messages.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

constexpr std::size_t small_head_bytes = 64;  // what most messages need: one allocation

MsgpackWriter begin(std::size_t members, std::uint8_t kind) {
  Bytes bytes;
  bytes.reserve(small_head_bytes);
  MsgpackWriter out(std::move(bytes));
  out.array(members);
  out.uint(kind);
  return out;
}

void write(MsgpackWriter& out, JournalKind journal) { out.uint(static_cast<std::uint8_t>(journal)); }

void write(MsgpackWriter& out, const StreamSpan& span) {
  out.array(5);
  out.uint(lane_index(span.lane));
  out.str(span.type);
  out.uint(span.shard);
  out.uint(span.first);
  out.uint(span.last);
}

void write(MsgpackWriter& out, const LinkOpened::Have& have) {
  out.array(3);
  out.uint(have.through);
  out.uint(have.window);
  out.array(have.beyond.size());
  for (const PositionRange& range : have.beyond) {
    out.array(2);
    out.uint(range.first);
    out.uint(range.last);
  }
}

Bytes head_of(const OpenLink& open) {
  MsgpackWriter out = begin(7, spool_kind::open_link);
  out.uint(open.version_min);
  out.uint(open.version_max);
  out.uint(open.session);
  out.str(open.origin.node);
  out.uint(open.origin.incarnation);
  out.bin(open.boot.bytes);
  return out.take();
}

Bytes head_of(const AppendFrame& append) {
  MsgpackWriter out = begin(5, spool_kind::append_frame);
  out.uint(append.session);
  write(out, append.journal);
  out.uint(append.position);
  out.uint(append.held_for);
  return out.take();
}

Bytes head_of(const AppendVoid& append) {
  MsgpackWriter out = begin(6, spool_kind::append_void);
  out.uint(append.session);
  write(out, append.journal);
  out.uint(append.range.first);
  out.uint(append.range.last);
  out.array(append.spans.size());
  for (const StreamSpan& span : append.spans) write(out, span);
  return out.take();
}

Bytes head_of(const SkipRange& skip) {
  MsgpackWriter out = begin(5, spool_kind::skip_range);
  out.uint(skip.session);
  write(out, skip.journal);
  out.uint(skip.range.first);
  out.uint(skip.range.last);
  return out.take();
}

Bytes head_of(const Released& released) {
  MsgpackWriter out = begin(5, spool_kind::released);
  out.uint(released.session);
  write(out, released.journal);
  out.uint(released.spools);
  out.uint(released.through);
  return out.take();
}

Bytes head_of(const CloseLink& close) {
  MsgpackWriter out = begin(4, spool_kind::close_link);
  out.uint(close.session);
  out.uint(close.confirmed);
  out.uint(close.captured);
  return out.take();
}

Bytes head_of(const LinkOpened& opened) {
  MsgpackWriter out = begin(5, spool_kind::link_opened);
  out.uint(opened.version);
  out.uint(opened.session);
  out.bin(opened.store.bytes);
  out.array(opened.journals.size());
  for (const LinkOpened::Have& have : opened.journals) write(out, have);
  return out.take();
}

Bytes head_of(const LinkRefused& refused) {
  MsgpackWriter out = begin(4, spool_kind::link_refused);
  out.uint(refused.session);
  out.str(refused.code);
  out.str(cut_text(refused.message, limits::error_text_bytes_max));
  return out.take();
}

Bytes head_of(const Acknowledged& acknowledged) {
  MsgpackWriter out = begin(5, spool_kind::acknowledged);
  out.uint(acknowledged.session);
  write(out, acknowledged.journal);
  out.uint(acknowledged.through);
  out.uint(acknowledged.window);
  return out.take();
}

Bytes head_of(const Rewind& rewind) {
  MsgpackWriter out = begin(4, spool_kind::rewind);
  out.uint(rewind.session);
  write(out, rewind.journal);
  out.uint(rewind.through);
  return out.take();
}

}  // namespace

SpoolMessageParts encode(const ToSpool& message) {
  SpoolMessageParts parts;
  parts.head = std::visit([](const auto& given) { return head_of(given); }, message);
  if (const auto* append = std::get_if<AppendFrame>(&message)) parts.frame = append->frame;
  return parts;
}

Bytes encode(const FromSpool& message) {
  return std::visit([](const auto& given) { return head_of(given); }, message);
}

}  // namespace legion
