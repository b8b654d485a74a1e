#include <legion/config/forms.hpp>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include <legion/base/ids.hpp>
#include <legion/base/units.hpp>
#include <legion/event/policy.hpp>

namespace legion {
namespace {

std::string article(std::string_view noun) {
  const bool vowel = noun.find_first_of("aeiou") == 0;
  return (vowel ? "an " : "a ") + std::string(noun);
}

std::optional<double> plain_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Integers are numbers too.
std::optional<double> as_number(const toml::node& node) {
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* integer = node.as_integer()) return static_cast<double>(integer->get());
  return std::nullopt;
}

}  // namespace

Fault wrong_type(std::string_view expected, const toml::node& found) {
  return Fault{"expected " + std::string(expected) + ", found " + describe(found)};
}

std::string check_not_empty(std::string_view text) { return text.empty() ? "is empty" : std::string(); }

std::string check_node_name(std::string_view text) {
  if (is_node_name(text)) return {};
  return toml_quote(text) + " is not a name: 1 to 64 of a-z, 0-9 and '-'";
}

std::string check_published_type(std::string_view text) {
  if (text == "agent.heartbeat") return "\"agent.heartbeat\" is published by nodes only";
  if (is_reserved(text)) return toml_quote(text) + " is a reserved name";
  if (!is_event_type(text)) {
    return toml_quote(text) + " is not an event type: parts of a-z, 0-9 and '_' joined by dots, at most 120 bytes";
  }
  return {};
}

std::optional<Fault> TextForm::read(const toml::node& node, const ValueContext&, std::string& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type(article(label), node);
  if (text->get().find('\0') != std::string::npos) return Fault{"contains a NUL character"};
  if (text->get().size() > bytes_max) return Fault{"is longer than " + std::to_string(bytes_max) + " bytes"};
  if (check != nullptr) {
    if (std::string wrong = check(text->get()); !wrong.empty()) return Fault{std::move(wrong)};
  }
  into = text->get();
  return std::nullopt;
}

std::optional<Fault> EventTypeForm::read(const toml::node& node, const ValueContext&, std::string& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type("an event type", node);
  std::string type = canonical_type(text->get());
  if (std::string wrong = check_published_type(type); !wrong.empty()) return Fault{std::move(wrong)};
  into = std::move(type);
  return std::nullopt;
}

std::optional<Fault> PathForm::read(const toml::node& node, const ValueContext& context, std::string& into) const {
  std::string text;
  if (auto fault = TextForm{"path", 4096, check_not_empty}.read(node, context, text)) return fault;
  into = (std::filesystem::path(context.directory) / text).lexically_normal().string();
  return std::nullopt;
}

std::optional<Fault> BoolForm::read(const toml::node& node, const ValueContext&, bool& into) const {
  const auto* value = node.as_boolean();
  if (value == nullptr) return wrong_type("true or false", node);
  into = value->get();
  return std::nullopt;
}

std::optional<Fault> IntegerForm::read_wide(const toml::node& node, std::uint64_t& into) const {
  const auto* value = node.as_integer();
  if (value == nullptr) return wrong_type("an integer", node);
  const std::int64_t number = value->get();
  if (number < 0 || static_cast<std::uint64_t>(number) < min || static_cast<std::uint64_t>(number) > max) {
    return Fault{"must be from " + std::to_string(min) + " to " + std::to_string(max) + ", found " +
                 std::to_string(number)};
  }
  into = static_cast<std::uint64_t>(number);
  return std::nullopt;
}

std::optional<Fault> NumberForm::read(const toml::node& node, const ValueContext&, double& into) const {
  const auto value = as_number(node);
  if (!value) return wrong_type("a number", node);
  if (!(*value >= min && *value <= max)) {
    return Fault{"must be from " + toml_number(min) + " to " + toml_number(max) + ", found " + toml_number(*value)};
  }
  into = *value;
  return std::nullopt;
}

std::string DurationForm::shown(Duration value) {
  const std::string text = format_duration(value);
  const auto again = parse_duration(text);
  return again && *again == value ? text : std::to_string(value.count()) + "ns";
}

std::optional<Fault> DurationForm::read(const toml::node& node, const ValueContext&, Duration& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type("a duration such as \"250ms\"", node);
  const auto value = parse_duration(text->get());
  if (!value) return Fault{describe(node) + " is not a duration (for example \"250ms\" or \"1m30s\")"};
  if (*value < min || *value > max) {
    return Fault{"must be from " + shown(min) + " to " + shown(max) + ", found " + shown(*value)};
  }
  into = *value;
  return std::nullopt;
}

