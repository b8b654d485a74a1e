#include <legion/agents/sink_agent.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include <legion/event/json.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

void SinkAgent::start(AgentServices& services) {
  services_ = &services;
  if (options_.file) {
    // Not blocking: a pipe that nobody reads must stop neither the start nor a worker.
    file_ = Fd(::open(options_.file->c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
    struct stat status {};
    const bool is_file = file_ && ::fstat(file_.get(), &status) == 0 && (S_ISREG(status.st_mode) || S_ISCHR(status.st_mode));
    if (!is_file) {
      const std::string why = file_ ? "not a file that can be appended to" : ::strerror(errno);
      const std::string problem = fmt::format("cannot open {}: {}", *options_.file, why);
      services.log(LogLevel::Error, problem);
      services.set_state("failed: " + problem);
      return;
    }
  }
  services.set_state("running");
  services.agent_up();
}

std::optional<Outcome> SinkAgent::deliver(const Delivery& delivery) {
  if (options_.work > Duration::zero()) {
    const SteadyTime until = read_clocks().steady + options_.work;
    while (read_clocks().steady < until) {
    }
  }
  if (next_turn() == Turn::Fail) {
    services_->count("failed", 1);
    return Outcome::retry(fmt::format("fail_every = {}", options_.fail_every));
  }
  return take(*delivery.event);
}

void SinkAgent::stop(Duration) {
  if (services_ != nullptr) services_->set_state("stopped");
}

SinkAgent::Turn SinkAgent::next_turn() {
  if (options_.fail_every == 0) return Turn::Take;
  const std::lock_guard lock(mutex_);
  return ++handed_over_ % options_.fail_every == 0 ? Turn::Fail : Turn::Take;
}

Outcome SinkAgent::take(const EventView& event) {
  if (options_.file) {
    auto line = to_cloudevent_json(event);
    if (!line) return Outcome::reject("cannot be written as JSON: " + line.error().message);
    line->push_back('\n');
    if (auto written = append(*line); !written) {
      services_->count("write_errors", 1);
      return Outcome::retry(written.error().message);
    }
  }
  services_->count("events", 1);
  return Outcome::done();
}

Result<void> SinkAgent::append(std::string_view line) {
  const std::lock_guard lock(mutex_);
  while (!line.empty()) {
    const ssize_t count = ::write(file_.get(), line.data(), line.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::Io, fmt::format("{}: {}", *options_.file, ::strerror(errno)));
    line.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace legion
