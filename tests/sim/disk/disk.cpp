#include "disk.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "sim_store.hpp"

namespace legion::sim {

namespace fs = std::filesystem;

Disk::Disk(fs::path folder, std::uint64_t seed) : folder_(std::move(folder)), rng_(seed), short_rng_(seed ^ 0x5403) {}

Result<std::unique_ptr<Store>> Disk::open_store() {
  Kernel::get().sleep(5ms);
  if (!contents_) {
    StoreId id;
    const std::uint64_t drawn[2] = {rng_.next(), rng_.next()};
    static_assert(sizeof drawn == sizeof id.bytes);
    std::memcpy(id.bytes.data(), drawn, sizeof drawn);
    contents_ = std::make_shared<MemoryStore>(id);
    ++stores_;
  }
  return std::make_unique<SimStore>(*this, contents_);
}

bool Disk::has(const fs::path& path) const { return path.native().starts_with(folder_.native()); }

Duration Disk::draw_sync() {
  const auto spread = static_cast<std::uint64_t>((settings.sync_max - settings.sync_min).count());
  Duration takes = settings.sync_min + Duration{static_cast<std::int64_t>(rng_.below(spread + 1))};
  if (rng_.below(100) < settings.slow_percent) {
    takes += settings.slow_sync;
    ++figures_.slow_syncs;
  }
  ++figures_.syncs;
  return takes;
}

int Disk::before_write() {
  if (settings.trouble == DiskSettings::Trouble::None || settings.hits == DiskSettings::Hits::StoreOnly) return 0;
  ++figures_.failed_writes;
  return settings.trouble == DiskSettings::Trouble::Full ? ENOSPC : EIO;
}

std::uint64_t Disk::taken_of(std::uint64_t bytes) {
  if (bytes < 2 || settings.short_percent == 0 || short_rng_.below(100) >= settings.short_percent) return bytes;
  ++figures_.short_writes;
  return 1 + short_rng_.below(bytes - 1);
}

int Disk::sync() {
  Kernel::get().sleep(draw_sync());
  if (settings.trouble != DiskSettings::Trouble::Broken || settings.hits == DiskSettings::Hits::StoreOnly) return 0;
  ++figures_.failed_writes;
  return EIO;
}

void Disk::lose_everything() {
  unsynced_.clear();
  contents_.reset();
  lives_ += 1;
  fs::remove_all(folder_ / std::to_string(lives_ - 1));
}

bool Disk::damage_block() {
  if (!contents_) return false;
  const std::uint64_t next = contents_->figures().next_commit;
  for (int attempt = 0; attempt < 4; ++attempt) {
    const std::size_t frames = contents_->damage(1 + rng_.below(next));
    if (frames == 0) continue;
    ++figures_.blocks_damaged;
    figures_.frames_damaged += frames;
    return true;
  }
  return false;
}

namespace {

/// Some of its pages are from before the power went, some never arrived.
void tear(const fs::path& file, Rng& rng) {
  std::ifstream in(file, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  in.close();
  for (std::size_t at = 0; at < content.size(); at += 512) {
    if (rng.chance(0.3)) std::memset(content.data() + at, 0, std::min<std::size_t>(512, content.size() - at));
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

fs::path Disk::begin_life(End end_of_last) {
  const fs::path last = folder_ / std::to_string(lives_);
  const fs::path next = folder_ / std::to_string(++lives_);
  fs::create_directories(folder_);
  if (fs::exists(last)) {
    fs::copy(last, next, fs::copy_options::recursive | fs::copy_options::skip_symlinks);
    fs::remove_all(last);
  } else {
    fs::create_directories(next);
  }
  if (end_of_last == End::PowerCut) {
    figures_.files_torn += unsynced_.cut(last, next, rng_);
    const fs::path in_flight = next / "in-flight";  // mapped into memory: nobody ever syncs it
    if (fs::exists(in_flight)) {
      tear(in_flight, rng_);
      ++figures_.files_torn;
    }
    for (const auto& entry : fs::directory_iterator(next)) {
      if (entry.path().native().ends_with("-shm")) fs::remove(entry.path());  // shared memory
    }
  }
  unsynced_.clear();
  return next;
}

}  // namespace legion::sim
