// What passes between the processes of a SimCluster.
#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>

#include "sim_cluster.hpp"
#include "sim_happenings.hpp"
#include "sim_process.hpp"

namespace legion::sim {
namespace {

constexpr Duration sync_retry = 200ms;

}  // namespace

SimCluster::Process* SimCluster::listening_at(const std::string& address) {
  const auto found = hosts_by_address_.find(address);
  if (found == hosts_by_address_.end()) return nullptr;
  Process* process = found->second;
  return process->running && process->endpoints.control == address ? process : nullptr;
}

bool SimCluster::blocked(const Process& from, const Process& to) const {
  return blocks_ > 0 && to.index < from.blocked.size() && from.blocked[to.index];
}

Duration SimCluster::some_delay() {
  return Duration{static_cast<std::int64_t>(rng_.below(options_.delay_max.count()) + 100'000)};
}

void SimCluster::hello(Process& process, effect::SendHello& given) {
  const std::uint64_t call = ++calls_;
  process.calls.emplace(call, time_ + options_.config.connect_timeout);
  ++traffic_.hellos;
  if (options_.through_wire) {
    const Bytes bytes = encode(given.request);
    traffic_.control_bytes += bytes.size();
    auto decoded = decode_hello_request(bytes);
    LEGION_ASSERT(decoded.has_value());
    given.request = *std::move(decoded);
  }
  answer_hello(process, given.address, call, std::move(given.request));
}

void SimCluster::end_hello(Process& asker, std::uint64_t call, Duration delay, std::function<void(Process&)> given) {
  deliver(asker, delay, [call, given = std::move(given)](Process& process) {
    if (process.calls.erase(call) > 0) given(process);
  });
}

/// Nobody will answer. Only such calls get a time-out: a million pending ones would make every other event expensive.
void SimCluster::lose_hello(Process& asker, const std::string& address, std::uint64_t call) {
  const auto found = asker.calls.find(call);
  if (found == asker.calls.end()) return;
  end_hello(asker, call, std::max(Duration::zero(), found->second - time_), [this, address](Process& process) {
    process.core->on_hello_failed(now(process), address, Membership::HelloFailure::TimedOut);
  });
}

void SimCluster::answer_hello(Process& asker, const std::string& address, std::uint64_t call, HelloRequest request) {
  Process* target = silent_hosts_.contains(address) ? nullptr : listening_at(address);
  if (silent_hosts_.contains(address) || (target != nullptr && blocked(asker, *target))) {
    return lose_hello(asker, address, call);
  }
  if (target == nullptr) {
    return end_hello(asker, call, some_delay(), [this, address](Process& process) {
      process.core->on_hello_failed(now(process), address, Membership::HelloFailure::Refused);
    });
  }
  after(*target, some_delay(), [this, target, life = target->life, &asker, asker_life = asker.life, address, call,
                       asked = std::move(request)]() mutable {
    const auto answer = [this, &asker, asker_life, address, call, asked = std::move(asked)](Process& answerer) {
      auto reply = answerer.core->on_hello(now(answerer), asked);
      if (asker.life != asker_life) return;
      if (!reply || blocked(answerer, asker)) return lose_hello(asker, address, call);
      traffic_.roster_pages += reply->roster.empty() ? 0 : 1;
      if (options_.through_wire) {
        const Bytes bytes = encode(*reply);
        LEGION_ASSERT(bytes.size() <= limits::message_bytes_max);
        traffic_.control_bytes += bytes.size();
        auto decoded = decode_hello_reply(bytes);
        LEGION_ASSERT(decoded.has_value());
        reply = std::move(decoded);
      }
      end_hello(asker, call, some_delay(), [this, address, told = *std::move(reply)](Process& process) {
        process.core->on_hello_reply(now(process), address, told);
      });
    };
    const bool there = target->running && target->life == life;
    if ((!there || target->paused) && asker.running && asker.life == asker_life) lose_hello(asker, address, call);
    if (!there) return;
    if (target->paused) {
      target->inbox.push_back(answer);
    } else {
      input(*target, answer);
    }
  });
}

/// All pages at once: what changes between two of them comes with the next heartbeat.
void SimCluster::fetch_roster(Process& process, const std::string& address) {
  Process* target = listening_at(address);
  if (target == nullptr || blocked(process, *target)) return;
  deliver(*target, some_delay(), [this, &process, life = process.life](Process& answerer) {
    if (process.life != life || blocked(answerer, process)) return;
    std::vector<RosterPage> pages;
    std::string after;
    do {
      pages.push_back(answerer.core->roster_page(after));
      ++traffic_.roster_pages;
      if (options_.through_wire) {
        const Bytes bytes = encode(pages.back());
        LEGION_ASSERT(bytes.size() <= limits::message_bytes_max);
        traffic_.control_bytes += bytes.size();
        auto decoded = decode_roster_page(bytes);
        LEGION_ASSERT(decoded.has_value());
        pages.back() = *std::move(decoded);
      }
      if (pages.back().more) after = pages.back().members.back().name;
    } while (pages.back().more);
    deliver(process, some_delay(), [this, given = std::move(pages)](Process& asker) {
      for (const RosterPage& page : given) {
        asker.core->on_roster(now(asker), page.members,
                              page.more ? Membership::RosterPart::More : Membership::RosterPart::Last);
      }
    });
  });
}

void SimCluster::connect(Process& process, const Member& peer) {
  disconnect(process, peer.name);
  const std::uint64_t link = ++calls_;
  process.lanes[peer.name] = {.control = peer.endpoints.control, .link = link};
  listeners_[peer.endpoints.control].push_back(&process);
  after(process, some_delay(),
        [this, &process, name = peer.name, life = process.life, link] { sync(process, life, name, link); });
}

void SimCluster::disconnect(Process& process, const std::string& name) {
  const auto found = process.lanes.find(name);
  if (found == process.lanes.end()) return;
  std::erase(listeners_[found->second.control], &process);
  process.lanes.erase(found);
}

void SimCluster::disconnect_all(Process& process) {
  for (const auto& [name, lane] : process.lanes) std::erase(listeners_[lane.control], &process);
  process.lanes.clear();
}

/// The sync subscription passes upstream and the echo comes back, again and again until it did once on this link.
void SimCluster::sync(Process& process, std::uint64_t life, const std::string& name, std::uint64_t link) {
  if (!process.running || process.life != life) return;
  const auto lane = process.lanes.find(name);
  if (lane == process.lanes.end() || lane->second.link != link) return;
  Process* origin = listening_at(lane->second.control);
  const bool reachable = origin != nullptr && !origin->paused && !process.paused && !blocked(process, *origin) &&
                         !blocked(*origin, process) && origin->core->incarnation() != 0;
  if (!reachable) {
    after(process, sync_retry, [this, &process, life, name, link] { sync(process, life, name, link); });
    return;
  }
  deliver(*origin, some_delay(), [this, receiver = process.options.name](Process& answerer) {
    answerer.core->on_receiver_synced(now(answerer), receiver);
  });
}

void SimCluster::heartbeat(Process& process, const effect::PublishHeartbeat& given) {
  Heartbeat heartbeat;
  heartbeat.self = process.core->self_member();
  heartbeat.leaving = given.leaving;
  heartbeat.roster_hash = process.core->hash();
  heartbeat.interval = options_.config.heartbeat_interval;
  std::size_t size = 0;
  if (options_.through_wire) {
    const Bytes bytes = encode(heartbeat);
    size = bytes.size();
    auto decoded = decode_heartbeat(bytes);
    LEGION_ASSERT(decoded.has_value());
    heartbeat = *std::move(decoded);
  }
  const auto shared = std::make_shared<const Heartbeat>(std::move(heartbeat));  // one copy for all receivers
  for (Process* receiver : listeners_[process.endpoints.control]) {
    if (receiver == &process || blocked(process, *receiver)) continue;
    if (receiver->index < process.usable_from.size() && time_ < process.usable_from[receiver->index]) continue;
    if (options_.heartbeat_loss > 0 && rng_.chance(options_.heartbeat_loss)) continue;
    ++traffic_.heartbeats;
    traffic_.heartbeat_bytes += size;
    happenings_->add(time_ + some_delay(),
                     {.process = receiver, .happen = nullptr, .life = receiver->life, .heartbeat = shared});
  }
}

void SimCluster::hear(Process& hearer, std::uint64_t life, const std::shared_ptr<const Heartbeat>& heartbeat) {
  if (!hearer.running || hearer.life != life) return;
  if (hearer.paused) {
    hearer.inbox.push_back([this, heartbeat](Process& later) { later.core->on_heartbeat(now(later), *heartbeat); });
    return;
  }
  hearer.core->on_heartbeat(now(hearer), *heartbeat);
  hearer.core->on_tick(now(hearer));
  carry_out(hearer);
}

}  // namespace legion::sim
