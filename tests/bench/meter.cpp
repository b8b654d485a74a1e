#include "meter.hpp"

#include <unistd.h>

#include <chrono>
#include <string>

namespace legion::bench {

namespace {

/// A single writer at a time needs no read-modify-write.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

void stay_busy(SteadyTime since, Duration length) {
  while (steady_now() - since < length) {
  }
}

}  // namespace

SteadyTime steady_now() { return {std::chrono::steady_clock::now().time_since_epoch().count()}; }

void say(const nlohmann::json& line) {
  const std::string text = line.dump() + "\n";
  // Short enough for a pipe to take it at once; a reader that has gone ends this process by the end of its input.
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
}

Meter::Meter(const MeterSpec& spec, std::size_t index) : timing_(spec.timing), work_(spec.work_ns), index_(index) {
  for (const std::uint8_t flow : spec.flows) unheard_ |= 1u << flow;
}

void Meter::on_arrival(const Payload& payload) {
  if (payload.number == warm_up_number) return on_warm_up(payload.flow);
  const std::uint64_t delivered = delivered_.load(std::memory_order_relaxed) + 1;
  if (timing_ == Timing::Latency) {
    const SteadyTime now = steady_now();
    const std::lock_guard lock(mutex_);
    latency_.record(now - payload.sent);
    mark(delivered, now);
  } else if (delivered % clock_every == 1) {
    const std::lock_guard lock(mutex_);
    mark(delivered, steady_now());
  }
  add(checksum_, payload.number + static_cast<std::uint64_t>(payload.price + payload.size) + payload.text_bytes);
  if (work_ > Duration{0}) stay_busy(steady_now(), work_);
  delivered_.store(delivered, std::memory_order_relaxed);
}

void Meter::on_warm_up(std::uint8_t flow) {
  if (unheard_ == 0) return;
  unheard_ &= ~(1u << flow);
  if (unheard_ == 0) say({{"heard", index_}});
}

void Meter::mark(std::uint64_t delivered, SteadyTime now) {
  if (first_count_ == 0) {
    first_count_ = delivered;
    first_ = now;
  }
  last_count_ = delivered;
  last_ = now;
}

nlohmann::json Meter::report() const {
  const std::lock_guard lock(mutex_);
  const double seconds = std::chrono::duration<double>(last_ - first_).count();
  return {
      {"delivered", delivered_.load(std::memory_order_relaxed)},
      {"per_s", seconds > 0 ? static_cast<double>(last_count_ - first_count_) / seconds : 0.0},
      {"p50_ns", latency_.percentile(50).count()},
      {"p99_ns", latency_.percentile(99).count()},
      {"max_ns", latency_.max().count()},
  };
}

Meters::Meters(const std::vector<MeterSpec>& specs) {
  for (const MeterSpec& spec : specs) {
    meters_.push_back(std::make_unique<Meter>(spec, meters_.size()));
    for (const std::uint8_t flow : spec.flows) of_flow_.at(flow) = meters_.back().get();
  }
}

void Meters::on_arrival(BytesView data) {
  const auto payload = read_payload(data);
  Meter* meter = payload ? of_flow_[payload->flow] : nullptr;
  if (meter == nullptr) {
    bad_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  meter->on_arrival(*payload);
}

nlohmann::json Meters::report() const {
  nlohmann::json reports = nlohmann::json::array();
  for (const auto& meter : meters_) reports.push_back(meter->report());
  return {{"meters", reports}, {"bad", bad_.load(std::memory_order_relaxed)}};
}

}  // namespace legion::bench
