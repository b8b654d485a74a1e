#include <legion/spool/shared_figures.hpp>

#include <algorithm>

namespace legion::spool {

SharedFigures::~SharedFigures() {
  delete frozen_.load();
  take_damaged();
}

StoreFigures SharedFigures::get() const {
  StoreFigures out;
  out.frames = frames;
  out.events = events;
  out.blocks = blocks;
  out.quarantined = quarantined;
  out.bytes_on_disk = bytes_on_disk;
  out.commits = commits;
  out.last_commit = Duration{last_commit_ns};
  out.next_commit = next_commit;
  out.dead_letters = dead_letters;
  out.stale_cursors = stale_cursors;
  if (const std::int64_t time = oldest; time != no_time) out.oldest = WallTime{time};
  if (const std::int64_t time = newest; time != no_time) out.newest = WallTime{time};
  return out;
}

void SharedFigures::freeze(const std::string& reason) {
  auto mine = std::make_unique<const std::string>(reason);
  const std::string* none = nullptr;
  if (frozen_.compare_exchange_strong(none, mine.get(), std::memory_order_acq_rel)) mine.release();
}

void SharedFigures::report_damage(CommitNumber block) {
  auto* report = new Report{block, reports_.load(std::memory_order_relaxed)};
  while (!reports_.compare_exchange_weak(report->next, report, std::memory_order_release,
                                         std::memory_order_relaxed)) {
  }
}

std::vector<CommitNumber> SharedFigures::take_damaged() {
  std::vector<CommitNumber> out;
  Report* report = reports_.exchange(nullptr, std::memory_order_acquire);
  while (report != nullptr) {
    const std::unique_ptr<Report> owned(report);
    out.push_back(report->block);
    report = report->next;
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace legion::spool
