#include <legion/event/publish.hpp>

#include <legion/base/assert.hpp>

namespace legion {

std::string_view to_string(Confirm::Status status) {
  switch (status) {
    case Confirm::Status::Confirmed: return "confirmed";
    case Confirm::Status::Numbered: return "numbered";
    case Confirm::Status::Unconfirmed: return "unconfirmed";
    case Confirm::Status::Refused: return "refused";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(PublishStatus status) {
  switch (status) {
    case PublishStatus::Queued: return "queued";
    case PublishStatus::WouldBlock: return "would_block";
    case PublishStatus::TooBig: return "too_big";
    case PublishStatus::Invalid: return "invalid";
    case PublishStatus::Refused: return "refused";
    case PublishStatus::Closed: return "closed";
    case PublishStatus::Filtered: return "filtered";
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion
