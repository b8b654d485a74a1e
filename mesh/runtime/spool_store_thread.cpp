#include <legion/runtime/spool_store_thread.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

#include <legion/base/overloaded.hpp>
#include <legion/base/planted.hpp>
#include <legion/base/threads.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/transport/thread_without_signals.hpp>

namespace legion {

namespace {

constexpr Duration figures_every = 50ms;  // they may cost a look at the file system

}  // namespace

/// What goes into one transaction, and what is written behind it.
struct SpoolStoreThread::Batch {
  std::vector<JournalRecord> records;
  std::size_t bytes = 0;
  std::vector<store_news::Committed> through;            // of each journal the last position
  std::vector<store_command::SetReleased> released;      // the last one of each journal and number

  void add(JournalRecord record) {
    const auto same = [&](const auto& one) { return one.journal == record.journal && one.origin == record.origin; };
    auto found = std::ranges::find_if(through, same);
    if (found == through.end()) found = through.insert(found, {record.origin, record.journal, 0});
    found->through = std::max(found->through, record.last);
    bytes += record.frame ? record.frame->size() : 0;
    records.push_back(std::move(record));
  }
  void add(store_command::SetReleased command) {
    const auto same = [&](const auto& one) {
      return one.journal == command.journal && one.spools == command.spools && one.origin == command.origin;
    };
    const auto found = std::ranges::find_if(released, same);
    if (found == released.end()) return released.push_back(std::move(command));
    found->through = std::max(found->through, command.through);
  }
};

SpoolStoreThread::SpoolStoreThread(Store& store, Options options, std::function<void()> wake, LogSink log)
    : store_(store), options_(std::move(options)), wake_(std::move(wake)), log_(std::move(log)) {
  figures_.store = store_.figures();
  quarantined_ = figures_.store.quarantined;
  thread_ = transport::start_thread_without_signals([this] { run(); });
}

SpoolStoreThread::~SpoolStoreThread() { finish(); }

void SpoolStoreThread::submit(std::vector<StoreCommand> commands) {
  if (commands.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (commands_.empty()) {
      commands_ = std::move(commands);
    } else {
      std::ranges::move(commands, std::back_inserter(commands_));
    }
  }
  changed_.notify_one();
}

std::vector<StoreNews> SpoolStoreThread::take_news() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

void SpoolStoreThread::finish() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

SpoolStoreThread::Figures SpoolStoreThread::figures() const {
  const std::lock_guard lock(mutex_);
  Figures figures = figures_;
  figures.commit_p50 = commits_.percentile(50);
  figures.commit_p99 = commits_.percentile(99);
  return figures;
}

CommitNumber SpoolStoreThread::next_commit() const {
  const std::lock_guard lock(mutex_);
  return figures_.store.next_commit;
}

bool SpoolStoreThread::something_waits() const {
  const std::lock_guard lock(mutex_);
  return stopping_ || !commands_.empty();
}

void SpoolStoreThread::tell(std::vector<StoreNews> news) {
  if (news.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    std::ranges::move(news, std::back_inserter(news_));
  }
  wake_();
}

void SpoolStoreThread::run() {
  name_this_thread("spool-writer");
  maintain_at_ = read_steady_clock() + options_.maintain_every;
  for (;;) {
    auto commands = next_commands();
    if (!commands.empty()) {
      carry_out(std::move(commands));
      const bool due = commits_since_piece_ >= options_.commits_between_pieces && more_to_maintain_;
      if (due) maintain();
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ && commands_.empty()) break;
    }
    maintain();
  }
  refresh_figures();
}

std::vector<StoreCommand> SpoolStoreThread::next_commands() {
  if (figures_stale_ && !something_waits()) refresh_figures();
  const SteadyTime now = read_steady_clock();
  const Duration until_due = std::max(Duration::zero(), maintain_at_ - now);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, until_due, [this] { return stopping_ || !commands_.empty(); });
  return std::exchange(commands_, {});
}

// In order: records gather until something else stands between them, or until they are enough for a transaction.
void SpoolStoreThread::carry_out(std::vector<StoreCommand> commands) {
  Batch batch;
  const Overloaded handle{
      [&](store_command::Append& command) {
        batch.add(std::move(command.record));
        if (batch.bytes >= options_.batch_bytes_max) commit(batch);
      },
      [&](store_command::SetReleased& command) { batch.add(std::move(command)); },
      [&](store_command::SetFloor& command) {
        commit(batch);
        if (!checked(store_.set_floor(command.origin, command.journal, command.through))) return;
        tell(states_of([&](const JournalState& state) {
          return state.journal == command.journal && state.origin == command.origin;
        }));
      },
      [&](store_command::SetFinal& command) {
        commit(batch);
        checked(store_.set_final(command.origin, command.confirmed, command.captured));
      },
      [&](store_command::Bind& command) {
        commit(batch);
        bind(std::move(command));
      },
      [&](store_command::Mark& command) {
        commit(batch);
        auto result = checked(store_.mark(command.name, read_wall_clock()));
        tell({store_news::Call{[done = std::move(command.on_done), result = std::move(result)] { done(result); }}});
      },
      [&](store_command::Adopt& command) {
        commit(batch);
        adopt(std::move(command));
      },
      [&](store_command::Look& command) {
        commit(batch);
        tell({store_news::Call{command.look(store_)}});
      },
  };
  for (StoreCommand& command : commands) std::visit(handle, command);
  commit(batch);
}

