// The spool port of a real spool.
#pragma once

#include <memory>

#include <legion/base/address.hpp>
#include <legion/base/error.hpp>
#include <legion/cli/spool_ask.hpp>

namespace legion::cli {

/// Connects when something is asked. Errors: Unreachable when the name does not resolve.
Result<std::unique_ptr<SpoolAsk>> open_spool_ask(const Address& address);

}  // namespace legion::cli