std::string SizeForm::shown(std::uint64_t value) {
  const std::string text = format_size(value);
  const auto again = parse_size(text);
  return again && *again == value ? text : std::to_string(value) + "B";
}

std::optional<Fault> SizeForm::read(const toml::node& node, const ValueContext&, std::uint64_t& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type("a size such as \"64MiB\"", node);
  const auto value = parse_size(text->get());
  if (!value) return Fault{describe(node) + " is not a size (for example \"64MiB\" or \"512KiB\")"};
  if (*value < min || *value > max) {
    return Fault{"must be from " + shown(min) + " to " + shown(max) + ", found " + shown(*value)};
  }
  into = *value;
  return std::nullopt;
}

std::optional<Fault> PriorityForm::read(const toml::node& node, const ValueContext&, Priority& into) const {
  std::optional<Priority> value;
  if (const auto* text = node.as_string()) value = parse_priority(text->get());
  if (const auto* number = node.as_integer()) {
    switch (number->get()) {
      case 0: value = Priority::Critical; break;
      case 1: value = Priority::High; break;
      case 5: value = Priority::Normal; break;
      case 10: value = Priority::Low; break;
      default: break;
    }
  }
  if (!value) {
    return wrong_type(R"("critical", "high", "normal" or "low" (or 0, 1, 5, 10))", node);
  }
  into = *value;
  return std::nullopt;
}

std::optional<Fault> AddressForm::read(const toml::node& node, const ValueContext&, Address& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type("an address such as \"tcp://127.0.0.1:7400\"", node);
  auto address = parse_address(text->get(), default_port);
  if (!address) return Fault{address.error().message};
  into = std::move(*address);
  return std::nullopt;
}

std::optional<Fault> FilterForm::read(const toml::node& node, const ValueContext&, Filter& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type("a filter such as \"trade.approved\", \"trade.\" or \"*\"", node);
  auto filter =
      is_reserved(text->get()) ? Result<Filter>(fail(ErrorCode::InvalidArgument, {})) : Filter::parse(text->get());
  if (!filter) {
    return Fault{describe(node) +
                 " is not a filter: an event type (\"trade.approved\"), a family (\"trade.\") or \"*\""};
  }
  into = std::move(*filter);
  return std::nullopt;
}

// Of a condition over several lines the line of the mistake is counted from the one the value begins in.
std::optional<Fault> WhereForm::read(const toml::node& node, const ValueContext&, std::optional<Where>& into) const {
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type("a condition such as \"data.price > 100\"", node);
  auto where = Where::parse(text->get());
  if (!where) {
    constexpr std::string_view prefix = "where: ";
    std::string_view message = where.error().message;
    if (message.starts_with(prefix)) message.remove_prefix(prefix.size());
    return Fault{std::string(message)};
  }
  into = std::move(*where);
  return std::nullopt;
}

std::optional<Fault> StartForm::read(const toml::node& node, const ValueContext&, StartConfig& into) const {
  const auto* text = node.as_string();
  StartConfig start;
  if (text == nullptr || text->get() != "now") {
    if (text != nullptr && text->get() == "beginning") {
      start.kind = StartConfig::Kind::Beginning;
    } else if (const auto time = parse_time(text != nullptr ? text->get() : std::string())) {
      start.kind = StartConfig::Kind::Time;
      start.time = *time;
    } else if (auto event = EventId::parse(text != nullptr ? text->get() : std::string())) {
      start.kind = StartConfig::Kind::Event;
      start.event = *std::move(event);
    } else {
      return wrong_type(R"("now", "beginning", a time such as "2026-11-21T10:00:00Z" or an event id)", node);
    }
  }
  into = std::move(start);
  return std::nullopt;
}

std::string StartForm::print(const StartConfig& value) const {
  switch (value.kind) {
    case StartConfig::Kind::Now: return "\"now\"";
    case StartConfig::Kind::Beginning: return "\"beginning\"";
    case StartConfig::Kind::Time: return toml_quote(format_time(value.time));
    case StartConfig::Kind::Event: break;
  }
  return toml_quote(value.event.to_string());
}

