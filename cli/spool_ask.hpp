// Questions to the spool port of one spool. docs/protocol.md, "Spool queries".
#pragma once

#include <memory>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/runtime/spool_queries.hpp>

namespace legion::cli {

/// Thread: one at a time. Blocks, at most for the time-out given.
class SpoolAsk {
 public:
  virtual ~SpoolAsk() = default;
  /// `params` is one MessagePack value (empty: nil). Errors: Unreachable, TimedOut, BadData, and what the spool answered.
  virtual Result<SpoolReply> ask(std::string_view method, BytesView params, Duration timeout) = 0;
};

}  // namespace legion::cli
