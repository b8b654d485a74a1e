#include <legion/agents/exec_agent.hpp>

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <legion/agents/child_process.hpp>
#include <legion/agents/exec_life.hpp>
#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {
namespace {

/// Signals are the main thread's affair, and writing to a process that has ended must not raise SIGPIPE here.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

ExecAgent::ExecAgent(ExecOptions options)
    : options_(std::move(options)),
      inbox_(std::make_shared<ExecInbox>()),
      backoff_(options_.restart_delay, options_.restart_delay_max, options_.stable_after) {}

ExecAgent::~ExecAgent() { stop(Duration::zero()); }

void ExecAgent::start(AgentServices& services) {
  services_ = &services;
  if (inbox_->wake_fd() < 0) {
    services.log(LogLevel::Error, "no descriptor left for the agent's wake-up");
    services.set_state("failed: no descriptor left");
    return;
  }
  thread_ = std::thread([this] {
    block_signals();
    supervise();
  });
}

std::optional<Outcome> ExecAgent::deliver(const Delivery& delivery) {
  inbox_->put(delivery);
  return std::nullopt;
}

void ExecAgent::stop(Duration grace) {
  if (!thread_.joinable()) return;
  inbox_->stop(grace);
  thread_.join();
}

void ExecAgent::supervise() {
  while (true) {
    const SteadyTime began = read_clocks().steady;
    if (run_once() == Next::Stop) break;
    const Duration delay = backoff_.after_run_of(read_clocks().steady - began);
    if (wait_before_restart(delay) == Next::Stop) break;
    services_->count("restarts", 1);
  }
  services_->set_state("stopped");
}

ExecAgent::Next ExecAgent::run_once() {
  SpawnOptions spawn{.command = options_.command, .env = options_.env, .working_dir = options_.working_dir};
  spawn.env.emplace_back("LEGION_NODE", services_->node_name());
  spawn.env.emplace_back("LEGION_AGENT", options_.name);
  auto process = ChildProcess::spawn(spawn);
  if (!process) {
    services_->count("start_failures", 1);
    services_->log(LogLevel::Error, process.error().message);
    services_->set_state("failed: " + process.error().message);
    return Next::Restart;
  }
  services_->log(
      LogLevel::Info,
      printable(fmt::format("process {} started: {}", process->pid(), fmt::join(options_.command, " ")), 512));
  services_->set_state("running");
  services_->agent_up();
  ExecLife life(options_, *services_, inbox_, std::move(*process), ++lives_);
  const std::string how = "process " + life.run();
  const bool stopping = life.stop_asked();
  services_->log(stopping ? LogLevel::Info : LogLevel::Warn, how);
  services_->agent_down(stopping ? "stopped: " + how : how);
  if (stopping) return Next::Stop;
  services_->set_state("restarting");
  return Next::Restart;
}

ExecAgent::Next ExecAgent::wait_before_restart(Duration delay) {
  services_->log(LogLevel::Info, "next start in " + format_duration(delay));
  const SteadyTime until = read_clocks().steady + delay;
  while (true) {
    const ExecInbox::Contents contents = inbox_->take();
    if (contents.stop_within) return Next::Stop;
    // Handed over before the dispatcher heard of the end; agent_down() covers them, a second answer does no harm.
    for (const Delivery& delivery : contents.deliveries) {
      services_->complete(delivery.task, Outcome::retry("the process is not running"));
    }
    const Duration left = until - read_clocks().steady;
    if (left <= Duration::zero()) return Next::Restart;
    pollfd wake{.fd = inbox_->wake_fd(), .events = POLLIN, .revents = 0};
    const std::int64_t ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    ::poll(&wake, 1, static_cast<int>(std::min<std::int64_t>(ms, 60'000)));
  }
}

}  // namespace legion
