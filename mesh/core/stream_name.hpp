// Names of the streams of one origin on one lane, as keys of a hash table that is searched without allocating.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace legion {

/// (type, shard), owned.
struct StreamName {
  std::string type;
  std::uint8_t shard = 0;
};

/// (type, shard), borrowed: what a search is done with.
struct StreamNameView {
  std::string_view type;
  std::uint8_t shard = 0;
  StreamNameView(std::string_view t, std::uint8_t s) : type(t), shard(s) {}
  StreamNameView(const StreamName& key) : type(key.type), shard(key.shard) {}  // NOLINT: both forms are one key
};

struct StreamNameHash {
  using is_transparent = void;
  std::size_t operator()(StreamNameView key) const {
    return std::hash<std::string_view>{}(key.type) + key.shard * std::size_t{0x9e3779b97f4a7c15};
  }
};

struct StreamNameEqual {
  using is_transparent = void;
  bool operator()(StreamNameView a, StreamNameView b) const { return a.shard == b.shard && a.type == b.type; }
};

}  // namespace legion
