#include "cluster.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace legion::sim {

namespace {

constexpr std::uint16_t port = 7400;
constexpr Duration restart_delay = 700ms;

Kernel& kernel() { return Kernel::get(); }

/// Waits in the process until the node wants to end or is told to.
void wait_for_end(int exit_fd, int stop_fd) {
  const int epoll = ::epoll_create1(0);
  for (const int fd : {exit_fd, stop_fd}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  epoll_event ready{};
  while (::epoll_wait(epoll, &ready, 1, -1) <= 0) {
  }
  ::close(epoll);
}

}  // namespace

Cluster::Cluster(World& world, Environment& environment) : world_(world), environment_(environment) {
  hosts_.resize(world.plan.hosts.size());
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    hosts_[i].wall_offset = world.plan.hosts[i].wall_offset;
    world.history.host_names.push_back(world.plan.hosts[i].name);
  }
  world.die = [this](LifeNo life) {
    const std::size_t host = world_.history.lives[life].host;
    Process& process = *hosts_[host].process;
    kernel().at(kernel().now(), [this, host, life] { bury(host, life, Life::End::Killed); });
    world_.history.lives[life].ended = kernel().now();
    kernel().kill(process);
  };
}

NodeHostOptions Cluster::options_of(std::size_t host) const {
  const Plan& plan = world_.plan;
  const HostPlan& here = plan.hosts[host];
  NodeHostOptions options;
  options.name = here.name;
  options.version = "sim";
  options.listen = {here.address, port};
  options.membership.heartbeat_interval = plan.heartbeat_interval;
  options.membership.suspect_after = plan.suspect_after;
  options.membership.dead_after = plan.dead_after;
  for (std::size_t i = 0; i < plan.hosts.size() && options.membership.join.size() < 2; ++i) {
    if (i != host) options.membership.join.push_back(Address{plan.hosts[i].address, port}.uri());
  }
  options.state_dir = hosts_[host].directory;
  options.local = false;
  options.policy = plan.policy();
  options.workers = here.workers;
  options.queue_capacity = here.queue_capacity;
  options.journal.confirmed_bytes = here.confirmed_bytes;
  options.journal.captured_bytes = here.captured_bytes;
  if (plan.spools() == 0) options.journal.spools_expected = JournalOptions::SpoolsExpected::No;
  if (here.spool) {
    options.roles.push_back("spool");
    options.spool.emplace();
    options.spool->path = hosts_[host].directory / "spool.db";
    options.spool->retention.retain_for = plan.retain_for;
    options.spool->open_store = [&disk = environment_.disk(host)](const std::filesystem::path&) {
      return disk.open_store();
    };
  }
  return options;
}

void Cluster::add_agents(NodeHost& node, std::size_t host, LifeNo life) {
  const Plan& plan = world_.plan;
  std::vector<std::size_t> numbers;  // of the plan, by SubscriptionId
  for (const HandlerPlan& handler : plan.hosts[host].handlers) {
    for (const std::size_t wanted : handler.subscriptions) numbers.insert(numbers.end(), plan.rows_of(wanted), wanted);
  }
  std::size_t number = 0;
  for (const HandlerPlan& handler : plan.hosts[host].handlers) {
    AgentSpec spec;
    spec.name = handler.name;
    spec.lanes = handler.lanes;
    spec.concurrency = handler.concurrency;
    spec.retry = handler.retry;
    spec.handler_timeout = handler.handler_timeout;
    std::vector<SubscriptionOptions> subscriptions;
    for (const std::size_t wanted : handler.subscriptions) {
      const SubscriptionPlan& drawn = plan.subscriptions[wanted];
      SubscriptionOptions subscription;
      subscription.spec = {plan.filter(wanted), drawn.tier};
      if (drawn.replays) subscription.replays = SubscriptionOptions::Replays::Yes;
      if (!drawn.durable.empty()) {
        subscription.durable.emplace();
        subscription.durable->name = drawn.durable;
        subscription.durable->start.kind = drawn.start == SubscriptionPlan::Start::Now
                                               ? SubscriptionStart::Kind::Now
                                               : SubscriptionStart::Kind::Beginning;
      }
      if (drawn.in_group) {
        subscription.group = GroupOptions{plan.group->name, plan.group->home, plan.group->shares, {}};
        subscription.group->start.kind = SubscriptionStart::Kind::Beginning;
      }
      subscriptions.push_back(std::move(subscription));
    }
    auto agent = std::make_unique<HandlerAgent>(world_, life, handler, number++, numbers);
    hosts_[host].agents.push_back(agent.get());
    node.add_agent(std::move(spec), "handler", std::move(agent), std::move(subscriptions));
  }
  for (const PublisherPlan& publisher : plan.hosts[host].publishers) {
    AgentSpec spec;
    spec.name = publisher.name;
    const std::uint64_t seed = plan.seed * 1000003 + life * 101 + host;
    node.add_agent(std::move(spec), "publisher",
                   std::make_unique<PublisherAgent>(world_, life, publisher, seed + number++), {});
  }
}

