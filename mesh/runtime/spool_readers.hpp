// The threads that answer the questions of a spool's store.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/spool/store.hpp>

namespace legion {

/// Answers one of the questions about what is stored: scan, at, find, marks, stream, journal, tails, cursors, cursor,
/// attempts, letters. Errors: NotFound (no such method), BadData and InvalidArgument (params), TooBig (the answer), and
/// the store's.
Result<SpoolAnswer> answer_spool_query(StoreReader& reader, const StoreId& store, std::string_view method,
                                       BytesView params);
/// answer_spool_query() knows it.
bool is_reader_query(std::string_view method);

/// Thread: submit() and take_done() from the loop; each of the threads has a reader of its own. Order: none between
/// queries. Bounds: `waiting_max` queries in all and `per_peer_max` of one peer, running ones and answers not yet taken
/// included.
class SpoolReaders {
 public:
  struct Options {
    std::size_t threads = 2;
    std::size_t waiting_max = 64;
    std::size_t per_peer_max = spool_questions_per_peer_max;
  };
  using Work = std::function<Result<SpoolAnswer>(StoreReader&)>;
  /// An answer, ready to be sent.
  struct Done {
    enum class Outcome : std::uint8_t { Answered, Refused } outcome = Outcome::Answered;
    std::string peer;
    Bytes head;
    std::shared_ptr<const Bytes> body;  ///< shared with ZeroMQ, which sends it without copying
    Done(std::string to, std::uint64_t id, Result<SpoolAnswer> answer);
  };

  /// `wake` is called from the threads whenever something is done. The store outlives them. Errors: the store's.
  static Result<std::unique_ptr<SpoolReaders>> start(Store& store, Options options, std::function<void()> wake);
  ~SpoolReaders();

  enum class Limits : std::uint8_t { Respected, Ignored };
  /// Errors: WouldBlock, and the work is not taken.
  Result<void> submit(const std::string& peer, std::uint64_t id, Work work, Limits limits = Limits::Respected);
  std::vector<Done> take_done();
  /// Ends the threads; what waits is dropped. Idempotent.
  void stop();
  std::size_t waiting() const;

 private:
  struct Job {
    std::string peer;
    std::uint64_t id = 0;
    Work work;
  };
  SpoolReaders(Options options, std::function<void()> wake) : options_(options), wake_(std::move(wake)) {}
  void run(StoreReader& reader);

  const Options options_;
  const std::function<void()> wake_;

  mutable std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<Done> done_;
  std::map<std::string, std::size_t, std::less<>> of_peer_;
  std::size_t waiting_ = 0;  // not yet taken
  bool stopping_ = false;

  std::vector<std::unique_ptr<StoreReader>> readers_;
  std::vector<std::thread> threads_;
};

/// Runs what takes minutes, one at a time, on a thread of its own: verify and backup.
/// Thread: the loop, but for `cancelled`, which the work asks from its thread.
class SpoolLongJobs {
 public:
  using Cancelled = std::function<bool()>;
  using Work = std::function<Result<SpoolAnswer>(const Cancelled&)>;
  explicit SpoolLongJobs(std::function<void()> wake) : wake_(std::move(wake)) {}
  ~SpoolLongJobs() { stop(); }
  SpoolLongJobs(const SpoolLongJobs&) = delete;
  SpoolLongJobs& operator=(const SpoolLongJobs&) = delete;

  /// Errors: WouldBlock naming the one that runs.
  Result<void> start(const std::string& peer, std::uint64_t id, std::string name, Work work);
  std::vector<SpoolReaders::Done> take_done();
  /// Waits for the one that runs, which is told that it is cancelled. Idempotent.
  void stop();
  const std::string& running() const { return name_; }

 private:
  const std::function<void()> wake_;
  std::string name_;  // empty: none
  std::thread thread_;

  std::mutex mutex_;  // over what follows
  std::vector<SpoolReaders::Done> done_;
  bool cancelled_ = false;
};

}  // namespace legion
