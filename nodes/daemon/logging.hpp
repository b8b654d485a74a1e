#pragma once

#include <memory>

#include <legion/base/error.hpp>
#include <legion/base/log.hpp>
#include <legion/config/config.hpp>

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace legion {

/// The program's log: standard error or a file, text or one JSON object a line. A thread of its own writes it, so that a
/// reader that stalls stops no other thread; when lines_max wait, the oldest give way and are counted.
/// Thread: write() from any.
class Log {
 public:
  static constexpr std::size_t lines_max = 8192;

  /// Errors: Io naming the file.
  static Result<Log> open(const LogConfig& config, const std::string& node);
  Log(Log&&) noexcept = default;
  Log& operator=(Log&&) = delete;
  ~Log();

  /// Writes what waits, for at most 2 s; nothing may be written afterwards. False: the reader has stalled, and so would
  /// the C library at the end of the process; leave with _Exit(). The destructor does the same.
  bool close();

  void write(LogLevel level, std::string_view text) const;
  LogSink sink() const;

 private:
  Log(std::shared_ptr<spdlog::details::thread_pool> writer, std::shared_ptr<spdlog::logger> logger);

  std::shared_ptr<spdlog::details::thread_pool> writer_;  // shared because spdlog's loggers refer to it that way
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace legion
