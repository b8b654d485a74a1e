#include "environment.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "zmq/network.hpp"

namespace legion::sim {

namespace {

constexpr const char* operators_address = "10.0.0.250";

Network& network() { return Network::get(); }

struct LinkState {
  Duration extra_delay{};
  double bytes_per_second = 0;
};

}  // namespace

std::string folder_of(int pid) { return "/dev/shm/legion-sim-" + std::to_string(pid); }

struct Environment::State {
  const Plan& plan;
  std::filesystem::path root;
  std::vector<std::unique_ptr<Disk>> disks;
  std::vector<LinkState> links;

  const std::string& ip(std::size_t host) const { return plan.hosts[host].address; }
  LinkState& link(std::size_t from, std::size_t to) { return links[from * plan.hosts.size() + to]; }
  LinkSettings healthy() const {
    const auto jitter = static_cast<std::int64_t>(static_cast<double>(plan.link_delay.count()) * plan.link_jitter);
    return {.delay = plan.link_delay, .jitter = Duration{jitter}, .bytes_per_second = 0};
  }
  void apply(std::size_t from, std::size_t to) {
    LinkSettings settings = healthy();
    settings.delay += link(from, to).extra_delay;
    settings.bytes_per_second = static_cast<std::uint64_t>(link(from, to).bytes_per_second);
    network().set_link(ip(from), ip(to), settings);
  }
};

Environment::Environment(const Plan& plan) : state_(std::make_unique<State>(State{plan, {}, {}, {}})) {
  state_->root = folder_of(::getpid());
  remove_files();
  NetworkSettings settings;
  settings.link = state_->healthy();
  settings.mark_max = plan.mark_max;
  network().reset(settings);
  state_->links.resize(plan.hosts.size() * plan.hosts.size());
  for (std::size_t i = 0; i < plan.hosts.size(); ++i) {
    state_->disks.push_back(std::make_unique<Disk>(state_->root / plan.hosts[i].name, plan.seed * 31 + i));
    state_->disks.back()->settings.hits = DiskSettings::Hits::StoreOnly;
    state_->disks.back()->settings.short_percent = 10;
  }
}

Environment::~Environment() = default;

void Environment::sweep() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", ignored)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view prefix = "legion-sim-";
    if (!name.starts_with(prefix)) continue;
    const int pid = std::atoi(name.c_str() + prefix.size());
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) std::filesystem::remove_all(entry.path(), ignored);
  }
}

void Environment::remove_files() {
  std::error_code ignored;
  std::filesystem::remove_all(state_->root, ignored);
}

void Environment::place(Process& process, std::size_t host) {
  network().power_on(state_->ip(host));
  network().place(process, state_->ip(host));
}
void Environment::place_operator(Process& process) { network().place(process, operators_address); }
void Environment::power_off(std::size_t host) { network().power_off(state_->ip(host)); }

void Environment::set_link(std::size_t from, std::size_t to, Way way) {
  if (way == Way::Cut) {
    network().block(state_->ip(from), state_->ip(to));
  } else {
    network().unblock(state_->ip(from), state_->ip(to));
  }
}

void Environment::clog(std::size_t from, std::size_t to, Duration how_long) {
  network().clog(state_->ip(from), state_->ip(to), how_long);
}

void Environment::set_delay(std::size_t from, std::size_t to, Duration extra) {
  state_->link(from, to).extra_delay = extra;
  state_->apply(from, to);
}

void Environment::set_capacity(std::size_t from, std::size_t to, double bytes_per_second) {
  state_->link(from, to).bytes_per_second = bytes_per_second;
  state_->apply(from, to);
}

void Environment::reset_connections(std::size_t a, std::size_t b) {
  network().reset_connections(state_->ip(a), state_->ip(b));
}

void Environment::heal_links() {
  for (std::size_t from = 0; from < state_->plan.hosts.size(); ++from) {
    for (std::size_t to = 0; to < state_->plan.hosts.size(); ++to) {
      if (from == to) continue;
      state_->link(from, to) = {};
      state_->apply(from, to);
      set_link(from, to, Way::Open);
      network().unclog(state_->ip(from), state_->ip(to));
    }
  }
}

void Environment::watch_lanes(std::function<void(std::size_t to, std::string_view message, Queue queue)> watcher) {
  network().watch_published([&plan = state_->plan, watcher = std::move(watcher)](
                                const std::string& to, std::string_view message, Published what) {
    const auto host = std::ranges::find(plan.hosts, to, &HostPlan::address);
    if (host == plan.hosts.end()) return;
    watcher(static_cast<std::size_t>(host - plan.hosts.begin()), message,
            what == Published::Queued ? Queue::Took : Queue::WasFull);
  });
}

Disk& Environment::disk(std::size_t host) { return *state_->disks[host]; }

}  // namespace legion::sim
