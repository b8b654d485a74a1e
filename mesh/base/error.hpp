// Errors are values: what the world does (bad bytes, a full disk, an absent peer) is reported as an Error.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace legion {

/// Every kind of failure the product reports, with the same name in logs, JSON answers and docs/operations.md.
enum class ErrorCode : std::uint8_t {
  InvalidArgument,   ///< a value outside what the function or key accepts
  BadData,           ///< bytes from outside that do not follow their format
  TooBig,            ///< larger than a documented bound
  WrongVersion,      ///< a frame or message of a protocol version not understood here
  NotFound,          ///< a named thing that does not exist
  WouldBlock,        ///< a bounded queue is full; try again later
  Refused,           ///< understood, and not allowed
  NameTaken,         ///< another live process has this node name
  Closed,            ///< the node is draining or stopped
  Unreachable,       ///< no answer from the address
  TimedOut,          ///< the deadline passed before the answer came
  AddressInUse,      ///< the listening address is taken
  Configuration,     ///< the configuration cannot be used as written
  Io,                ///< the operating system reported an error on a file, pipe or socket
  Internal,          ///< a defect of ours that could be contained
};

/// The lower-case name used in logs and JSON, for example "name_taken".
std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message{};  ///< one sentence for a person; names the file, line, key or address where there is one
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace legion
