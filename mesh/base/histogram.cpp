#include <legion/base/histogram.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace legion {

// Below 2^sub_bits every value has a bucket of its own; above, the bits behind the leading one pick one of 32.
std::size_t LatencyHistogram::bucket_of(std::uint64_t ns) {
  if (ns < (1u << sub_bits)) return static_cast<std::size_t>(ns);
  const auto exponent = static_cast<unsigned>(std::bit_width(ns)) - 1;
  if (exponent >= top_bit) return bucket_count - 1;
  const std::uint64_t sub = ns >> (exponent - sub_bits) & ((1u << sub_bits) - 1);
  return (static_cast<std::size_t>(exponent - sub_bits + 1) << sub_bits) + static_cast<std::size_t>(sub);
}

std::uint64_t LatencyHistogram::middle_of(std::size_t bucket) {
  if (bucket < (1u << sub_bits)) return bucket;
  const unsigned shift = static_cast<unsigned>(bucket >> sub_bits) - 1;
  const std::uint64_t low = ((1ull << sub_bits) | (bucket & ((1u << sub_bits) - 1))) << shift;
  return low + ((1ull << shift) >> 1);
}

void LatencyHistogram::record(Duration value) {
  const Duration counted = std::max(value, Duration::zero());
  ++buckets_[bucket_of(static_cast<std::uint64_t>(counted.count()))];
  ++count_;
  sum_ns_ += static_cast<double>(counted.count());
  max_ = std::max(max_, counted);
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ = std::max(max_, other.max_);
}

Duration LatencyHistogram::percentile(double percent) const {
  if (count_ == 0) return Duration::zero();
  const double wanted = std::ceil(std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(count_));
  const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  if (rank == count_) return max_;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(Duration{static_cast<std::int64_t>(middle_of(i))}, max_);
  }
  return max_;
}

Duration LatencyHistogram::mean() const {
  if (count_ == 0) return Duration::zero();
  return Duration{static_cast<std::int64_t>(sum_ns_ / static_cast<double>(count_))};
}

}  // namespace legion
