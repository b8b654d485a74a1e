// What passes between the processes of a SimCluster.
#include <utility>

#include <legion/base/assert.hpp>

#include "sim_cluster.hpp"
#include "sim_process.hpp"

namespace legion::sim {
namespace {

constexpr Duration sync_retry = 200ms;

}  // namespace

SimCluster::Process* SimCluster::listening_at(const std::string& address) {
  const auto found = hosts_by_address_.find(address);
  if (found == hosts_by_address_.end()) return nullptr;
  Process& process = at(found->second);
  return process.running && process.endpoints.control == address ? &process : nullptr;
}

bool SimCluster::blocked(const Process& from, const Process& to) const {
  return blocked_.contains({from.label, to.label});
}

Duration SimCluster::some_delay() {
  return Duration{static_cast<std::int64_t>(rng_.below(options_.delay_max.count()) + 100'000)};
}

void SimCluster::hello(Process& process, const effect::SendHello& given) {
  const std::uint64_t call = ++calls_;
  process.calls.insert(call);
  const std::string address = given.address;
  end_hello(process, call, options_.config.connect_timeout, [this, address](Process& asker) {
    asker.core->on_hello_failed(now(asker), address, Membership::HelloFailure::TimedOut);
  });
  HelloRequest request = given.request;
  if (options_.through_wire) {
    auto decoded = decode_hello_request(encode(given.request));
    LEGION_ASSERT(decoded.has_value());
    request = *std::move(decoded);
  }
  answer_hello(process, address, call, request);
}

/// Whichever comes first, answer or time-out, ends the call.
void SimCluster::end_hello(Process& asker, std::uint64_t call, Duration delay, std::function<void(Process&)> given) {
  deliver(asker, delay, [call, given = std::move(given)](Process& process) {
    if (process.calls.erase(call) > 0) given(process);
  });
}

void SimCluster::answer_hello(Process& asker, const std::string& address, std::uint64_t call,
                              const HelloRequest& request) {
  if (silent_hosts_.contains(address)) return;
  Process* target = listening_at(address);
  if (target == nullptr) {
    end_hello(asker, call, some_delay(), [this, address](Process& process) {
      process.core->on_hello_failed(now(process), address, Membership::HelloFailure::Refused);
    });
    return;
  }
  if (blocked(asker, *target)) return;
  const std::string asker_label = asker.label;
  const std::uint64_t asker_life = asker.life;
  deliver(*target, some_delay(), [this, asker_label, asker_life, address, call, request](Process& answerer) {
    auto reply = answerer.core->on_hello(now(answerer), request);
    Process& back = at(asker_label);
    if (!reply || back.life != asker_life || blocked(answerer, back)) return;
    if (options_.through_wire) {
      auto decoded = decode_hello_reply(encode(*reply));
      LEGION_ASSERT(decoded.has_value());
      reply = std::move(decoded);
    }
    const auto shared = std::make_shared<const HelloReply>(*std::move(reply));  // the event queue copies its entries
    end_hello(back, call, some_delay(), [this, address, shared](Process& process) {
      process.core->on_hello_reply(now(process), address, *shared);
    });
  });
}

void SimCluster::fetch_roster(Process& process, const std::string& address) {
  Process* target = listening_at(address);
  if (target == nullptr || blocked(process, *target)) return;
  const std::string asker_label = process.label;
  const std::uint64_t asker_life = process.life;
  deliver(*target, some_delay(), [this, asker_label, asker_life](Process& answerer) {
    Process& back = at(asker_label);
    if (back.life != asker_life || blocked(answerer, back)) return;
    const auto shared = std::make_shared<const std::vector<Member>>(answerer.core->roster());
    deliver(back, some_delay(), [this, shared](Process& asker) { asker.core->on_roster(now(asker), *shared); });
  });
}

void SimCluster::connect(Process& process, const Member& peer) {
  const std::uint64_t link = ++calls_;
  process.lanes[peer.name] = {.peer = peer, .link = link};
  const std::string label = process.label;
  const std::string name = peer.name;
  const std::uint64_t life = process.life;
  after(some_delay(), [this, label, life, name, link] { sync(label, life, name, link); });
}

/// The sync subscription passes upstream and the echo comes back, again and again until it did once on this link.
void SimCluster::sync(const std::string& receiver, std::uint64_t life, const std::string& name, std::uint64_t link) {
  Process& process = at(receiver);
  if (!process.running || process.life != life) return;
  const auto lane = process.lanes.find(name);
  if (lane == process.lanes.end() || lane->second.link != link) return;
  Process* origin = listening_at(lane->second.peer.endpoints.control);
  const bool reachable = origin != nullptr && !origin->paused && !process.paused && !blocked(process, *origin) &&
                         !blocked(*origin, process) && origin->core->incarnation() != 0;
  if (!reachable) {
    after(sync_retry, [this, receiver, life, name, link] { sync(receiver, life, name, link); });
    return;
  }
  const std::string receiver_name = process.options.name;
  deliver(*origin, some_delay(), [this, receiver_name](Process& answerer) {
    answerer.core->on_receiver_synced(now(answerer), receiver_name);
  });
}

void SimCluster::heartbeat(Process& process, const effect::PublishHeartbeat& given) {
  Heartbeat heartbeat;
  heartbeat.self = process.core->self_member();
  heartbeat.leaving = given.leaving;
  heartbeat.roster_hash = process.core->hash();
  heartbeat.interval = options_.config.heartbeat_interval;
  if (options_.through_wire) {
    auto decoded = decode_heartbeat(encode(heartbeat));
    LEGION_ASSERT(decoded.has_value());
    heartbeat = *std::move(decoded);
  }
  const auto shared = std::make_shared<const Heartbeat>(std::move(heartbeat));  // one copy for all receivers
  for (const auto& [label, receiver] : processes_) {
    if (!receiver->running || receiver.get() == &process) continue;
    if (!blocked_.empty() && blocked(process, *receiver)) continue;
    const auto lane = receiver->lanes.find(process.options.name);
    if (lane == receiver->lanes.end() || lane->second.peer.endpoints.control != process.endpoints.control) continue;
    if (!usable_from_.empty()) {
      const auto usable = usable_from_.find({process.label, label});
      if (usable != usable_from_.end() && time_ < usable->second) continue;
    }
    if (rng_.chance(options_.heartbeat_loss)) continue;
    deliver(*receiver, some_delay(),
            [this, shared](Process& hearer) { hearer.core->on_heartbeat(now(hearer), *shared); });
  }
}

}  // namespace legion::sim
