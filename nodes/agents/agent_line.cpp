#include <legion/agents/agent_line.hpp>

#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <legion/agents/json_members.hpp>
#include <legion/base/text.hpp>
#include <legion/base/limits.hpp>

namespace legion {
namespace {

using nlohmann::json;

/// The members one line may hold. At most one of the verbs is allowed.
struct Parts {
  std::string_view verb;
  std::string_view value;
  std::optional<std::string_view> error;
  std::optional<std::string_view> ref;
  std::optional<std::string_view> cause;
  std::optional<std::string_view> level;
};

bool is_verb(std::string_view name) {
  return name == "ack" || name == "nack" || name == "stop" || name == "reject" || name == "defer" ||
         name == "publish" || name == "log";
}

std::optional<std::string_view>* side_member(Parts& parts, std::string_view name) {
  if (name == "error") return &parts.error;
  if (name == "ref") return &parts.ref;
  if (name == "cause") return &parts.cause;
  if (name == "level") return &parts.level;
  return nullptr;
}

/// What reads like a scalar is one: nothing else gets past the parser.
std::optional<json> scalar(std::string_view text) {
  if (text.empty() || text.front() == '{' || text.front() == '[') return std::nullopt;
  json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::optional<std::string> string_value(std::string_view text) {
  auto value = scalar(text);
  if (!value || !value->is_string()) return std::nullopt;
  return std::move(value->get_ref<std::string&>());
}

std::optional<std::uint64_t> delivery_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return number;
}

std::optional<LogLevel> log_level(std::string_view name) {
  if (name == "trace") return LogLevel::Trace;
  if (name == "debug") return LogLevel::Debug;
  if (name == "info") return LogLevel::Info;
  if (name == "warn" || name == "warning") return LogLevel::Warn;
  if (name == "error") return LogLevel::Error;
  return std::nullopt;
}

std::unexpected<LineDefect> defect(std::string message, std::optional<std::string> ref = {}) {
  return std::unexpected(LineDefect{std::move(message), std::move(ref)});
}

/// The ref when it can be echoed.
std::optional<std::string> usable_ref(const Parts& parts) {
  if (!parts.ref || parts.ref->size() > ref_bytes_max || !scalar(*parts.ref)) return std::nullopt;
  return std::string(*parts.ref);
}

std::expected<Parts, LineDefect> sort_members(const std::vector<JsonMember>& members) {
  Parts parts;
  std::string unknown;
  std::string twice;
  std::string second_verb;
  for (const auto& [name, value] : members) {
    if (is_verb(name)) {
      if (!parts.verb.empty()) second_verb = name;
      parts.verb = name;
      parts.value = value;
    } else if (auto* member = side_member(parts, name)) {
      if (*member) twice = name;
      *member = value;
    } else {
      unknown = printable(name, 64);
    }
  }
  const auto ref = usable_ref(parts);
  if (!unknown.empty()) return defect(fmt::format("unknown member \"{}\"", unknown), ref);
  if (!twice.empty()) return defect(fmt::format("member \"{}\" twice", twice), ref);
  if (parts.verb.empty()) {
    return defect("none of ack, nack, stop, reject, defer, publish, log is there", ref);
  }
  if (!second_verb.empty()) return defect(fmt::format("a second verb \"{}\" on one line", second_verb), ref);
  const bool takes_error = parts.verb == "nack" || parts.verb == "reject";
  const auto out_of_place = [&](std::string_view name) {
    return defect(fmt::format("member \"{}\" does not go with \"{}\"", name, parts.verb), ref);
  };
  if (parts.error && !takes_error) return out_of_place("error");
  if (parts.ref && parts.verb != "publish") return out_of_place("ref");
  if (parts.cause && parts.verb != "publish") return out_of_place("cause");
  if (parts.level && parts.verb != "log") return out_of_place("level");
  return parts;
}

std::expected<AgentLine, LineDefect> parse_outcome(const Parts& parts) {
  const auto number = delivery_number(parts.value);
  if (!number) return defect(fmt::format("\"{}\" needs the number of a delivery", parts.verb));
  std::string error = "the agent gave no reason";
  if (parts.error) {
    auto text = string_value(*parts.error);
    if (!text) return defect("\"error\" has to be a string");
    if (!text->empty()) error = cut_text(*text, limits::error_text_bytes_max);
  }
  OutcomeLine line{*number, Outcome::done()};
  if (parts.verb == "nack") line.outcome = Outcome::retry(std::move(error));
  if (parts.verb == "reject") line.outcome = Outcome::reject(std::move(error));
  if (parts.verb == "stop") line.outcome = Outcome::stop();
  if (parts.verb == "defer") line.outcome = Outcome::deferred();
  return line;
}

std::expected<AgentLine, LineDefect> parse_publish(const Parts& parts) {
  PublishLine line;
  if (parts.ref) {
    line.ref = usable_ref(parts);
    if (!line.ref) return defect(fmt::format("\"ref\" has to be a JSON scalar of at most {} bytes", ref_bytes_max));
  }
  if (parts.cause) {
    line.cause = delivery_number(*parts.cause);
    if (!line.cause) return defect("\"cause\" needs the number of a delivery", line.ref);
  }
  if (!parts.value.starts_with('{')) return defect("\"publish\" has to be a CloudEvent object", line.ref);
  auto event = from_cloudevent_json(parts.value);
  if (!event) return defect(fmt::format("\"publish\": {}", event.error().message), line.ref);
  line.event = std::move(*event);
  return line;
}

std::expected<AgentLine, LineDefect> parse_log(const Parts& parts) {
  auto text = string_value(parts.value);
  if (!text) return defect("\"log\" has to be a string");
  LogTextLine line{LogLevel::Info, std::move(*text)};
  if (parts.level) {
    const auto name = string_value(*parts.level);
    const auto level = name ? log_level(*name) : std::nullopt;
    if (!level) return defect("\"level\" has to be trace, debug, info, warn or error");
    line.level = *level;
  }
  return line;
}

std::string quoted(std::string_view text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::expected<AgentLine, LineDefect> parse_agent_line(std::string_view line) {
  const auto members = json_members(line);
  if (!members) return defect(members.error().message);
  const auto parts = sort_members(*members);
  if (!parts) return std::unexpected(parts.error());
  if (parts->verb == "publish") return parse_publish(*parts);
  if (parts->verb == "log") return parse_log(*parts);
  return parse_outcome(*parts);
}

std::string published_answer(std::string_view ref, std::string_view id) {
  return fmt::format("{{\"published\":{},\"id\":{}}}\n", ref, quoted(id));
}

std::string refused_answer(std::string_view ref, std::string_view reason) {
  return fmt::format("{{\"refused\":{},\"reason\":{}}}\n", ref, quoted(reason));
}

}  // namespace legion
