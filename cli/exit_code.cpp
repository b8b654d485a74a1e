#include <legion/base/assert.hpp>
#include <legion/cli/exit_code.hpp>

namespace legion::cli {

int exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::InvalidArgument: return exit_code::usage;
    case ErrorCode::BadData:
    case ErrorCode::TooBig: return exit_code::bad_data;
    case ErrorCode::WrongVersion:
    case ErrorCode::NotFound:
    case ErrorCode::NameTaken:
    case ErrorCode::AddressInUse:
    case ErrorCode::Io: return exit_code::failed;
    case ErrorCode::WouldBlock:
    case ErrorCode::TimedOut: return exit_code::timed_out;
    case ErrorCode::Refused: return exit_code::not_permitted;
    case ErrorCode::Closed:
    case ErrorCode::Unreachable: return exit_code::unreachable;
    case ErrorCode::Configuration: return exit_code::configuration;
    case ErrorCode::Internal: return exit_code::internal;
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion::cli
