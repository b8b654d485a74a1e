#pragma once

#include <memory>

#include <legion/base/error.hpp>
#include <legion/base/log.hpp>
#include <legion/config/config.hpp>

namespace spdlog {
class logger;
}

namespace legion {

/// The program's log: standard error or a file, text or one JSON object a line. Errors: Io naming the file.
Result<std::shared_ptr<spdlog::logger>> open_log(const LogConfig& config, const std::string& node);

/// Where the mesh writes to. The logger is shared with the sink, because lines come from every thread until the end.
LogSink sink_of(std::shared_ptr<spdlog::logger> logger);

}  // namespace legion
