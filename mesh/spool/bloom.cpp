#include <legion/spool/bloom.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

#include <xxhash.h>

namespace legion::spool {
namespace {

constexpr std::size_t bits_per_id = 12;
constexpr std::uint64_t probes = 8;
constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t slots_min = 256;

static_assert(std::endian::native == std::endian::little);

template <class Visit>
bool all_probes(std::uint64_t hash, std::size_t bits, Visit visit) {
  const std::uint64_t step = (hash * 0x9e37'79b9'7f4a'7c15) | 1;
  for (std::uint64_t i = 0; i < probes; ++i) {
    __extension__ using Wide = unsigned __int128;
    const auto bit = static_cast<std::size_t>((static_cast<Wide>(hash + i * step) * bits) >> 64);
    if (!visit(bit)) return false;
  }
  return true;
}

}  // namespace

std::uint64_t hash_of_id(std::string_view id) {
  const std::uint64_t hash = XXH3_64bits(id.data(), id.size());
  return hash != 0 ? hash : 1;  // 0 is a free slot
}

void IdSet::clear() {
  if (hashes_.size() * 8 < slots_.size()) {
    // Few of many: cheaper one by one.
    for (const std::uint64_t hash : hashes_) {
      for (std::size_t at = hash & (slots_.size() - 1); slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
        slots_[at] = 0;
      }
    }
  } else {
    std::ranges::fill(slots_, 0);
  }
  hashes_.clear();
  last_ = 0;
}

void IdSet::insert(std::uint64_t hash) {
  if (hashes_.size() * 2 >= slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    if (slots_[at] == hash) return;
  }
  slots_[at] = hash;
  hashes_.push_back(hash);
}

void IdSet::grow() {
  slots_.assign(std::max(slots_min, 2 * slots_.size()), 0);
  const std::size_t mask = slots_.size() - 1;
  for (const std::uint64_t hash : hashes_) {
    std::size_t at = hash & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = hash;
  }
}

Bytes make_bloom(const IdSet& ids) {
  if (ids.empty()) return {};
  const std::size_t bits = (ids.hashes().size() * bits_per_id + 63) / 64 * 64;
  Bytes out(bits / 8 + checksum_bytes);
  for (const std::uint64_t hash : ids.hashes()) {
    all_probes(hash, bits, [&](std::size_t bit) {
      out[bit / 8] |= static_cast<std::uint8_t>(1u << (bit % 8));
      return true;
    });
  }
  const std::uint64_t checksum = XXH3_64bits(out.data(), bits / 8);
  std::memcpy(out.data() + bits / 8, &checksum, checksum_bytes);
  return out;
}

bool bloom_may_have(BytesView bloom, std::uint64_t hash) {
  if (bloom.empty()) return false;
  if (bloom.size() <= checksum_bytes) return true;
  const std::size_t bytes = bloom.size() - checksum_bytes;
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bloom.data() + bytes, checksum_bytes);
  if (checksum != XXH3_64bits(bloom.data(), bytes)) return true;
  return all_probes(hash, bytes * 8,
                    [&](std::size_t bit) { return (bloom[bit / 8] >> (bit % 8) & 1) != 0; });
}

}  // namespace legion::spool
