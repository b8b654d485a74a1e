// The world of a real process: sockets, clocks, environment, signals.
#pragma once

#include <legion/cli/interrupts.hpp>
#include <legion/cli/world.hpp>

namespace legion::cli {

/// Thread: the command's. Ownership: `interrupts` outlives it.
class ProcessWorld : public World {
 public:
  explicit ProcessWorld(Interrupts& interrupts) : interrupts_(interrupts) {}

  std::optional<std::string> variable(const std::string& name) const override;
  std::vector<std::pair<std::string, std::string>> environment() const override;
  Result<std::unique_ptr<NodeConnection>> connect(const Address& address) override;
  Result<std::unique_ptr<SpoolAsk>> connect_spool(const Address& address) override;
  Result<std::unique_ptr<EventStream>> observe(ObserverOptions options, LogSink log) override;
  Now now() override;
  void wait(Duration duration) override { interrupts_.wait(duration); }
  void take_interrupts() override { interrupts_.take(); }
  bool interrupted() const override { return interrupts_.interrupted(); }

 private:
  Interrupts& interrupts_;
};

}  // namespace legion::cli
