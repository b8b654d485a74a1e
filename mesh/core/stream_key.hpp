// Names of the streams of one origin on one lane, as keys of a hash table that is searched without allocating.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace legion {

/// (type, shard), owned.
struct StreamKey {
  std::string type;
  std::uint8_t shard = 0;
};

/// (type, shard), borrowed: what a search is done with.
struct StreamKeyView {
  std::string_view type;
  std::uint8_t shard = 0;
  StreamKeyView(std::string_view t, std::uint8_t s) : type(t), shard(s) {}
  StreamKeyView(const StreamKey& key) : type(key.type), shard(key.shard) {}  // NOLINT: both forms are one key
};

struct StreamKeyHash {
  using is_transparent = void;
  std::size_t operator()(StreamKeyView key) const {
    return std::hash<std::string_view>{}(key.type) + key.shard * std::size_t{0x9e3779b97f4a7c15};
  }
};

struct StreamKeyEqual {
  using is_transparent = void;
  bool operator()(StreamKeyView a, StreamKeyView b) const { return a.shard == b.shard && a.type == b.type; }
};

}  // namespace legion
