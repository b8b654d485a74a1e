// What a node is told about journals and spools when it is created.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include <legion/base/error.hpp>
#include <legion/spool/store.hpp>

namespace legion {

/// Of a node that is a spool.
struct SpoolOptions {
  std::filesystem::path path;  ///< absolute; of the store's file
  RetentionPolicy retention;
  /// Opens another kind of store; empty: the one on SQLite.
  std::function<Result<std::unique_ptr<Store>>(const std::filesystem::path&)> open_store{};
};

/// Of every node.
struct JournalOptions {
  std::uint64_t confirmed_bytes = 64ull << 20;
  std::uint64_t captured_bytes = 64ull << 20;
  /// No: the configuration says that this mesh has none. Nothing needs to be kept for one, and lacking one is no trouble.
  enum class SpoolsExpected : bool { No, Yes } spools_expected = SpoolsExpected::Yes;
};

}  // namespace legion
