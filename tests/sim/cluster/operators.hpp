// Those who ask and tell nodes from outside, by the control port and the spool port, as legion-cli does.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/base/bytes.hpp>
#include <legion/event/spool_record.hpp>
#include <legion/runtime/spool_asker.hpp>

#include "environment.hpp"
#include "world.hpp"

namespace legion::sim {

/// What a node said of itself.
struct NodeReport {
  bool finished = false;  ///< asking is over
  std::string trouble;    ///< empty: everything was answered
  SteadyTime at{};
  nlohmann::json stats, nodes, pending;
};

/// Each question is a simulated process of its own, so none waits for another.
class Operators {
 public:
  Operators(World& world, Environment& environment) : world_(world), environment_(environment) {}

  /// Shared with the process that fills it in.
  std::shared_ptr<NodeReport> ask(std::size_t host);
  /// One of the plan's faults that are people.
  void act(const FaultPlan& fault);
  /// `pending skip` of every durable subscription that stands still.
  void skip_stalled(const std::vector<NodeReport>& reports);

 private:
  void spawn(const std::string& name, std::function<void()> work);
  void requeue(const FaultPlan& fault);
  void purge(const FaultPlan& fault);
  enum class Change : std::uint8_t { Skip, Reset };
  void change_subscription(const std::string& name, std::size_t host, Change change);
  const SubscriptionPlan* some_durable(double draw) const;
  void replay(const FaultPlan& fault);
  void repair(const LetterRecord& letter);
  std::unique_ptr<BlockingSpoolAsker> ask_spool(std::size_t host) const;
  std::size_t begin(std::string what, std::string subscription, std::string subject);
  void end(std::size_t operation, const Result<Bytes>& answer);
  Result<Bytes> call(std::size_t host, std::string_view method, BytesView params) const;

  World& world_;
  Environment& environment_;
};

}  // namespace legion::sim
