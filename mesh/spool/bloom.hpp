// The filter of a block over the ids its events carry: docs/spool-format.md, "The filter of a block".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <legion/base/bytes.hpp>

namespace legion::spool {

/// XXH3-64.
std::uint64_t hash_of_id(std::string_view id);

/// The distinct ids of a block, as hashes. Reusable: clear() keeps the memory.
class IdSet {
 public:
  void add(std::uint64_t hash) {
    if (hash == last_) return;  // neighbours often belong together
    last_ = hash;
    insert(hash);
  }
  void clear();
  bool empty() const { return hashes_.empty(); }
  const std::vector<std::uint64_t>& hashes() const { return hashes_; }

 private:
  void insert(std::uint64_t hash);
  void grow();

  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint64_t> slots_;  // open addressing, a power of two; 0 is free
  std::uint64_t last_ = 0;
};

/// Empty when there are no ids.
Bytes make_bloom(const IdSet& ids);
/// Whether an id of this hash may be in it. A filter that is damaged says yes, an empty one no.
bool bloom_may_have(BytesView bloom, std::uint64_t hash);

}  // namespace legion::spool
