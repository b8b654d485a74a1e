// The one writer of a spool's store.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <legion/base/histogram.hpp>
#include <legion/base/log.hpp>
#include <legion/base/time.hpp>
#include <legion/spool/store.hpp>

namespace legion {

/// What the writer is asked to do. Functions named `on_*` are not called by it: they come back to the loop.
namespace store_command {
struct Append {
  JournalRecord record;
};
/// Records of another spool. Not in a transaction with Append: both may be of one journal, in any order.
struct Adopt {
  std::vector<JournalRecord> records;
  std::function<void(Result<void>)> on_done;
};
struct SetReleased {
  Origin origin;
  JournalKind journal{};
  std::uint8_t spools = 1;
  Position through = 0;
};
/// Answered with what the store has of this journal then.
struct SetFloor {
  Origin origin;
  JournalKind journal{};
  Position through = 0;
};
struct SetFinal {
  Origin origin;
  Position confirmed = 0, captured = 0;
};
/// Answered with what the store has of this origin's journals.
struct Bind {
  Origin origin;
  BootId boot;
  std::function<void(Result<std::vector<JournalState>>)> on_done;
};
struct Mark {
  std::string name;
  std::function<void(Result<void>)> on_done;
};
/// Looks at the writing half and answers with what the loop has to do then.
struct Look {
  std::function<std::function<void()>(const Store&)> look;
};
}  // namespace store_command
using StoreCommand =
    std::variant<store_command::Append, store_command::Adopt, store_command::SetReleased, store_command::SetFloor,
                 store_command::SetFinal, store_command::Bind, store_command::Mark, store_command::Look>;

/// What the writer tells the loop, in order.
namespace store_news {
/// Everything of this journal that was given to Append up to here is durable.
struct Committed {
  Origin origin;
  JournalKind journal{};
  Position through = 0;
};
/// Adopted records are durable: this is what the store has of a journal they belong to.
struct Stored {
  JournalState state;
};
struct Frozen {
  std::string reason;
};
/// A damaged block was set aside: the store no longer has what it said.
struct Lost {};
struct Call {
  std::function<void()> run;
};
}  // namespace store_news
using StoreNews =
    std::variant<store_news::Committed, store_news::Stored, store_news::Frozen, store_news::Lost, store_news::Call>;

/// Group commit: whatever is submitted while one transaction runs forms the next, up to `batch_bytes_max` of frames.
///
/// Thread: one of its own, which alone uses the writing half of the store; submit(), take_news() and finish() from the
/// loop, figures from any. Order: as submitted; what an origin released is written behind the records submitted with
/// it. Bounds: the queue is bounded by whoever submits (the inlet's windows). Housekeeping comes in pieces while
/// nothing waits, and a piece after every `commits_between_pieces` transactions otherwise. Errors: after an append that
/// failed, and after whatever else froze the store, no record is written any more; Frozen is told once.
class SpoolStoreThread {
 public:
  struct Options {
    RetentionPolicy retention{};
    std::size_t batch_bytes_max = 16u << 20;
    std::uint64_t commits_between_pieces = 64;
    Duration maintain_every = 1s;  ///< when the last piece said that nothing waits
  };
  struct Figures {
    StoreFigures store;
    std::uint64_t batches = 0;
    std::uint64_t batch_records_max = 0;
    Duration commit_p50{}, commit_p99{};
  };

  /// `wake` is called from the writer's thread whenever there is news. The store outlives the thread.
  SpoolStoreThread(Store& store, Options options, std::function<void()> wake, LogSink log);
  ~SpoolStoreThread();
  SpoolStoreThread(const SpoolStoreThread&) = delete;
  SpoolStoreThread& operator=(const SpoolStoreThread&) = delete;

  void submit(std::vector<StoreCommand> commands);
  std::vector<StoreNews> take_news();
  /// Carries out what was submitted and ends the thread; its news can still be taken. Idempotent.
  void finish();

  Figures figures() const;
  /// One of the figures, without the rest: asked for all the time.
  CommitNumber next_commit() const;

 private:
  struct Batch;

  void run();
  /// Waits for commands; empty: it is time for housekeeping, or the end.
  std::vector<StoreCommand> next_commands();
  void carry_out(std::vector<StoreCommand> commands);
  void commit(Batch& batch);
  void write_marks_of(Batch& batch);
  void bind(store_command::Bind command);
  std::vector<StoreNews> states_of(const std::function<bool(const JournalState&)>& wanted) const;
  void adopt(store_command::Adopt command);
  void maintain();
  void look_for_losses();
  Result<void> checked(Result<void> result);
  void freeze(const std::string& reason);
  void refresh_figures();
  bool something_waits() const;
  void tell(std::vector<StoreNews> news);

  Store& store_;
  const Options options_;
  const std::function<void()> wake_;
  const LogSink log_;

  // The writer's own.
  bool frozen_ = false;
  bool more_to_maintain_ = true;
  std::uint64_t commits_since_piece_ = 0;
  std::uint64_t quarantined_ = 0;  // damaged blocks the loop knows of
  SteadyTime maintain_at_;
  SteadyTime figures_at_;
  bool figures_stale_ = false;

  mutable std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::vector<StoreCommand> commands_;
  std::vector<StoreNews> news_;
  Figures figures_;
  LatencyHistogram commits_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace legion
