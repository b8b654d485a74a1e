#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/config/config.hpp>

namespace legion {

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::Trace: return "trace";
    case LogLevel::Debug: return "debug";
    case LogLevel::Info: return "info";
    case LogLevel::Warn: return "warn";
    case LogLevel::Error: return "error";
    case LogLevel::Off: return "off";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(MailboxConfig::Overflow overflow) {
  switch (overflow) {
    case MailboxConfig::Overflow::DropOldest: return "drop_oldest";
    case MailboxConfig::Overflow::DropNewest: return "drop_newest";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(SecurityMode mode) {
  switch (mode) {
    case SecurityMode::None: return "none";
  }
  LEGION_UNREACHABLE();
}

std::string_view to_string(LogFormat format) {
  switch (format) {
    case LogFormat::Text: return "text";
    case LogFormat::Json: return "json";
  }
  LEGION_UNREACHABLE();
}

std::string_view host_name(const AgentHost& host) {
  struct Name {
    std::string_view operator()(const ExecConfig&) const { return "exec"; }
    std::string_view operator()(const FeedConfig&) const { return "feed"; }
    std::string_view operator()(const LogAgentConfig&) const { return "log"; }
    std::string_view operator()(const EchoConfig&) const { return "echo"; }
    std::string_view operator()(const SinkConfig&) const { return "sink"; }
    std::string_view operator()(const PluginConfig&) const { return "plugin"; }
    std::string_view operator()(const RemoteConfig&) const { return "remote"; }
  };
  return std::visit(Name{}, host);
}

bool operator==(const NodeConfig& a, const NodeConfig& b) {
  const auto same_rule = [](const TopicRule& x, const TopicRule& y) {
    return x.prefix == y.prefix && x.priority == y.priority && x.durability == y.durability && x.deliver == y.deliver &&
           x.spools == y.spools && x.shards == y.shards && x.ttl == y.ttl && x.max_bytes == y.max_bytes &&
           x.schema == y.schema && x.unknown_version == y.unknown_version;
  };
  return a.node == b.node && a.heartbeat == b.heartbeat && a.dispatch == b.dispatch && a.retry == b.retry &&
         a.publish == b.publish && a.journal == b.journal && a.spool == b.spool &&
         std::ranges::equal(a.topics, b.topics, same_rule) && a.agents == b.agents &&
         a.middleware == b.middleware && a.security == b.security && a.log == b.log;
}

std::string to_string(const ConfigProblem& problem) {
  std::string text = problem.file;
  if (problem.line != 0) text += ":" + std::to_string(problem.line);
  text += ": " + problem.message;
  std::replace_if(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }, '?');
  return text;
}

}  // namespace legion
