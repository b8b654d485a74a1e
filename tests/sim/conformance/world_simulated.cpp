#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "kernel/kernel.hpp"
#include "world.hpp"
#include "zmq/network.hpp"

namespace legion::conformance {
namespace {

constexpr std::uint64_t default_seed = 20260101;
constexpr Duration watchdog = 600s;
constexpr Duration look_interval = 1ms;
constexpr std::uint16_t first_port = 10240;

std::uint16_t next_port = first_port;

/// LEGION_SEED tries another one.
std::uint64_t seed() {
  const char* wanted = std::getenv("LEGION_SEED");
  return wanted == nullptr ? default_seed : std::strtoull(wanted, nullptr, 10);
}

class SimulatedProcess final : public OtherProcess {
 public:
  explicit SimulatedProcess(std::shared_ptr<sim::Process> process) : process_(std::move(process)) {}
  ~SimulatedProcess() override { kill(); }
  void kill() override { sim::Kernel::get().kill(*process_); }
  void stop() override { sim::Kernel::get().pause(*process_); }
  void go_on() override { sim::Kernel::get().resume(*process_); }

 private:
  std::shared_ptr<sim::Process> process_;
};

}  // namespace

namespace world {

void run(const std::function<void()>& scenario) {
  sim::Kernel& kernel = sim::Kernel::get();
  kernel.reset(seed());
  sim::Network::get().reset();
  next_port = first_port;
  bool done = false;
  const auto process = kernel.spawn("scenario", [&] {
    scenario();
    done = true;
    kernel.stop();
  });
  kernel.run_until(kernel.now() + watchdog * 10);
  EXPECT_TRUE(done) << "the scenario hangs";
}

SteadyTime now() { return sim::Kernel::get().now(); }

bool until(const std::function<bool()>& condition) {
  const SteadyTime end = now() + watchdog;
  while (!condition()) {
    if (now() > end) return false;
    sim::Kernel::get().sleep(look_interval);
  }
  return true;
}

std::string free_address() { return "tcp://127.0.0.1:" + std::to_string(next_port++); }

std::unique_ptr<OtherProcess> start(std::function<void()> body) {
  return std::make_unique<SimulatedProcess>(sim::Kernel::get().spawn("other", std::move(body)));
}

}  // namespace world
}  // namespace legion::conformance
