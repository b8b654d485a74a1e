#include "sim_cluster.hpp"

#include <cstdio>
#include <cstdlib>

#include <legion/base/assert.hpp>

#include "sim_happenings.hpp"
#include "sim_process.hpp"

namespace legion::sim {
namespace {

constexpr std::int64_t wall_begin_ns = 1'800'000'000'000'000'000;
constexpr int exit_fenced = 70;

}  // namespace

SimCluster::SimCluster(std::uint64_t seed, Options options)
    : options_(std::move(options)), rng_(seed), happenings_(std::make_unique<Happenings>(options_.slot)) {}
SimCluster::~SimCluster() = default;

SimCluster::Process& SimCluster::at(const std::string& label) { return *processes_.at(label); }
const SimCluster::Process& SimCluster::at(const std::string& label) const { return *processes_.at(label); }

void SimCluster::add(const std::string& label, NodeOptions options) {
  auto process = std::make_unique<Process>();
  process->label = label;
  if (options.name.empty()) options.name = label;
  process->options = std::move(options);
  process->endpoints = endpoints_of_host(++hosts_, !options_.through_wire);
  process->index = processes_.size();
  LEGION_ASSERT(processes_.emplace(label, std::move(process)).second);
}

void SimCluster::start(const std::string& label) { boot(at(label)); }

void SimCluster::boot(Process& process) {
  LEGION_ASSERT(!process.running);
  process.running = true;
  process.paused = false;
  process.exit_code.reset();
  process.life = ++lives_;
  disconnect_all(process);
  process.calls.clear();
  process.inbox.clear();
  silent_hosts_.erase(process.endpoints.control);
  hosts_by_address_[process.endpoints.control] = &process;
  MembershipConfig config = options_.config;
  for (const std::string& target : process.options.join) {
    config.join.push_back(processes_.contains(target) ? at(target).endpoints.control : target);
  }
  Membership::Self self{.name = process.options.name,
                        .boot = {},
                        .endpoints = process.endpoints,
                        .roles = {},
                        .version = "sim",
                        .kept_incarnation = process.kept_incarnation,
                        .kept_roster = process.kept_roster};
  for (std::uint8_t& byte : self.boot.bytes) byte = static_cast<std::uint8_t>(rng_.below(256));
  process.boot = self.boot;
  process.core = std::make_unique<Membership>(std::move(config), std::move(self), rng_.next());
  process.core->start(now(process));
  carry_out(process);
  after(process, Duration{static_cast<std::int64_t>(rng_.below(Membership::tick_interval.count()))},
        [this, &process, life = process.life] { tick(process, life); });
}

void SimCluster::stop(Process& process) {
  process.running = false;
  process.paused = false;
  disconnect_all(process);
  process.inbox.clear();
  process.calls.clear();
}

void SimCluster::crash(const std::string& label, HostAfterCrash host) {
  Process& process = at(label);
  if (host == HostAfterCrash::Silent) silent_hosts_.insert(process.endpoints.control);
  stop(process);
}

void SimCluster::restart(const std::string& label, Disk disk, Place place) {
  Process& process = at(label);
  if (process.running) stop(process);
  if (disk == Disk::Lost) {
    process.kept_incarnation = 0;
    process.kept_roster.clear();
  }
  if (place == Place::NewAddress) process.endpoints = endpoints_of_host(++hosts_, !options_.through_wire);
  boot(process);
}

void SimCluster::pause(const std::string& label) { at(label).paused = true; }

void SimCluster::resume(const std::string& label) {
  Process& process = at(label);
  if (!process.running || !process.paused) return;
  process.paused = false;
  auto waiting = std::exchange(process.inbox, {});
  for (auto& input_waiting : waiting) {
    if (process.running) input(process, input_waiting);
  }
  after(process, Duration::zero(), [this, &process, life = process.life] { tick(process, life); });
}

void SimCluster::leave(const std::string& label) {
  Process& process = at(label);
  process.core->leave(now(process));
  carry_out(process);
  process.exit_code = 0;
  stop(process);
}

void SimCluster::partition(const std::set<std::string>& a, const std::set<std::string>& b) {
  for (const std::string& left : a) {
    for (const std::string& right : b) {
      block(left, right);
      block(right, left);
    }
  }
}

void SimCluster::block(const std::string& from, const std::string& to) {
  std::vector<bool>& row = at(from).blocked;
  row.resize(processes_.size());
  if (!row[at(to).index]) ++blocks_;
  row[at(to).index] = true;
}

void SimCluster::heal() {
  // ZeroMQ dials again within RECONNECT_IVL_MAX, which is redial_max.
  for (const auto& [label, process] : processes_) {
    process->usable_from.resize(processes_.size());
    for (std::size_t to = 0; to < process->blocked.size(); ++to) {
      if (!process->blocked[to]) continue;
      const auto wait = static_cast<std::int64_t>(rng_.below(options_.config.redial_max.count() + 1));
      process->usable_from[to] = time_ + Duration{wait};
    }
    process->blocked.clear();
  }
  blocks_ = 0;
}

void SimCluster::after(Process& process, Duration delay, std::function<void()> happen) {
  happenings_->add(time_ + delay, {.process = &process, .happen = std::move(happen), .heartbeat = nullptr});
}

void SimCluster::run_for(Duration duration) {
  const SteadyTime end = time_ + duration;
  while (happenings_->due(end)) {
    happenings_->take([this](SteadyTime at) { time_ = at; },
                      [this](Happenings::Event& event) {
                        if (event.happen) {
                          event.happen();
                        } else {
                          hear(*event.process, event.life, event.heartbeat);
                        }
                      });
  }
  time_ = end;
}

std::optional<Duration> SimCluster::run_until_converged(Duration limit) {
  const SteadyTime begin = time_;
  while (!converged()) {
    if (time_ - begin >= limit) return std::nullopt;
    run_for(100ms);
  }
  return time_ - begin;
}

Now SimCluster::now(const Process& process) const {
  return {time_, WallTime{wall_begin_ns + time_.ns + process.options.clock_offset.count()}};
}

void SimCluster::tick(Process& process, std::uint64_t life) {
  if (!process.running || process.life != life || process.paused) return;
  process.core->on_tick(now(process));
  carry_out(process);
  after(process, Membership::tick_interval, [this, &process, life] { tick(process, life); });
}

void SimCluster::input(Process& process, const std::function<void(Process&)>& given) {
  given(process);
  process.core->on_tick(now(process));
  carry_out(process);
}

void SimCluster::deliver(Process& process, Duration delay, std::function<void(Process&)> given) {
  after(process, delay, [this, &process, life = process.life, given = std::move(given)]() mutable {
    if (!process.running || process.life != life) return;
    if (process.paused) {
      process.inbox.push_back(std::move(given));
    } else {
      input(process, given);
    }
  });
}

void SimCluster::carry_out(Process& process) {
  // An effect may be the last one of a process: it ends there.
  for (MembershipEffect& effect : process.core->drain_effects()) {
    if (process.running) apply(process, effect);
  }
}

void SimCluster::apply(Process& process, MembershipEffect& given) {
  const auto visitor = overloaded{
      [&](effect::SendHello& effect) { hello(process, effect); },
      [&](const effect::FetchRoster& effect) { fetch_roster(process, effect.address); },
      [&](const effect::ConnectPeer& effect) { connect(process, effect.peer); },
      [&](const effect::DisconnectPeer& effect) { disconnect(process, effect.name); },
      [&](const effect::IncarnationChosen& effect) { process.kept_incarnation = effect.incarnation; },
      [&](const effect::PublishingOpen&) {},
      [&](const effect::PublishHeartbeat& effect) { heartbeat(process, effect); },
      [&](const effect::SendGoodbye& effect) {
        const Member self = process.core->self_member();
        for (const std::string& address : effect.addresses) {
          Process* target = listening_at(address);
          if (target == nullptr || blocked(process, *target)) continue;
          deliver(*target, some_delay(), [this, self](Process& hearer) {
            hearer.core->on_goodbye(now(hearer), self.name, self.incarnation);
          });
        }
      },
      [&](const effect::PersistRoster&) {
        if (options_.disk == Disk::Kept) process.kept_roster = process.core->roster_to_keep();
      },
      [&](const effect::MemberChanged&) {},
      [&](const effect::CollectTails& effect) {
        ++traffic_.tail_questions;
        if (options_.disk == Disk::Kept) process.collected.push_back(effect);
      },
      [&](const effect::Fence& effect) {
        process.exit_code = exit_fenced;
        process.exit_message = effect.message;
        stop(process);
      },
      [&](const effect::GiveUp& effect) {
        process.exit_code = effect.exit_code;
        process.exit_message = effect.message;
        stop(process);
      },
      [&](const effect::LogLine&) {},
  };
  std::visit(visitor, given);
}

const Membership& SimCluster::core(const std::string& label) const { return *at(label).core; }
bool SimCluster::running(const std::string& label) const { return at(label).running; }
bool SimCluster::paused(const std::string& label) const { return at(label).paused; }
std::optional<int> SimCluster::exit_code(const std::string& label) const { return at(label).exit_code; }
std::string SimCluster::exit_message(const std::string& label) const { return at(label).exit_message; }
std::string SimCluster::control_address(const std::string& label) const { return at(label).endpoints.control; }

const std::vector<effect::CollectTails>& SimCluster::collected(const std::string& label) const {
  return at(label).collected;
}

MemberState SimCluster::state_seen_by(const std::string& observer, const std::string& name) const {
  const Member* member = core(observer).find(name);
  return member != nullptr ? member->state : MemberState::Left;
}

std::vector<std::string> SimCluster::labels() const {
  std::vector<std::string> all;
  for (const auto& [label, process] : processes_) all.push_back(label);
  return all;
}

std::string SimCluster::disagreement() const {
  std::map<std::string, const Process*> by_name;
  for (const auto& [label, process] : processes_) {
    if (!process->running) continue;
    if (!by_name.emplace(process->options.name, process.get()).second) {
      return "two processes run as " + process->options.name;
    }
  }
  std::optional<std::uint64_t> hash;
  for (const auto& [name, process] : by_name) {
    const Membership& core = *process->core;
    if (!core.publishing_open()) return process->label + " may not publish yet";
    if (hash && *hash != core.hash()) return process->label + " has another roster hash than its predecessors";
    hash = core.hash();
    if (core.alive() != by_name.size()) {
      return process->label + " calls " + std::to_string(core.alive()) + " nodes alive, " +
             std::to_string(by_name.size()) + " are";
    }
    if (process->lanes.size() + 1 < by_name.size()) return process->label + " is not connected to everybody";
  }
  for (const auto& [name, process] : by_name) {
    const Membership& core = *process->core;
    for (const auto& [other_name, other] : by_name) {
      const Member* seen = core.find(other_name);
      if (seen == nullptr || seen->state != MemberState::Alive) {
        return process->label + " does not call " + other_name + " alive";
      }
      if (seen->incarnation != other->core->incarnation() || seen->boot != other->boot) {
        return process->label + " knows another life of " + other_name;
      }
      if (other == process) continue;
      const auto lane = process->lanes.find(other_name);
      if (lane == process->lanes.end() || lane->second.control != other->endpoints.control) {
        return process->label + " is not connected to " + other_name;
      }
    }
  }
  return {};
}

std::uint64_t seed_or(std::uint64_t fallback) {
  const char* given = std::getenv("LEGION_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : fallback;
  std::printf("LEGION_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace legion::sim
