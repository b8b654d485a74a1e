#include <legion/spool/journal_check.hpp>

#include <string>

#include <legion/event/event_type.hpp>

namespace legion::spool {
namespace {

std::unexpected<Error> bad(const JournalRecord& record, std::string_view what) {
  return fail(ErrorCode::BadData, "record " + record.origin.node + ":" + std::to_string(record.origin.incarnation) +
                                      ":" + std::string(to_string(record.journal)) + " " +
                                      std::to_string(record.first) + ": " + std::string(what));
}

}  // namespace

Result<void> check_origin(const Origin& origin) {
  if (!is_node_name(origin.node)) return fail(ErrorCode::BadData, "the origin is not a node name");
  if (origin.incarnation == 0 || origin.incarnation > stored_number_max) {
    return fail(ErrorCode::BadData, "the incarnation " + std::to_string(origin.incarnation) + " of " + origin.node +
                                        " is out of range");
  }
  return {};
}

Result<FrameHeader> check_record(const JournalRecord& record) {
  if (auto ok = check_origin(record.origin); !ok) return std::unexpected(std::move(ok.error()));
  if (record.first == 0 || record.last < record.first || record.last > stored_number_max) {
    return bad(record, "the positions are out of range");
  }
  if (record.is_void()) {
    for (const StreamSpan& span : record.spans) {
      const bool is_sound = span.first >= 1 && span.first <= span.last && span.last <= stored_number_max;
      if (!is_sound || !is_wire_type(span.type)) return bad(record, "what the void stands for is out of range");
    }
    return FrameHeader{};
  }
  if (record.first != record.last) return bad(record, "a frame has one position");
  auto header = decode_frame_header(*record.frame);
  if (!header) return bad(record, header.error().message);
  if (header->origin != record.origin.node || header->incarnation != record.origin.incarnation) {
    return bad(record, "the frame is of another origin");
  }
  if (header->is_tail_marker()) return bad(record, "a frame without events");
  if (header->first_sequence > stored_number_max - header->event_count) return bad(record, "the sequence is out of range");
  return *header;
}

}  // namespace legion::spool
