// How long things took, in fixed memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <legion/base/time.hpp>

namespace legion {

/// Counts durations in log-linear buckets: 32 per power of two, so a percentile is off by at most 2 %.
///
/// Thread: none of its own; each thread keeps one and a reader merges copies.
/// Bounds: about 10 KiB whatever is recorded. Negative durations count as 0; above 2 h 26 min only max() stays exact.
class LatencyHistogram {
 public:
  void record(Duration value);
  void merge(const LatencyHistogram& other);
  void clear() { *this = LatencyHistogram{}; }

  /// The duration that `percent` (0..100) of the recorded ones do not exceed; zero when nothing was recorded.
  Duration percentile(double percent) const;
  std::uint64_t count() const { return count_; }
  Duration max() const { return max_; }
  /// Zero when nothing was recorded. Exact.
  Duration mean() const;

 private:
  static constexpr unsigned sub_bits = 5;
  static constexpr unsigned top_bit = 43;
  static constexpr std::size_t bucket_count = (top_bit - sub_bits + 1) << sub_bits;

  static std::size_t bucket_of(std::uint64_t ns);
  static std::uint64_t middle_of(std::size_t bucket);

  std::array<std::uint64_t, bucket_count> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
  Duration max_{0};
};

}  // namespace legion