void Cluster::boot(std::size_t host) {
  Host& here = hosts_[host];
  if (here.life || here.held_down || !reborn_) return;
  const Life::State files = std::exchange(here.files, Life::State::Kept);
  const bool torn = files == Life::State::InFlightLost;
  here.directory = environment_.disk(host).begin_life(torn ? Disk::End::PowerCut : Disk::End::Killed);
  History& history = world_.history;
  const auto life = static_cast<LifeNo>(history.lives.size());
  history.lives.push_back({.host = host, .number = ++here.lives, .began = kernel().now(), .state = files});
  here.life = life;
  here.agents.clear();
  here.process = kernel().spawn(history.name_of(life), [this, host, life] { run_node(host, life); });
  here.process->wall_offset = here.wall_offset;
  here.process->disk = &environment_.disk(host);
  environment_.place(*here.process, host);
}

void Cluster::run_node(std::size_t host, LifeNo life) {
  const LogSink log = [this, life](LogLevel level, std::string_view text) {
    if (level == LogLevel::Error) world_.history.errors.push_back({kernel().now(), life, level, std::string(text)});
    if (kernel().traced() && level >= LogLevel::Info) kernel().trace(world_.history.name_of(life), text);
  };
  const int stop_fd = kernel().open_fd();
  hosts_[host].stop_fd = stop_fd;
  if (world_.history.lives[life].stopping) kernel().set_readable(stop_fd, true);
  auto created = NodeHost::create(options_of(host), log);
  Life::End end = Life::End::NeverStarted;
  if (created) {
    NodeHost& node = **created;
    add_agents(node, host, life);
    node.start();
    wait_for_end(node.exit_fd(), stop_fd);
    end = Life::End::Clean;
    if (const auto exit = node.exit()) {
      end = Life::End::ByItself;
      world_.history.lives[life].exit_code = exit->code;
      world_.history.lives[life].message = exit->message;
    }
    hosts_[host].agents.clear();
    world_.history.lives[life].drained = node.shutdown();
    created->reset();
  } else {
    world_.history.lives[life].message = created.error().message;
  }
  kernel().close_fd(stop_fd);
  // Nothing of the process may be left when its files are looked at; the end itself is the scheduler's.
  kernel().at(kernel().now(), [this, host, life, end] { bury(host, life, end); });
}

void Cluster::bury(std::size_t host, LifeNo life, Life::End end) {
  Host& here = hosts_[host];
  if (here.life != life) return;
  Life& told = world_.history.lives[life];
  told.end = end;
  told.ended = kernel().now();
  here.life.reset();
  here.agents.clear();
  here.stop_fd = -1;
  kernel().kill(*here.process);
  if (kernel().traced()) kernel().trace(world_.history.name_of(life), "is over: " + told.message);
  boot_later(host, restart_delay);
}

void Cluster::boot_later(std::size_t host, Duration delay) {
  kernel().after(delay, [this, host] { boot(host); });
}

void Cluster::kill(std::size_t host, Death death) {
  Host& here = hosts_[host];
  if (!here.life) return;
  if (death == Death::OfMachine) {
    environment_.power_off(host);
    here.files = Life::State::InFlightLost;
  }
  bury(host, *here.life, Life::End::Killed);
}

void Cluster::terminate(std::size_t host) {
  Host& here = hosts_[host];
  if (!here.life || world_.history.lives[*here.life].stopping) return;
  world_.history.lives[*here.life].stopping = kernel().now();
  kernel().trace(world_.history.name_of(*here.life), "is told to stop");
  if (here.stop_fd >= 0) kernel().set_readable(here.stop_fd, true);
}

void Cluster::pause(std::size_t host) {
  if (!hosts_[host].life) return;
  world_.history.pauses.push_back({*hosts_[host].life, kernel().now(), {}});
  kernel().pause(*hosts_[host].process);
}

void Cluster::resume(std::size_t host) {
  if (!hosts_[host].life) return;
  for (Pause& pause : world_.history.pauses) {
    if (pause.life == *hosts_[host].life && !pause.to) pause.to = kernel().now();
  }
  kernel().resume(*hosts_[host].process);
}

void Cluster::step_wall(std::size_t host, Duration by) {
  world_.history.wall_steps.push_back({kernel().now(), host, by});
  hosts_[host].wall_offset += by;
  if (hosts_[host].life) hosts_[host].process->wall_offset = hosts_[host].wall_offset;
}

void Cluster::send_agent_away(std::size_t host, double which, Duration how_long) {
  const auto& agents = hosts_[host].agents;
  if (agents.empty()) return;
  agents[static_cast<std::size_t>(which * static_cast<double>(agents.size()))]->go_away(how_long);
}

void Cluster::release(std::size_t host) {
  hosts_[host].held_down = false;
  boot(host);
}

void Cluster::wipe(std::size_t host) {
  environment_.disk(host).lose_everything();
  hosts_[host].files = Life::State::Lost;
}

bool Cluster::all_running() const {
  return std::ranges::all_of(hosts_, [](const Host& host) { return host.life.has_value(); });
}

bool Cluster::any_running() const {
  return std::ranges::any_of(hosts_, [](const Host& host) { return host.life.has_value(); });
}

}  // namespace legion::sim