void SpoolStoreThread::commit(Batch& batch) {
  if (!batch.records.empty() && !frozen_) {
    const SteadyTime before = read_steady_clock();
    if (LEGION_PLANTED(AckBeforeFsync)) tell({batch.through.begin(), batch.through.end()});
    const auto done = checked(store_.append(batch.records, read_wall_clock()));
    const SteadyTime after = read_steady_clock();
    if (!done) freeze(done.error().message);  // records that are missing could never be confirmed
    if (done) {
      ++commits_since_piece_;
      more_to_maintain_ = true;
      figures_stale_ = true;
      {
        const std::lock_guard lock(mutex_);
        commits_.record(after - before);
        ++figures_.batches;
        figures_.batch_records_max = std::max<std::uint64_t>(figures_.batch_records_max, batch.records.size());
      }
      tell({std::make_move_iterator(batch.through.begin()), std::make_move_iterator(batch.through.end())});
      if (after - figures_at_ >= figures_every) refresh_figures();
    }
  }
  write_marks_of(batch);
  batch = {};
}

void SpoolStoreThread::write_marks_of(Batch& batch) {
  for (const auto& released : batch.released) {
    if (frozen_) return;
    checked(store_.set_released(released.origin, released.journal, released.spools, released.through));
  }
}

void SpoolStoreThread::bind(store_command::Bind command) {
  const auto bound = checked(store_.bind(command.origin, command.boot));
  Result<std::vector<JournalState>> states;
  if (bound) {
    states = store_.journals();
    std::erase_if(*states, [&](const JournalState& state) { return state.origin != command.origin; });
  } else {
    states = std::unexpected(bound.error());
  }
  tell({store_news::Call{[done = std::move(command.on_done), states = std::move(states)] { done(states); }}});
}

std::vector<StoreNews> SpoolStoreThread::states_of(const std::function<bool(const JournalState&)>& wanted) const {
  std::vector<StoreNews> news;
  for (JournalState& state : store_.journals()) {
    if (wanted(state)) news.push_back(store_news::Stored{std::move(state)});
  }
  return news;
}

void SpoolStoreThread::adopt(store_command::Adopt command) {
  auto result = checked(store_.append(command.records, read_wall_clock()));
  std::vector<StoreNews> news;
  if (result && !command.records.empty()) {
    figures_stale_ = true;
    more_to_maintain_ = true;
    news = states_of([&](const JournalState& state) {
      return std::ranges::any_of(command.records, [&](const JournalRecord& record) {
        return record.journal == state.journal && record.origin == state.origin;
      });
    });
  }
  news.push_back(store_news::Call{[done = std::move(command.on_done), result = std::move(result)] { done(result); }});
  tell(std::move(news));
}

void SpoolStoreThread::maintain() {
  commits_since_piece_ = 0;
  if (!frozen_) {
    const auto more = store_.maintain(read_wall_clock(), options_.retention);
    checked(more ? Result<void>() : std::unexpected(more.error()));
    if (!more && !frozen_) log_(LogLevel::Warn, "spool: housekeeping: " + more.error().message);
    more_to_maintain_ = more.value_or(false);
    figures_stale_ = true;
    look_for_losses();
  }
  const bool at_once = more_to_maintain_ && !frozen_;
  maintain_at_ = read_steady_clock() + (at_once ? Duration::zero() : options_.maintain_every);
}

void SpoolStoreThread::look_for_losses() {
  const std::uint64_t before = std::exchange(quarantined_, store_.figures().quarantined);
  if (quarantined_ <= before) return;
  log_(LogLevel::Error, "spool: " + std::to_string(quarantined_ - before) +
                            " damaged blocks are set aside; what they held is asked for again");
  tell({store_news::Lost{}});
}

// Whatever went wrong, the store knows whether it goes on.
Result<void> SpoolStoreThread::checked(Result<void> result) {
  if (result) return result;
  if (const auto reason = store_.frozen()) freeze(*reason);
  return result;
}

void SpoolStoreThread::freeze(const std::string& reason) {
  if (std::exchange(frozen_, true)) return;
  log_(LogLevel::Error, "spool: nothing is confirmed any more until the node is restarted: " + reason);
  tell({store_news::Frozen{reason}});
}

void SpoolStoreThread::refresh_figures() {
  auto figures = store_.figures();
  figures_stale_ = false;
  figures_at_ = read_steady_clock();
  const std::lock_guard lock(mutex_);
  figures_.store = std::move(figures);
}

}  // namespace legion
