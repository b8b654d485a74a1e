#include <legion/base/assert.hpp>
#include <legion/base/error.hpp>

namespace legion {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return "invalid_argument";
    case ErrorCode::BadData: return "bad_data";
    case ErrorCode::TooBig: return "too_big";
    case ErrorCode::WrongVersion: return "wrong_version";
    case ErrorCode::NotFound: return "not_found";
    case ErrorCode::WouldBlock: return "would_block";
    case ErrorCode::Refused: return "refused";
    case ErrorCode::NameTaken: return "name_taken";
    case ErrorCode::Closed: return "closed";
    case ErrorCode::Unreachable: return "unreachable";
    case ErrorCode::TimedOut: return "timed_out";
    case ErrorCode::AddressInUse: return "address_in_use";
    case ErrorCode::Configuration: return "configuration";
    case ErrorCode::Io: return "io";
    case ErrorCode::Internal: return "internal";
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion
