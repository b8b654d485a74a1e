// legion-node: one node of the mesh, from one TOML file.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include <legion/agents/factory.hpp>
#include <legion/api/plugin_agent.hpp>
#include <legion/daemon/logging.hpp>
#include <legion/daemon/options.hpp>
#include <legion/base/version.hpp>

extern char** environ;

namespace {

namespace exit_code {
constexpr int usage = 64;
constexpr int unavailable = 69;
constexpr int internal = 70;
constexpr int cannot_create = 73;
constexpr int configuration = 78;
}  // namespace exit_code

struct Arguments {
  std::string config;
  std::vector<std::string> sets;
  bool check = false;
  bool print_config = false;
};

legion::ConfigInputs inputs_of(const Arguments& arguments) {
  legion::ConfigInputs inputs;
  inputs.sets = arguments.sets;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    inputs.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return inputs;
}

int exit_code_of(const legion::Error& error) {
  switch (error.code) {
    case legion::ErrorCode::AddressInUse:
    case legion::ErrorCode::NameTaken:
    case legion::ErrorCode::Unreachable: return exit_code::unavailable;
    case legion::ErrorCode::Io:
    case legion::ErrorCode::Refused:
    case legion::ErrorCode::WrongVersion:  // of a spool's store
    case legion::ErrorCode::BadData: return exit_code::cannot_create;
    case legion::ErrorCode::InvalidArgument:
    case legion::ErrorCode::NotFound:  // a plugin
    case legion::ErrorCode::Configuration: return exit_code::configuration;
    case legion::ErrorCode::TooBig:
    case legion::ErrorCode::WouldBlock:
    case legion::ErrorCode::Closed:
    case legion::ErrorCode::TimedOut:
    case legion::ErrorCode::Internal: return exit_code::internal;
  }
  return exit_code::internal;
}

/// A program started without standard descriptors would give their numbers to its sockets and files, and write its log
/// into them.
bool occupy_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd) return false;
  }
  return true;
}

/// Signals are taken from a descriptor; they stay blocked in every thread.
int block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of that file, not the end of the node
  return signalfd(-1, &set, SFD_CLOEXEC);
}

/// Returns when the node shall end: a signal came, or it ended by itself.
void wait_for_end(legion::NodeHost& node, int signals, const legion::LogSink& log) {
  pollfd items[2] = {{signals, POLLIN, 0}, {node.exit_fd(), POLLIN, 0}};
  for (;;) {
    if (poll(items, 2, -1) < 0 && errno != EINTR) return;
    if ((items[1].revents & POLLIN) != 0) return;
    if ((items[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo info{};
    if (read(signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    if (info.ssi_signo != SIGHUP) {
      log(legion::LogLevel::Info, info.ssi_signo == SIGINT ? "SIGINT: draining" : "SIGTERM: draining");
      return;
    }
    log(legion::LogLevel::Warn, "SIGHUP: this version reloads nothing; restart the node to change its configuration");
  }
}

/// The names of durable subscriptions, and whose each is: those of the configuration are there first.
using DurableNames = std::map<std::string, std::string>;

DurableNames configured_names(const legion::NodeConfig& config) {
  DurableNames names;
  for (const legion::AgentConfig& agent : config.agents) {
    for (const legion::SubscriptionOptions& one : legion::subscription_options(agent)) {
      if (one.durable) names.emplace(one.durable->name, agent.name);
    }
  }
  return names;
}

/// What the checks of the configuration say of names in TOML, for those that a plugin asks for by itself.
legion::Result<void> check_names(const legion::NodeConfig& config, const std::string& plugin,
                                 const std::vector<legion::SubscriptionOptions>& wanted, DurableNames& names) {
  for (const legion::SubscriptionOptions& one : wanted) {
    if (!one.durable) continue;
    const std::string title =
        "the plugin's handler of " + one.spec.filter.text() + ": durable = \"" + one.durable->name + "\"";
    if (!legion::expects_spools(config)) {
      return legion::fail(legion::ErrorCode::Configuration, title + ": this mesh has no spool that could remember it");
    }
    const auto [first, is_new] = names.emplace(one.durable->name, plugin);
    if (is_new) continue;
    return legion::fail(legion::ErrorCode::Configuration,
                        title + " is already the name of one of agent " + first->second);
  }
  return {};
}

/// A plugin may say by itself what it subscribes to.
legion::Result<void> add_agent(legion::NodeHost& node, const legion::NodeConfig& config,
                               const legion::AgentConfig& agent, DurableNames& names) {
  auto made = legion::make_agent(agent, config.node.name);
  if (!made) return std::unexpected(made.error());
  legion::AgentSpec spec = legion::agent_spec(agent);
  auto subscriptions = legion::subscription_options(agent);
  legion::PluginAgent* plugin = nullptr;
  if (const auto* host = std::get_if<legion::PluginConfig>(&agent.host)) {
    plugin = static_cast<legion::PluginAgent*>(made->get());
    const bool own = subscriptions.empty();
    auto wanted = plugin->subscriptions(std::move(subscriptions));
    if (!wanted) return std::unexpected(wanted.error());
    if (own) {
      if (auto checked = check_names(config, agent.name, *wanted, names); !checked) return checked;
    }
    subscriptions = std::move(*wanted);
    const bool waits = plugin->answers() == legion::Agent::Answers::Later;
    if (waits && host->handler_timeout > legion::Duration{0}) spec.handler_timeout = host->handler_timeout;
  }
  const auto first = node.add_agent(std::move(spec), std::string(legion::host_name(agent.host)), std::move(*made),
                                    std::move(subscriptions));
  if (plugin != nullptr) plugin->bind(first);
  return {};
}

int run(const legion::NodeConfig& config, int signals, const legion::LogSink& log) {
  auto node = legion::NodeHost::create(legion::node_options(config, std::string(legion::product_version())), log);
  if (!node) {
    log(legion::LogLevel::Error, node.error().message);
    return exit_code_of(node.error());
  }
  log(legion::LogLevel::Info, "legion-node " + std::string(legion::product_version()) + ", node " + config.node.name +
                                  ", config " + legion::config_digest(config) + "; " + legion::confirm_meaning(config));
  for (const auto& note : config.notes) log(legion::LogLevel::Warn, note);
  DurableNames names = configured_names(config);
  for (const legion::AgentConfig& agent : config.agents) {
    if (const auto* remote = std::get_if<legion::RemoteConfig>(&agent.host)) {
      (*node)->add_remote_agent(legion::agent_spec(agent), legion::remote_options(*remote),
                                legion::subscription_options(agent));
      continue;
    }
    if (const auto added = add_agent(**node, config, agent, names); !added) {
      log(legion::LogLevel::Error, "agent " + agent.name + ": " + added.error().message);
      return exit_code_of(added.error());
    }
  }
  (*node)->start();
  wait_for_end(**node, signals, log);
  const auto exit = (*node)->exit();
  if (exit) log(legion::LogLevel::Error, exit->message);
  (*node)->shutdown();
  log(legion::LogLevel::Info, "stopped");
  return exit ? exit->code : 0;
}

int run_logged(const legion::NodeConfig& config) {
  const int signals = block_signals();  // before the first thread, so that every one inherits the mask
  if (signals < 0) {
    std::fprintf(stderr, "legion-node: cannot read signals\n");
    return exit_code::internal;
  }
  auto log = legion::Log::open(config.log, config.node.name);
  if (!log) {
    std::fprintf(stderr, "legion-node: %s\n", log.error().message.c_str());
    return exit_code::cannot_create;
  }
  const int code = run(config, signals, log->sink());
  if (!log->close()) std::_Exit(code);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (!occupy_standard_descriptors()) return exit_code::internal;
  Arguments arguments;
  CLI::App app{"A node of a legion mesh: hosts agents and talks to every other node.", "legion-node"};
  app.add_option("CONFIG", arguments.config, "the node's TOML file (see config/reference.toml)")->required();
  app.add_flag("--check", arguments.check, "check the configuration, print its effective values, start nothing");
  app.add_flag("--print-config", arguments.print_config, "print every effective value and where it came from");
  app.add_option("--set", arguments.sets, "override one value: --set heartbeat.interval=250ms")
      ->allow_extra_args(false)
      ->type_name("TABLE.KEY=VALUE");
  app.set_version_flag("--version", "legion-node " + std::string(legion::product_version()));
  app.footer("Exit codes: 0 stopped, 64 usage, 69 address or name in use, 70 internal or fenced, 71 stuck in ZeroMQ, "
             "73 cannot create state, 78 configuration.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : exit_code::usage;
  }
  auto config = legion::load_config(arguments.config, inputs_of(arguments));
  if (!config) {
    for (const auto& problem : config.error()) std::cerr << legion::to_string(problem) << "\n";
    std::cerr << arguments.config << ": " << config.error().size()
              << (config.error().size() == 1 ? " problem" : " problems") << ", nothing was started\n";
    return exit_code::configuration;
  }
  if (arguments.check || arguments.print_config) {
    std::cout << legion::print_effective(*config);
    if (arguments.check) std::cerr << arguments.config << ": ok\n";
    return 0;
  }
  return run_logged(*config);
}
