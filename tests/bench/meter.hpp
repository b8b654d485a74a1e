// What arrives at the handlers of one process.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <nlohmann/json.hpp>

#include <legion/base/bytes.hpp>
#include <legion/base/histogram.hpp>
#include <legion/base/time.hpp>

#include "payload.hpp"
#include "role_spec.hpp"

namespace legion::bench {

/// Both the throughput of a publisher and that of a meter look at the clock once in so many events.
inline constexpr std::uint64_t clock_every = 64;

SteadyTime steady_now();
/// One line of JSON on standard output, whole, from whichever thread.
void say(const nlohmann::json& line);

/// Counts one handler's arrivals, and works as long as the handler is to work.
/// Thread: on_arrival() from one at a time, whichever; report() from any. What it costs is the same for an event and
/// for a bare message, and for Timing::Count little: two relaxed stores.
class alignas(64) Meter {
 public:
  Meter(const MeterSpec& spec, std::size_t index);
  void on_arrival(const Payload& payload);
  /// {"delivered","per_s","p50_ns","p99_ns","max_ns"}
  nlohmann::json report() const;

 private:
  void on_warm_up(std::uint8_t flow);
  void mark(std::uint64_t delivered, SteadyTime now);

  const Timing timing_;
  const Duration work_;
  const std::size_t index_;
  std::uint32_t unheard_ = 0;  // a bit for each flow that has not been heard
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> checksum_{0};  // of everything read, so that no reading is optimised away
  mutable std::mutex mutex_;  // guards what follows; taken for every 64th arrival, or to measure latency
  std::uint64_t first_count_ = 0;
  std::uint64_t last_count_ = 0;
  SteadyTime first_;
  SteadyTime last_;
  LatencyHistogram latency_;
};

/// Every meter of a process. Thread: as Meter.
class Meters {
 public:
  explicit Meters(const std::vector<MeterSpec>& specs);
  /// Reads all fields and gives them to the meter of their flow.
  void on_arrival(BytesView data);
  /// {"meters":[..],"bad"}
  nlohmann::json report() const;

 private:
  std::vector<std::unique_ptr<Meter>> meters_;  // by pointer: a meter holds a mutex
  std::array<Meter*, flows_max> of_flow_{};
  std::atomic<std::uint64_t> bad_{0};
};

}  // namespace legion::bench
