#include <legion/cli/spool_file.hpp>

#include <legion/cli/stored_spool.hpp>
#include <legion/spool/sqlite_store.hpp>

namespace legion::cli {

Result<std::unique_ptr<SpoolAsk>> open_spool_file(const std::string& path) {
  SqliteStore::Options options;
  options.mode = SqliteStore::Mode::ReadOnly;
  auto store = SqliteStore::open(path, std::move(options));
  if (!store) return std::unexpected(store.error());
  return ask_store(std::move(*store));
}

}  // namespace legion::cli
