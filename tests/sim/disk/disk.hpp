// The disk of a simulated host: what outlives its processes, and what can go wrong with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <legion/base/rng.hpp>
#include <legion/spool/memory_store.hpp>
#include <legion/spool/store.hpp>

#include "kernel.hpp"
#include "unsynced.hpp"

namespace legion::sim {

struct DiskSettings {
  Duration sync_min = 200us;  ///< what an fsync takes, drawn evenly
  Duration sync_max = 2ms;
  /// Of a hundred fsyncs so many take `slow_sync`.
  unsigned slow_percent = 0;
  Duration slow_sync = 300ms;
  /// Of a hundred writes to files so many take only a part of what they are given, and say so.
  unsigned short_percent = 0;
  enum class Trouble : std::uint8_t { None, Full, Broken } trouble = Trouble::None;  ///< writes answer ENOSPC or EIO
  /// What trouble hits. A node whose state directory cannot be written ends, and stays away until somebody starts it.
  enum class Hits : std::uint8_t { Everything, StoreOnly } hits = Hits::Everything;
};

struct DiskFigures {
  std::uint64_t syncs = 0;
  std::uint64_t slow_syncs = 0;
  std::uint64_t failed_writes = 0;
  std::uint64_t unsynced_lost = 0;  ///< records that were written and not synced when their process ended
  std::uint64_t blocks_damaged = 0;
  std::uint64_t frames_damaged = 0;
  std::uint64_t files_torn = 0;
  std::uint64_t short_writes = 0;
};

/// Ownership: outlives all processes of its host. Thread: the kernel's.
///
/// Of a store the records of one append become durable all at once, at a moment between the append's beginning and its
/// end, as in one transaction; a process that is killed before loses them, one that is killed behind has them and has
/// told nobody. Files (of the state directory, and a store of SQLite's) are real ones, in a folder of their own for
/// each life: what was written and not synced is there after a kill, and there, gone or torn after a power cut.
class Disk {
 public:
  /// `folder` is empty, and removed by whoever made it.
  Disk(std::filesystem::path folder, std::uint64_t seed);

  DiskSettings settings;

  /// For SpoolOptions::open_store, inside the process.
  Result<std::unique_ptr<Store>> open_store();
  /// What is durable; null before the first open_store().
  const MemoryStore* contents() const { return contents_.get(); }
  MemoryStore* contents() { return contents_.get(); }

  /// The folder of the next life, with what the last one left.
  enum class End : std::uint8_t { Killed, PowerCut };
  std::filesystem::path begin_life(End end_of_last);
  /// A new disk: nothing is left, and the store gets another id.
  void lose_everything();
  /// Some block of the store is damaged and set aside. False: there is none.
  bool damage_block();

  const DiskFigures& figures() const { return figures_; }

  /// For real files, SQLite's among them: what their writes and fsyncs cost and come to. 0, or an errno.
  int before_write();
  /// How many of these bytes a write takes: at least one.
  std::uint64_t taken_of(std::uint64_t bytes);
  int sync();
  Unsynced& unsynced() { return unsynced_; }
  bool has(const std::filesystem::path& path) const;

 private:
  friend class SimStore;

  Duration draw_sync();

  std::filesystem::path folder_;
  Rng rng_;
  Rng short_rng_;  // of its own, so that short writes move nothing else
  DiskFigures figures_;
  std::shared_ptr<MemoryStore> contents_;
  Unsynced unsynced_;
  std::uint64_t lives_ = 0;
  std::uint64_t stores_ = 0;
};

}  // namespace legion::sim
