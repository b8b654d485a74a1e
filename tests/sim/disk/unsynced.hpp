// What a power cut may undo: the writes to real files since their last fsync.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <legion/base/rng.hpp>

namespace legion::sim {

class Unsynced {
 public:
  /// Before `bytes` at `offset` of this open file are overwritten, or the file is cut there (bytes 0).
  void note(int fd, const std::string& path, std::uint64_t offset, std::uint64_t bytes);
  void synced(const std::string& path) { files_.erase(path); }
  void moved(const std::string& from, const std::string& to);
  void forget(const std::string& path) { files_.erase(path); }
  void clear() { files_.clear(); }

  /// Undoes a drawn part of it in `folder`, which is a copy of `original`: whole writes and halves of writes. Returns
  /// how many files were not what they had been.
  std::uint64_t cut(const std::filesystem::path& original, const std::filesystem::path& folder, Rng& rng);

 private:
  struct Write {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    std::uint64_t size_before = 0;  // of the file
    std::string before;  // what lay there
  };
  std::map<std::string, std::vector<Write>> files_;
};

}  // namespace legion::sim
