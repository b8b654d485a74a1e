// A store that no spool has open, asked like a spool.
#pragma once

#include <memory>
#include <string>

#include <legion/base/error.hpp>
#include <legion/cli/spool_ask.hpp>

namespace legion::cli {

/// Opens the file for reading. It answers what reads; what changes anything answers Refused.
/// Errors: as opening the store, above all where a spool has it open.
Result<std::unique_ptr<SpoolAsk>> open_spool_file(const std::string& path);

}  // namespace legion::cli
