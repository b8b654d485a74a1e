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

namespace legion::sim {

struct DiskSettings {
  Duration sync_min = 200us;  ///< what an fsync takes, drawn evenly
  Duration sync_max = 2ms;
  /// Of a hundred fsyncs so many take `slow_sync`.
  unsigned slow_percent = 0;
  Duration slow_sync = 300ms;
  enum class Trouble : std::uint8_t { None, Full, Broken } trouble = Trouble::None;  ///< writes answer ENOSPC or EIO
};

struct DiskFigures {
  std::uint64_t syncs = 0;
  std::uint64_t slow_syncs = 0;
  std::uint64_t failed_writes = 0;
  std::uint64_t unsynced_lost = 0;   ///< records that were written and not synced when their process ended
  std::uint64_t blocks_damaged = 0;
  std::uint64_t frames_damaged = 0;
  std::uint64_t files_torn = 0;
};

/// Ownership: outlives all processes of its host. Thread: the kernel's.
///
/// Of a store the records of one append become durable all at once, at a moment between the append's beginning and its
/// end, as in one transaction; a process that is killed before loses them, one that is killed behind has them and has
/// told nobody. Files of the state directory are real ones, in a folder of their own for each life.
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

  /// The folder of the next life, with what the last one left. Killed: all it wrote. PowerCut: what was renamed into its
  /// place is there or is not, and a file that is mapped into memory may be torn.
  enum class End : std::uint8_t { Killed, PowerCut };
  std::filesystem::path begin_life(End end_of_last);
  /// A new disk: nothing is left, and the store gets another id.
  void lose_everything();
  /// Some block of the store is damaged and set aside. False: there is none.
  bool damage_block();

  const DiskFigures& figures() const { return figures_; }

 private:
  friend class SimStore;

  std::filesystem::path folder_;
  Rng rng_;
  DiskFigures figures_;
  std::shared_ptr<MemoryStore> contents_;
  std::uint64_t lives_ = 0;
  std::uint64_t stores_ = 0;
};

}  // namespace legion::sim
