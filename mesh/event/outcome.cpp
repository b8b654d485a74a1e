#include <legion/event/outcome.hpp>

#include <legion/base/assert.hpp>

namespace legion {

std::string_view to_string(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::Done: return "done";
    case OutcomeKind::Stop: return "stop";
    case OutcomeKind::Reject: return "reject";
    case OutcomeKind::Retry: return "retry";
    case OutcomeKind::Deferred: return "deferred";
    case OutcomeKind::Expired: return "expired";
    case OutcomeKind::Undecodable: return "undecodable";
    case OutcomeKind::Unfit: return "unfit";
    case OutcomeKind::UnknownVersion: return "unknown_version";
    case OutcomeKind::FilteredWhere: return "filtered_where";
    case OutcomeKind::FilteredDuplicate: return "filtered_duplicate";
    case OutcomeKind::FilteredLimited: return "filtered_limited";
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion
