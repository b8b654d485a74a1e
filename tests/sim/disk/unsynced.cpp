#include "unsynced.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace legion::sim {

namespace fs = std::filesystem;

void Unsynced::note(int fd, const std::string& path, std::uint64_t offset, std::uint64_t bytes) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t end = bytes == 0 ? size : std::min(size, offset + bytes);
  Write write{.offset = offset, .bytes = bytes, .size_before = size, .before = {}};
  if (end > offset) {
    write.before.resize(end - offset);
    const ssize_t got = ::pread(fd, write.before.data(), write.before.size(), static_cast<off_t>(offset));
    write.before.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  files_[path].push_back(std::move(write));
}

void Unsynced::moved(const std::string& from, const std::string& to) {
  const auto found = files_.extract(from);
  files_.erase(to);
  if (found.empty()) return;
  files_[to] = found.mapped();
}

std::uint64_t Unsynced::cut(const fs::path& original, const fs::path& folder, Rng& rng) {
  std::uint64_t torn = 0;
  for (const auto& [path, writes] : files_) {
    const fs::path file = folder / fs::path(path).lexically_relative(original);
    const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) continue;
    const double kept = rng.uniform();
    std::uint64_t size = 0;
    struct stat status{};
    if (::fstat(fd, &status) == 0) size = static_cast<std::uint64_t>(status.st_size);
    bool changed = false;
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
      if (rng.chance(kept)) continue;
      const bool half = write->bytes > 512 && rng.chance(0.2);  // the first half arrived
      const std::uint64_t from = half ? write->bytes / 2 : 0;
      if (from < write->before.size()) {
        const std::string part = write->before.substr(from);
        if (::pwrite(fd, part.data(), part.size(), static_cast<off_t>(write->offset + from)) < 0) break;
      }
      const std::uint64_t written_end = write->offset + write->bytes;
      if (write->bytes > 0 && written_end >= size && write->size_before < size) {
        size = std::max(write->size_before, write->offset + from);
        if (::ftruncate(fd, static_cast<off_t>(size)) != 0) break;
      }
      changed = true;
    }
    ::close(fd);
    torn += changed ? 1 : 0;
  }
  files_.clear();
  return torn;
}

}  // namespace legion::sim
