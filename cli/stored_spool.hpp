// A store in this process, asked like a spool.
#pragma once

#include <memory>

#include <legion/cli/spool_ask.hpp>
#include <legion/spool/store.hpp>

namespace legion::cli {

/// Answers what reads as a spool would; what changes anything answers Refused. Time-outs do not apply.
/// Errors: the store's (no reader).
Result<std::unique_ptr<SpoolAsk>> ask_store(std::unique_ptr<Store> store);

}  // namespace legion::cli
