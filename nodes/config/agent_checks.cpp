#include <legion/config/agent_checks.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace legion {
namespace {

constexpr std::size_t header_bytes_max = 64 * 1024;

/// The first line of a CSV file, split at commas, without quotes and surrounding space. nullopt: it cannot be read.
std::optional<std::vector<std::string>> csv_columns(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> columns(1);
  char c = 0;
  std::size_t bytes = 0;
  if (!file) return std::nullopt;
  while (file.get(c) && c != '\n' && ++bytes < header_bytes_max) {
    if (c == ',') {
      columns.emplace_back();
    } else if (c != '"' && c != '\r' && !(c == ' ' && columns.back().empty())) {
      columns.back() += c;
    }
  }
  for (std::string& column : columns) {
    while (column.ends_with(' ')) column.pop_back();
  }
  return columns;
}

class AgentChecks {
 public:
  AgentChecks(Reader& reader, const Section& section, const AgentConfig& agent)
      : reader_(reader), section_(section), agent_(agent) {}

  void operator()(const ExecConfig& exec) {
    if (exec.command.empty() || exec.command.front().empty()) {
      if (!is_refused("exec")) problem("exec", "exec: names no program");
      return;
    }
    std::error_code error;
    if (!std::filesystem::is_directory(exec.working_dir, error) && reader_.is_set(section_.key_path("working_dir"))) {
      problem("working_dir", "working_dir: " + toml_quote(exec.working_dir) + " is not a directory");
    }
    if (exec.restart_delay > exec.restart_delay_max) {
      problem(reader_.is_set(section_.key_path("restart_delay")) ? "restart_delay" : "restart_delay_max",
              "restart_delay = " + DurationForm::shown(exec.restart_delay) + " is longer than restart_delay_max = " +
                  DurationForm::shown(exec.restart_delay_max));
    }
  }

  void operator()(const FeedConfig& feed) {
    if (!agent_.subscribe.empty()) problem("subscribe", "subscribe: a feed only publishes and takes no subscriptions");
    const bool has_speed = reader_.is_set(section_.key_path("speed"));
    if (has_speed && reader_.is_set(section_.key_path("rate"))) {
      problem("rate", "has both speed and rate; it needs at most one of them");
    }
    if (feed.file) {
      check_file(feed);
      return;
    }
    if (reader_.is_set(section_.key_path("file"))) return;
    if (feed.pace.kind == FeedPace::Kind::Recorded && !is_refused("speed") && !is_refused("rate")) {
      problem(has_speed ? "speed" : "builtin",
              "without a file there is no recorded speed: write rate = N (events a second) or speed = \"max\"");
    }
    if (feed.repeat) problem("repeat", "repeat: there is no file to begin again; a synthetic feed goes on by itself");
  }

  void operator()(const PluginConfig& plugin) {
    std::error_code error;
    if (is_refused("plugin") || std::filesystem::is_regular_file(plugin.library, error)) return;
    problem("plugin", "plugin: there is no file " + toml_quote(plugin.library));
  }

  void operator()(const LogAgentConfig&) { needs_subscription(); }
  void operator()(const SinkConfig&) { needs_subscription(); }

  void operator()(const RemoteConfig& remote) {
    if (!remote.remote) problem("remote", "remote: only true makes sense; leave the key out otherwise");
  }

  void operator()(const EchoConfig& echo) {
    needs_subscription();
    if (echo.reply_type && reader_.is_set(section_.key_path("prefix"))) {
      problem("prefix", "has both reply_type and prefix; it needs at most one of them");
    }
    for (const SubscribeConfig& subscription : agent_.subscribe) {
      const std::string& filter = subscription.type.text();
      const bool answers_itself =
          echo.reply_type ? subscription.type.matches(*echo.reply_type)
                          : filter == "*" || filter.starts_with(echo.prefix) ||
                                (filter.ends_with('.') && echo.prefix.starts_with(filter));
      if (!answers_itself) continue;
      problem("subscribe", "subscribe: " + toml_quote(filter) + " matches the answers (" +
                               (echo.reply_type ? *echo.reply_type : echo.prefix + "TYPE") +
                               "), so it would answer itself for ever");
      return;
    }
  }

 private:
  void check_file(const FeedConfig& feed) {
    const auto columns = csv_columns(*feed.file);
    if (!columns) return problem("file", "file: " + toml_quote(*feed.file) + " is not a file that can be read");
    if (columns->size() == 1 && columns->front().empty()) {
      return problem("file", "file: " + toml_quote(*feed.file) + " does not begin with a line of column names");
    }
    if (!feed.key) return;
    const bool is_column = std::ranges::find(*columns, *feed.key) != columns->end();
    const bool is_constant = std::ranges::any_of(feed.fields, [&](const auto& one) { return one.first == *feed.key; });
    if (!is_column && !is_constant) {
      problem("key", "key: " + toml_quote(*feed.file) + " has no column " + toml_quote(*feed.key));
    }
  }

  void needs_subscription() {
    if (!reader_.is_set(section_.key_path("subscribe[0]")))
      problem("builtin", "has nothing to do: it needs at least one [[agent.subscribe]]");
  }

  bool is_refused(std::string_view key) const { return reader_.is_refused(section_.key_path(key)); }

  void problem(std::string_view key, const std::string& message) {
    reader_.problem(section_.key_path(key), section_.title + " " + message);
  }

  Reader& reader_;
  const Section& section_;
  const AgentConfig& agent_;
};

}  // namespace

void check_agent(Reader& reader, const Section& section, const AgentConfig& agent) {
  AgentChecks checks(reader, section, agent);
  std::visit(checks, agent.host);
}

}  // namespace legion