std::optional<Fault> SpeedForm::read(const toml::node& node, const ValueContext&, FeedPace& into) const {
  constexpr std::string_view expected = R"("original", "max" or a factor such as "10x")";
  const auto* text = node.as_string();
  if (text == nullptr) return wrong_type(expected, node);
  const std::string& speed = text->get();
  if (speed == "original") {
    into = FeedPace{FeedPace::Kind::Recorded, 1.0, 0.0};
  } else if (speed == "max") {
    into = FeedPace{FeedPace::Kind::Max, 1.0, 0.0};
  } else {
    const auto factor = speed.ends_with('x') ? plain_number(std::string_view(speed).substr(0, speed.size() - 1))
                                             : std::nullopt;
    if (!factor) return wrong_type(expected, node);
    if (!(*factor >= 0.001 && *factor <= 1e6))
      return Fault{"the factor must be from 0.001x to 1000000x, found " + describe(node)};
    into = FeedPace{FeedPace::Kind::Recorded, *factor, 0.0};
  }
  return std::nullopt;
}

std::string SpeedForm::print(const FeedPace& value) const {
  switch (value.kind) {
    case FeedPace::Kind::Rate: return {};
    case FeedPace::Kind::Max: return "\"max\"";
    case FeedPace::Kind::Recorded: break;
  }
  if (value.factor == 1.0) return "\"original\"";
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value.factor, std::chars_format::fixed);
  return toml_quote(std::string(buffer, result.ptr) + "x");
}

std::optional<Fault> RateForm::read(const toml::node& node, const ValueContext& context, FeedPace& into) const {
  double rate = 0;
  if (auto fault = NumberForm{0.001, 1e8}.read(node, context, rate)) return fault;
  into = FeedPace{FeedPace::Kind::Rate, 1.0, rate};
  return std::nullopt;
}

std::string RateForm::print(const FeedPace& value) const {
  return value.kind == FeedPace::Kind::Rate ? toml_number(value.rate) : std::string();
}

std::optional<Fault> EnvironmentForm::read(const toml::node& node, const ValueContext& context, Value& into) const {
  const auto* table = node.as_table();
  if (table == nullptr) return wrong_type("a table such as { NAME = \"text\" }", node);
  Value values;
  for (const auto& [key, value] : *table) {
    const std::string name(key.str());
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      return Fault{toml_quote(name) + " cannot be the name of an environment variable", key.source().begin.line};
    }
    std::string text;
    if (auto fault = TextForm{"text", 65536}.read(value, context, text)) {
      return Fault{name + ": " + fault->message, value.source().begin.line};
    }
    values.emplace_back(name, std::move(text));
  }
  into = std::move(values);
  return std::nullopt;
}

std::string EnvironmentForm::print(const Value& value) const {
  std::string text;
  for (const auto& [name, content] : value) {
    text += (text.empty() ? "" : ", ") + toml_key(name) + " = " + toml_quote(content);
  }
  return text.empty() ? "{}" : "{ " + text + " }";
}

std::optional<Fault> ConstantsForm::read(const toml::node& node, const ValueContext& context, Value& into) const {
  const auto* table = node.as_table();
  if (table == nullptr) return wrong_type("a table such as { symbol = \"XBT/USDT\" }", node);
  Value values;
  for (const auto& [key, value] : *table) {
    const std::string name(key.str());
    const std::uint32_t line = value.source().begin.line;
    if (name.empty() || name.find('\0') != std::string::npos) {
      return Fault{"a constant needs a name without NUL", key.source().begin.line};
    }
    if (const auto* boolean = value.as_boolean()) {
      values.emplace_back(name, boolean->get());
    } else if (const auto* integer = value.as_integer()) {
      values.emplace_back(name, integer->get());
    } else if (const auto* number = value.as_floating_point()) {
      if (!std::isfinite(number->get())) return Fault{name + ": must be finite", line};
      values.emplace_back(name, number->get());
    } else {
      std::string text;
      if (!value.is_string())
        return Fault{name + ": " + wrong_type("text, a number or a boolean", value).message, line};
      if (auto fault = TextForm{"text", 65536}.read(value, context, text))
        return Fault{name + ": " + fault->message, line};
      values.emplace_back(name, std::move(text));
    }
  }
  into = std::move(values);
  return std::nullopt;
}

std::string ConstantsForm::print(const Value& value) const {
  struct Print {
    std::string operator()(bool constant) const { return constant ? "true" : "false"; }
    std::string operator()(std::int64_t constant) const { return std::to_string(constant); }
    std::string operator()(double constant) const { return toml_number(constant); }
    std::string operator()(const std::string& constant) const { return toml_quote(constant); }
  };
  std::string text;
  for (const auto& [name, constant] : value) {
    text += (text.empty() ? "" : ", ") + toml_key(name) + " = " + std::visit(Print{}, constant);
  }
  return text.empty() ? "{}" : "{ " + text + " }";
}

}  // namespace legion
