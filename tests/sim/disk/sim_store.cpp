#include "sim_store.hpp"

namespace legion::sim {

Result<void> SimStore::freeze() {
  ++disk_.figures_.failed_writes;
  frozen_ = disk_.settings.trouble == DiskSettings::Trouble::Full ? "no space left on device" : "input/output error";
  return fail(ErrorCode::Io, *frozen_);
}

Result<void> SimStore::transact(std::uint64_t records, const std::function<Result<void>()>& write) {
  if (frozen_) return fail(ErrorCode::Io, *frozen_);
  if (disk_.settings.trouble != DiskSettings::Trouble::None) return freeze();
  const Duration takes = disk_.draw_sync();
  const Duration before = takes / 100 * static_cast<std::int64_t>(disk_.rng_.below(100));
  disk_.figures_.unsynced_lost += records;  // unless the process lives on
  Kernel::get().sleep(before + Duration{1});
  disk_.figures_.unsynced_lost -= records;
  // The disk fails in the middle as well.
  if (disk_.settings.trouble != DiskSettings::Trouble::None) return transact(records, write);
  auto done = write();
  Kernel::get().sleep(takes - before + Duration{1});
  return done;
}

Result<void> SimStore::append(std::span<const JournalRecord> records, WallTime now) {
  return transact(records.size(), [&] { return contents_->append(records, now); });
}

Result<void> SimStore::bind(const Origin& origin, const BootId& boot) {
  return transact(0, [&] { return contents_->bind(origin, boot); });
}

Result<void> SimStore::set_released(const Origin& origin, JournalKind journal, std::uint8_t spools, Position through) {
  if (frozen_) return fail(ErrorCode::Io, *frozen_);
  if (disk_.settings.trouble != DiskSettings::Trouble::None) return freeze();
  return contents_->set_released(origin, journal, spools, through);
}

Result<void> SimStore::set_final(const Origin& origin, Position confirmed, Position captured) {
  return transact(0, [&] { return contents_->set_final(origin, confirmed, captured); });
}

Result<void> SimStore::set_floor(const Origin& origin, JournalKind journal, Position through) {
  return transact(0, [&] { return contents_->set_floor(origin, journal, through); });
}

Result<void> SimStore::mark(const std::string& name, WallTime now) {
  return transact(0, [&] { return contents_->mark(name, now); });
}

Result<bool> SimStore::maintain(WallTime now, const RetentionPolicy& retention) {
  if (frozen_) return fail(ErrorCode::Io, *frozen_);
  if (disk_.settings.trouble != DiskSettings::Trouble::None) return false;  // nothing is trimmed
  return contents_->maintain(now, retention);
}

}  // namespace legion::sim
