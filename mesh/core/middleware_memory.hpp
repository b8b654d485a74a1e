// What steps remember, within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include <legion/base/time.hpp>

namespace legion {

/// The identities of the latest events. Bounds: `events_max` of them, none older than `age_max`.
/// Thread: the owner serialises calls; `now` does not go back.
class DuplicateWindow {
 public:
  DuplicateWindow(std::size_t events_max, Duration age_max) : events_max_(events_max), age_max_(age_max) {}

  enum class Seen : std::uint8_t {
    New,        ///< remembered from now on
    Same,       ///< this very delivery, again
    Duplicate,  ///< another one of the same identity
  };
  /// `delivery` tells deliveries of one identity apart.
  Seen note(SteadyTime now, std::uint64_t identity, std::uint64_t delivery);
  /// Whether it is remembered, whichever delivery it was.
  bool knows(std::uint64_t identity) const { return known_.contains(identity); }
  /// Of what note() called New and nobody got.
  void forget(std::uint64_t identity, std::uint64_t delivery);
  std::size_t size() const { return known_.size(); }

 private:
  struct Entry {
    std::uint64_t identity = 0;
    SteadyTime since{};
  };
  struct Known {
    std::uint64_t delivery = 0;
    std::list<Entry>::iterator entry{};
  };
  void drop_oldest();

  std::size_t events_max_;
  Duration age_max_;
  std::list<Entry> oldest_first_;
  std::unordered_map<std::uint64_t, Known> known_;  // by identity
};

/// Token buckets. Bounds: `buckets_max`; the one used longest ago makes room, and is full when it comes again.
/// Thread: as DuplicateWindow.
class TokenBuckets {
 public:
  TokenBuckets(double rate, double burst, std::size_t buckets_max)
      : rate_(rate), burst_(burst), buckets_max_(buckets_max) {}

  enum class Token : std::uint8_t { Taken, None };
  Token take(SteadyTime now, std::uint64_t bucket);
  /// One that was taken and not used.
  void give_back(std::uint64_t bucket);
  std::size_t size() const { return buckets_.size(); }

 private:
  struct Bucket {
    std::uint64_t number = 0;
    double tokens = 0;
    SteadyTime at{};
  };
  using Place = std::list<Bucket>::iterator;
  Bucket& find_or_add(SteadyTime now, std::uint64_t bucket);

  double rate_;
  double burst_;
  std::size_t buckets_max_;
  std::list<Bucket> latest_first_;
  std::unordered_map<std::uint64_t, Place> buckets_;
};

}  // namespace legion
