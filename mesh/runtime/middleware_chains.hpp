// The steps of a node in their order: counted, and called as each of them allows.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/core/dispatcher_types.hpp>
#include <legion/core/middleware_spec.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/priority.hpp>

namespace legion {

/// What one step did, over all publishers or all subscriptions. Events; of zstd frames.
struct StepFigures {
  std::string name;
  std::string step;       ///< what it is: "where", "limit"
  MiddlewareSpec::On on{};
  std::string type;       ///< its filter
  std::uint64_t seen = 0;
  std::uint64_t changed = 0;
  std::uint64_t filtered = 0;   ///< publish: filtered; dispatch: filtered(where, duplicate)
  std::uint64_t limited = 0;    ///< publish: would_block; dispatch: filtered(limited)
  std::uint64_t expired = 0;
  std::uint64_t rejected = 0;   ///< publish: invalid; dispatch: dead letters
};

/// The counters behind it.
struct StepCounters {
  std::atomic<std::uint64_t> seen{0}, changed{0}, filtered{0}, limited{0}, expired{0}, rejected{0};
};

/// A step that is called as it allows.
struct ChainLink {
  std::unique_ptr<Middleware> step;
  std::unique_ptr<std::mutex> mutex;  // of a step that is called by one thread at a time
  const MiddlewareSpec* spec;
  StepCounters* counters;
};

/// Thread: run() and answer() from any.
class PublishChain {
 public:
  /// Whether any step concerns events of this type from this agent (empty: from a program).
  bool concerns(std::string_view type, std::string_view agent) const;
  /// Pass, or what the first step said that did not let it pass.
  struct Passage {
    PublishVerdict verdict{};
    std::size_t passed = 0;  ///< links that were gone through, for answer()
  };
  Passage run(PublishedEvent& event) const;
  /// After every run(): what became of it.
  void answer(const PublishedEvent& event, std::size_t passed, Middleware::Taken taken) const;
  /// Events of this type: from which size on a frame travels compressed.
  std::optional<std::size_t> compress_from(std::string_view type) const;
  /// A frame of this type was that large.
  void count_frame(std::string_view type, Compressed compressed) const;

 private:
  friend class MiddlewareChains;
  static bool concerns(const ChainLink& link, std::string_view type, std::string_view agent);
  std::vector<ChainLink> links_;
  struct Zstd {
    const MiddlewareSpec* spec;
    StepCounters* counters;
  };
  std::vector<Zstd> zstd_;
};

/// Of one subscription. Thread: run() from any.
class DispatchChain {
 public:
  /// What an event met, for count(): bits by the place of the link.
  struct Passage {
    DispatchVerdict verdict{};
    std::uint64_t seen = 0;
    std::uint64_t changed = 0;
    std::size_t decided = 0;  ///< the link whose verdict it is
  };
  Passage run(DispatchedEvent& event) const;
  void count(const Passage& passage) const;
  const std::string& agent() const { return agent_; }

 private:
  friend class MiddlewareChains;
  std::string agent_;
  std::vector<ChainLink> links_;
  bool is_gate_ = false;
};

/// What the steps made of the event of `task` instead of handing it over; nothing: `event`, which they may have changed,
/// is for the handler. `passage` is for DispatchChain::count().
std::optional<Outcome> gone_through(const DispatchChain& steps, const Task& task, EventPtr& event, Now now,
                                    DispatchChain::Passage& passage);
/// The same, counted.
std::optional<Outcome> gone_through(const DispatchChain& steps, const Task& task, EventPtr& event, Now now);

/// The steps as they were asked for, and what they did. Outlives the chains.
class MiddlewareChains {
 public:
  MiddlewareChains(std::vector<MiddlewareSpec> specs, SchemaHooks hooks);

  /// Null where there is nothing to do.
  std::unique_ptr<PublishChain> for_publish();
  /// With steps of its own, which remember for this subscription only. Null as above.
  std::unique_ptr<DispatchChain> for_subscription(std::string_view agent, Priority tier);

  std::vector<StepFigures> figures() const;

 private:
  ChainLink make_link(std::size_t index);
  std::vector<MiddlewareSpec> specs_;
  SchemaHooks hooks_;
  std::deque<StepCounters> counters_;  // by spec; they do not move
};

}  // namespace legion
