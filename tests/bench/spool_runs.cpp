#include "spool_runs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "meter.hpp"

namespace legion::bench {

namespace {

constexpr Duration start_limit = 20s;
constexpr Duration drain_limit = 120s;

}  // namespace

Result<void> SpoolRun::start_spool() {
  if (!folder_.exists()) return fail(ErrorCode::Io, "cannot create a temporary folder");
  RoleSpec spool;
  spool.kind = Kind::Spool;
  spool.name = "spool";
  auto started = start(std::move(spool));
  if (!started) return std::unexpected(started.error());
  return {};
}

Result<Child*> SpoolRun::start(RoleSpec role) {
  role.state_dir = folder_.inside(role.name);
  if (!processes_.empty()) role.ports = {processes_.front().ports.front()};
  auto child = Child::start(interrupts_, {"--role", nlohmann::json(role).dump()});
  if (!child) return std::unexpected(child.error());
  processes_.push_back({std::move(*child), {}});
  Process& process = processes_.back();
  const auto ready = process.child->read_line(start_limit);
  if (!ready) return std::unexpected(ready.error());
  process.ports = ready->at("ready").get<std::vector<std::uint16_t>>();
  return process.child.get();
}

Result<void> SpoolRun::end() {
  for (; !processes_.empty(); processes_.pop_back()) {
    if (auto ended = processes_.back().child->end(); !ended) return ended;
  }
  return {};
}

RoleSpec confirmed_publisher(Pace pace, std::string data) {
  RoleSpec role;
  role.kind = Kind::Confirmed;
  role.name = "publisher";
  role.pace = pace;
  role.data = std::move(data);
  return role;
}

Result<nlohmann::json> go(Child& publisher, Pace pace) {
  if (auto went = publisher.write_line("go"); !went) return std::unexpected(went.error());
  return publisher.read_line(pace.length() + drain_limit);
}

DiskTime time_fsync() {
  const TemporaryFolder folder;
  const int fd = ::open(folder.inside("probe").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  std::vector<double> times;
  const std::vector<char> page(4096, 'x');
  for (int i = 0; fd >= 0 && i < 200; ++i) {
    const SteadyTime begin = steady_now();
    if (::pwrite(fd, page.data(), page.size(), i * 4096) < 0 || ::fdatasync(fd) != 0) break;
    times.push_back(static_cast<double>((steady_now() - begin).count()) / 1e3);
  }
  if (fd >= 0) ::close(fd);
  if (times.empty()) return {};
  std::ranges::sort(times);
  return {times[times.size() / 2], times[times.size() * 99 / 100]};
}

}  // namespace legion::bench
