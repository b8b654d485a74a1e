// What the writing half of a store and its readers, on other threads, know of each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <legion/spool/store.hpp>

namespace legion::spool {

/// Written by the writing half, read by anybody. The figures are each right, not all of one moment.
class SharedFigures {
 public:
  ~SharedFigures();

  std::atomic<std::uint64_t> frames{0}, events{0}, blocks{0}, quarantined{0}, bytes_on_disk{0}, commits{0};
  std::atomic<std::int64_t> last_commit_ns{0};
  std::atomic<CommitNumber> next_commit{1};
  std::atomic<std::uint64_t> dead_letters{0}, stale_cursors{0};
  static constexpr std::int64_t no_time = std::numeric_limits<std::int64_t>::min();
  std::atomic<std::int64_t> oldest{no_time}, newest{no_time};
  std::atomic<int> long_readers{0};  ///< that hold a read transaction for long: a backup

  StoreFigures get() const;

  /// Why nothing is written any more; the first reason stays.
  void freeze(const std::string& reason);
  const std::string* frozen() const { return frozen_.load(std::memory_order_acquire); }

  /// A reader found a block damaged; the writing half quarantines it.
  void report_damage(CommitNumber block);
  std::vector<CommitNumber> take_damaged();

 private:
  struct Report {
    CommitNumber block = 0;
    Report* next = nullptr;
  };
  std::atomic<const std::string*> frozen_{nullptr};
  std::atomic<Report*> reports_{nullptr};
};

/// Shared because readers may outlive the store.
using SharedFiguresPtr = std::shared_ptr<SharedFigures>;

}  // namespace legion::spool
