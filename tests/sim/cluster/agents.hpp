// The agents of the simulated nodes: one that publishes, one that handles.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/runtime/agent.hpp>

#include "world.hpp"

namespace legion::sim {

/// Publishes what its plan says and notes every answer.
class PublisherAgent final : public Agent {
 public:
  PublisherAgent(World& world, LifeNo life, const PublisherPlan& plan, std::uint64_t seed);

  void start(AgentServices& services) override;
  std::optional<Outcome> deliver(const Delivery&) override { return Outcome::done(); }
  void stop(Duration grace) override;

 private:
  void run();
  void publish_one();

  World& world_;
  LifeNo life_;
  const PublisherPlan& plan_;
  Rng rng_;
  std::uint32_t number_;
  std::uint32_t count_ = 0;
  AgentServices* services_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

/// Meets every event with the manner the plan has for it.
class HandlerAgent final : public Agent {
 public:
  /// `subscriptions`: of the plan, by SubscriptionId of the node.
  HandlerAgent(World& world, LifeNo life, const HandlerPlan& plan, std::size_t agent,
               const std::vector<std::size_t>& subscriptions);

  Answers answers() const override { return plan_.answers; }
  void start(AgentServices& services) override;
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void stop(Duration grace) override;

  /// Only of one that answers later: what it has is forgotten, and it is gone for so long. From anywhere.
  void go_away(Duration how_long);

 private:
  struct Later {
    TaskId task = 0;
    std::size_t hand_over = 0;
    Outcome outcome;
  };

  std::size_t note(const Delivery& delivery, std::size_t subscription, Tag tag);
  Outcome outcome_of(Manner manner, std::size_t subscription, Tag tag, std::uint32_t attempt);
  void maybe_die(Manner manner, std::size_t subscription, Tag tag);
  void publish_consequence(const EventView& event, Tag cause);
  Outcome end(std::size_t hand_over, Outcome outcome);
  void answer_later(const Delivery& delivery, std::size_t hand_over, Outcome outcome, Duration after);
  void run();

  World& world_;
  LifeNo life_;
  const HandlerPlan& plan_;
  std::size_t agent_;
  std::vector<std::size_t> subscriptions_;
  std::uint32_t number_;
  std::uint32_t count_ = 0;
  AgentServices* services_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<SteadyTime, Later> later_;
  bool stopping_ = false;
  std::optional<Duration> leaves_for_;
  SteadyTime leaves_by_{};                ///< as soon as it has something in hands, but no later
  std::optional<SteadyTime> away_until_;
  std::thread thread_;
};

}  // namespace legion::sim
