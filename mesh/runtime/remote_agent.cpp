#include <legion/runtime/remote_agent.hpp>

#include <utility>

#include <legion/runtime/clock.hpp>

namespace legion {

void RemoteInbox::put(Handed handed) {
  {
    const std::lock_guard lock(mutex_);
    contents_.runs.push_back(std::move(handed));
  }
  wake_();
}

void RemoteInbox::started(AgentIndex agent) {
  {
    const std::lock_guard lock(mutex_);
    contents_.started.push_back(agent);
  }
  wake_();
}

void RemoteInbox::stopped(AgentIndex agent) {
  {
    const std::lock_guard lock(mutex_);
    contents_.stopped.push_back(agent);
  }
  wake_();
}

RemoteInbox::Contents RemoteInbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(contents_, {});
}

std::vector<RemoteInbox::Handed> RemoteInbox::take_of(AgentIndex agent) {
  const std::lock_guard lock(mutex_);
  std::vector<Handed> taken;
  std::erase_if(contents_.runs, [&](Handed& handed) {
    if (handed.agent != agent) return false;
    taken.push_back(std::move(handed));
    return true;
  });
  return taken;
}

void RemoteAgent::start(AgentServices& services) {
  services.set_state("away");
  services_.store(&services, std::memory_order_release);
  inbox_.started(index_);
}

std::optional<Outcome> RemoteAgent::deliver(const Delivery& delivery) {
  const std::uint64_t in_life = life();
  inbox_.put({index_, in_life, encode_single(delivery, read_clocks())});
  return std::nullopt;
}

void RemoteAgent::deliver_run(Task task) {
  const std::uint64_t in_life = life();
  inbox_.put({index_, in_life, encode_run(task, read_clocks())});
}

void RemoteAgent::stop(Duration) { inbox_.stopped(index_); }

}  // namespace legion
