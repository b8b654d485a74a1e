#include <legion/runtime/spool_readers.hpp>

#include <utility>

#include <legion/base/threads.hpp>
#include <legion/transport/thread_without_signals.hpp>

namespace legion {

SpoolReaders::Done::Done(std::string to, std::uint64_t id, Result<SpoolAnswer> answer) : peer(std::move(to)) {
  if (answer) {
    head = encode_spool_answer(id, *answer);
    body = std::move(answer->body);
  } else {
    outcome = Outcome::Refused;
    head = encode_spool_error(id, answer.error());
  }
}

Result<std::unique_ptr<SpoolReaders>> SpoolReaders::start(Store& store, Options options, std::function<void()> wake) {
  auto readers = std::unique_ptr<SpoolReaders>(new SpoolReaders(options, std::move(wake)));
  for (std::size_t i = 0; i < options.threads; ++i) {
    auto reader = store.open_reader();
    if (!reader) return std::unexpected(reader.error());
    readers->readers_.push_back(std::move(*reader));
  }
  for (const auto& reader : readers->readers_) {
    readers->threads_.push_back(
        transport::start_thread_without_signals([pool = readers.get(), at = reader.get()] { pool->run(*at); }));
  }
  return readers;
}

SpoolReaders::~SpoolReaders() { stop(); }

void SpoolReaders::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

Result<void> SpoolReaders::submit(const std::string& peer, std::uint64_t id, Work work, Limits limits) {
  {
    const std::lock_guard lock(mutex_);
    const bool limited = limits == Limits::Respected;
    if (limited && waiting_ >= options_.waiting_max) {
      return fail(ErrorCode::WouldBlock, "too many queries wait at this spool");
    }
    auto& of_peer = of_peer_[peer];
    if (limited && of_peer >= options_.per_peer_max) {
      return fail(ErrorCode::WouldBlock, "at most " + std::to_string(options_.per_peer_max) + " queries at once");
    }
    ++of_peer;
    ++waiting_;
    jobs_.push_back({peer, id, std::move(work)});
  }
  changed_.notify_one();
  return {};
}

std::vector<SpoolReaders::Done> SpoolReaders::take_done() {
  const std::lock_guard lock(mutex_);
  waiting_ -= done_.size();
  for (const Done& one : done_) {
    const auto found = of_peer_.find(one.peer);
    if (--found->second == 0) of_peer_.erase(found);
  }
  return std::exchange(done_, {});
}

std::size_t SpoolReaders::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

void SpoolReaders::run(StoreReader& reader) {
  name_this_thread("spool-reader");
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    Done done(std::move(job.peer), job.id, job.work(reader));
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(done));
    }
    wake_();
  }
}

Result<void> SpoolLongJobs::start(const std::string& peer, std::uint64_t id, std::string name, Work work) {
  if (!name_.empty()) return fail(ErrorCode::WouldBlock, "a " + name_ + " is running; one at a time");
  if (thread_.joinable()) thread_.join();
  name_ = std::move(name);
  thread_ = transport::start_thread_without_signals([this, peer, id, work = std::move(work)] {
    name_this_thread("spool-job");
    SpoolReaders::Done done(peer, id, work([this] {
                              const std::lock_guard lock(mutex_);
                              return cancelled_;
                            }));
    {
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(done));
    }
    wake_();
  });
  return {};
}

std::vector<SpoolReaders::Done> SpoolLongJobs::take_done() {
  std::vector<SpoolReaders::Done> done;
  {
    const std::lock_guard lock(mutex_);
    done = std::exchange(done_, {});
  }
  if (!done.empty()) name_.clear();
  return done;
}

void SpoolLongJobs::stop() {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace legion
