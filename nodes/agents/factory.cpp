#include <legion/agents/factory.hpp>

#include <utility>

#include <fmt/format.h>

#include <legion/agents/csv_source.hpp>
#include <legion/agents/echo_agent.hpp>
#include <legion/agents/exec_agent.hpp>
#include <legion/agents/feed_agent.hpp>
#include <legion/agents/log_agent.hpp>
#include <legion/agents/sink_agent.hpp>
#include <legion/agents/synthetic_source.hpp>
#include <legion/api/plugin_agent.hpp>

namespace legion {
namespace {

FeedPacing pacing_of(const FeedPace& pace) {
  switch (pace.kind) {
    case FeedPace::Kind::Recorded: return {.kind = FeedPacing::Kind::Recorded, .factor = pace.factor, .rate = 0.0};
    case FeedPace::Kind::Rate: return {.kind = FeedPacing::Kind::Rate, .factor = 1.0, .rate = pace.rate};
    case FeedPace::Kind::Max: return {.kind = FeedPacing::Kind::Max, .factor = 1.0, .rate = 0.0};
  }
  return {};
}

/// A setting of a plugin, which gets text.
struct ShowConstant {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return value; }
};

/// One function for each host the configuration knows.
struct Make {
  const AgentConfig& agent;
  std::string_view node;
  using Made = Result<std::unique_ptr<Agent>>;

  Made operator()(const ExecConfig& config) const {
    if (config.command.empty()) return problem("exec names no program");
    return std::make_unique<ExecAgent>(ExecOptions{.name = agent.name,
                                                   .command = config.command,
                                                   .env = config.env,
                                                   .working_dir = config.working_dir,
                                                   .concurrency = agent.concurrency,
                                                   .restart_delay = config.restart_delay,
                                                   .restart_delay_max = config.restart_delay_max});
  }

  Made operator()(const FeedConfig& config) const {
    const FeedPacing pacing = pacing_of(config.pace);
    if (pacing.kind == FeedPacing::Kind::Rate && !(pacing.rate > 0)) return problem("the rate has to be above 0");
    if (pacing.kind == FeedPacing::Kind::Recorded && !(pacing.factor > 0)) {
      return problem("the speed has to be above 0");
    }
    std::unique_ptr<FeedSource> source;
    if (config.file) {
      source = std::make_unique<CsvSource>(*config.file);
    } else {
      source = std::make_unique<SyntheticSource>(SyntheticOptions{});
    }
    FeedOptions options{.type = config.type,
                        .pacing = pacing,
                        .count = config.count,
                        .repeat = config.repeat ? FeedOptions::Repeat::Yes : FeedOptions::Repeat::No,
                        .start_after = config.start_after,
                        .wait_for_nodes = config.wait_for_nodes,
                        .constants = config.fields,
                        .key = config.key,
                        .priority = config.priority};
    return std::make_unique<FeedAgent>(std::move(options), std::move(source));
  }

  Made operator()(const LogAgentConfig& config) const { return std::make_unique<LogAgent>(config.level); }

  Made operator()(const EchoConfig& config) const {
    return std::make_unique<EchoAgent>(EchoOptions{.reply_type = config.reply_type, .prefix = config.prefix});
  }

  Made operator()(const PluginConfig& config) const {
    PluginAgent::Options options{.name = agent.name, .node = std::string(node), .library = config.library};
    for (const auto& [name, value] : config.settings) options.settings.emplace(name, std::visit(ShowConstant{}, value));
    auto loaded = PluginAgent::load(std::move(options));
    if (!loaded) return std::unexpected(loaded.error());
    return std::move(*loaded);
  }

  Made operator()(const SinkConfig& config) const {
    return std::make_unique<SinkAgent>(
        SinkOptions{.work = config.work, .file = config.file, .fail_every = config.fail_every});
  }

  Made operator()(const RemoteConfig&) const { return problem("an agent outside the process is made by its node"); }

  std::unexpected<Error> problem(std::string_view what) const {
    return fail(ErrorCode::Configuration, fmt::format("agent \"{}\": {}", agent.name, what));
  }
};

}  // namespace

Result<std::unique_ptr<Agent>> make_agent(const AgentConfig& config, std::string_view node) {
  return std::visit(Make{config, node}, config.host);
}

}  // namespace legion
