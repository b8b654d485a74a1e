#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <legion/agents/feed_pacer.hpp>
#include <legion/agents/feed_source.hpp>
#include <legion/base/log_limiter.hpp>
#include <legion/event/priority.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

struct FeedOptions {
  enum class Repeat : std::uint8_t { No, Yes };

  std::string type = "market.data_received";
  FeedPacing pacing{};
  std::optional<std::uint64_t> count{};  ///< events in all
  Repeat repeat = Repeat::No;           ///< begin again at the end of the source
  Duration start_after{0};              ///< once the mesh is there
  std::uint32_t wait_for_nodes = 1;     ///< alive members, this one included
  Fields constants{};                   ///< added to the data of each event
  std::optional<std::string> key{};     ///< the column or constant that becomes the event key
  std::optional<Priority> priority{};   ///< absent: by the policy of the type
};

/// Publishes the rows of a source as events.
///
/// Thread: one of its own. Order: that of the rows. Errors: a defective row costs that row ("bad_rows"); would_block
/// ("would_block") is waited out with the same row, so a feed never loses its own; other refusals cost that row
/// ("refused").
class FeedAgent final : public Agent {
 public:
  FeedAgent(FeedOptions options, std::unique_ptr<FeedSource> source);
  ~FeedAgent() override;

  void start(AgentServices& services) override;
  std::optional<Outcome> deliver(const Delivery& delivery) override;
  void stop(Duration grace) override;

 private:
  enum class Go : std::uint8_t { On, End };

  void run();
  Go wait_for_mesh();
  Go run_pass();
  Go publish_row(const FeedRow& row);
  Go publish_patiently(const Event& event);
  Go wait(Duration duration);
  Event event_of(const FeedRow& row) const;
  void report(std::string_view counter, std::string_view text);
  void tell_progress(SteadyTime now);
  bool reached_count() const { return options_.count && published_ >= *options_.count; }

  const FeedOptions options_;
  std::unique_ptr<FeedSource> source_;
  AgentServices* services_ = nullptr;
  FeedPacer pacer_;
  LogLimiter reported_;
  std::uint64_t published_ = 0;
  std::uint64_t rows_of_pass_ = 0;
  SteadyTime next_progress_{};
  std::string failure_;  // what ended it before its end

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace legion
