// What a node keeps between its lives: the last incarnation, the members it knew, and, while it runs, its addresses.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/core/messages.hpp>

namespace legion {

/// Thread: open() and loading before the loop starts; save_roster() from the executor, the rest from the loop.
/// Files are replaced by rename, so a crash leaves the old or the new one.
/// Bounds: one process at a time; a second one is refused by a lock that ends with its holder.
class StateDir {
 public:
  /// Creates the folder (mode 0700) if it is not there and takes the lock. Errors: Io naming the path, Refused when
  /// another process has it.
  static Result<StateDir> open(const std::filesystem::path& path);
  StateDir(StateDir&& other) noexcept;
  StateDir& operator=(StateDir&&) = delete;
  ~StateDir();

  const std::filesystem::path& path() const { return path_; }

  /// 0 when there is none. A damaged file is an error: guessing could reuse an incarnation.
  Result<Incarnation> load_incarnation() const;
  Result<void> save_incarnation(Incarnation incarnation);

  /// Empty when there is none. A damaged file is BadData; the caller may go on without it, `join` finds the mesh again.
  Result<std::vector<Member>> load_roster() const;
  Result<void> save_roster(const std::vector<Member>& members);

  /// `name=uri` lines: control, critical, high, normal, low.
  Result<void> save_endpoints(const Endpoints& endpoints);

 private:
  StateDir(std::filesystem::path path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}
  Result<void> replace(const char* name, std::string_view content) const;
  Result<std::string> read(const char* name) const;

  std::filesystem::path path_;
  int lock_fd_ = -1;
};

}  // namespace legion
