// One line an exec agent wrote to its standard output. docs/protocol.md, "Exec agents".
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <legion/base/log.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/json.hpp>

namespace legion {

/// A `ref` is echoed in every answer, so it is kept while a publish is under way.
inline constexpr std::size_t ref_bytes_max = 256;
/// Text of one log line, whoever wrote it.
inline constexpr std::size_t log_text_bytes_max = 4096;

/// {"ack":N} {"nack":N,"error":".."} {"stop":N} {"reject":N,"error":".."} {"defer":N}
struct OutcomeLine {
  std::uint64_t delivery = 0;
  Outcome outcome;
};

/// {"publish":{..},"ref":R,"cause":N}
struct PublishLine {
  IncomingEvent event;
  std::optional<std::string> ref;      ///< JSON text of a scalar, as written
  std::optional<std::uint64_t> cause;  ///< a delivery not yet answered
};

/// {"log":"..","level":".."}
struct LogTextLine {
  LogLevel level = LogLevel::Info;
  std::string text;
};

using AgentLine = std::variant<OutcomeLine, PublishLine, LogTextLine>;

/// What is wrong with a line, and whom to tell besides the log.
struct LineDefect {
  std::string message;
  std::optional<std::string> ref;  ///< of a publish whose `ref` could be read: it is answered with a refusal
};

std::expected<AgentLine, LineDefect> parse_agent_line(std::string_view line);

/// {"published":R,"id":".."} and {"refused":R,"reason":".."}, each with its newline.
std::string published_answer(std::string_view ref, std::string_view id);
std::string refused_answer(std::string_view ref, std::string_view reason);

}  // namespace legion
