#include <legion/daemon/logging.hpp>

#include <algorithm>
#include <cstdio>
#include <future>
#include <thread>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <legion/base/assert.hpp>
#include <legion/base/text.hpp>
#include <legion/base/units.hpp>

namespace legion {

namespace {

constexpr auto last_words_max = 2s;
constexpr std::size_t line_bytes_max = 16 * 1024;

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::Trace: return spdlog::level::trace;
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
    case LogLevel::Off: return spdlog::level::off;
  }
  LEGION_UNREACHABLE();
}

std::string_view level_name(spdlog::level::level_enum level) {
  const auto name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

/// One JSON object a line: time, level, node, text.
class JsonLines : public spdlog::formatter {
 public:
  explicit JsonLines(std::string node) : node_(std::move(node)) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since_epoch = std::chrono::duration_cast<Duration>(message.time.time_since_epoch());
    const std::string_view text(message.payload.data(), message.payload.size());
    fmt::format_to(std::back_inserter(out), "{{\"time\":\"{}\",\"level\":\"{}\",\"node\":{},\"text\":{}}}\n",
                   format_time(WallTime{since_epoch.count()}), level_name(message.level), json_string(node_),
                   json_string(text));
  }

  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(node_); }

 private:
  std::string node_;
};

}  // namespace

Log::Log(std::shared_ptr<spdlog::details::thread_pool> writer, std::shared_ptr<spdlog::logger> logger)
    : writer_(std::move(writer)), logger_(std::move(logger)) {}

Log::~Log() { close(); }

bool Log::close() {
  if (!writer_) return true;
  if (const auto overrun = writer_->overrun_counter(); overrun > 0) {
    write(LogLevel::Warn, std::to_string(overrun) + " log lines were dropped because the log was read too slowly");
  }
  logger_->flush();
  // spdlog waits for ever for its writer, and the writer for ever for a reader that has stalled. The thread refers to
  // nothing but what it owns, so the process may end before it does.
  auto written = std::make_shared<std::promise<void>>();  // shared: either side may be the last to touch it
  auto done = written->get_future();
  std::thread([writer = std::move(writer_), logger = std::move(logger_), written]() mutable {
    logger.reset();
    writer.reset();
    written->set_value();
  }).detach();
  return done.wait_for(last_words_max) == std::future_status::ready;
}

Result<Log> Log::open(const LogConfig& config, const std::string& node) {
  spdlog::sink_ptr sink;
  try {
    if (config.file) {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(*config.file);
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
  } catch (const spdlog::spdlog_ex& error) {
    return fail(ErrorCode::Io, std::string("log file: ") + error.what());
  }
  auto writer = std::make_shared<spdlog::details::thread_pool>(lines_max, 1);
  auto logger = std::make_shared<spdlog::async_logger>(node, sink, writer, spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(level_of(config.level));
  logger->flush_on(spdlog::level::info);
  if (config.format == LogFormat::Json) {
    logger->set_formatter(std::make_unique<JsonLines>(node));
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %n: %v", spdlog::pattern_time_type::utc);
  }
  return Log(std::move(writer), std::move(logger));
}

void Log::write(LogLevel level, std::string_view text) const {
  // Agents, peers and paths have their say in log lines: none of them shall write a line of their own, or to a terminal.
  const auto harmless = [](char c) { return c >= 0x20 && c < 0x7F; };
  if (!std::ranges::all_of(text, harmless)) {
    const std::string safe = printable(text, line_bytes_max);
    logger_->log(level_of(level), spdlog::string_view_t(safe.data(), safe.size()));
    return;
  }
  logger_->log(level_of(level), spdlog::string_view_t(text.data(), text.size()));
}

LogSink Log::sink() const {
  return [this](LogLevel level, std::string_view text) { write(level, text); };
}

}  // namespace legion
