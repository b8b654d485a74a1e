// The content of a block: docs/spool-format.md, "A block".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/event/journal.hpp>
#include <legion/spool/audit_chain.hpp>
#include <legion/spool/store.hpp>

namespace legion::spool {

inline constexpr std::uint8_t block_version = 1;
inline constexpr std::size_t block_head_bytes = 5;  ///< version and bytes of the index
inline constexpr int block_zstd_level = 1;
/// No block's content is larger; what claims to be is damaged.
inline constexpr std::size_t block_content_bytes_max = 256u << 20;

struct BlockStream {
  std::uint32_t origin = 0;  ///< index
  Priority lane = Priority::Normal;
  std::uint8_t shard = 0;
  std::string type;
};

struct BlockFrame {
  CommitNumber number = 0;
  Position position = 0;
  std::uint64_t first = 0;   ///< sequence
  std::uint32_t events = 0;
  std::uint32_t stream = 0;  ///< index
  JournalKind journal = JournalKind::Captured;
  std::uint8_t held_for = 0;
  enum class Place : std::uint8_t { New, OfVoid } place = Place::New;
  WallTime recorded{};
  std::size_t offset = 0;    ///< into the content
  std::size_t bytes = 0;
};

/// Commit numbers whose frames are gone.
struct DroppedRun {
  CommitNumber first = 0, last = 0;
  Digest chain_after{};
};

/// What stands before the frames. `frames` and `dropped` are each ascending by commit number and together without
/// holes.
struct BlockIndex {
  std::vector<Origin> origins;
  std::vector<BlockStream> streams;
  std::vector<BlockFrame> frames;
  std::vector<DroppedRun> dropped;
  const Origin& origin_of(const BlockFrame& frame) const { return origins[streams[frame.stream].origin]; }
  CommitNumber last_number() const;
};

/// Appends version, index and its length; the frames follow in the order given. Offsets in `index` are not looked at.
void encode_block_head(const BlockIndex& index, Bytes& out);

/// Checks everything but the frames themselves, and that they fill what is left.
/// Errors: BadData naming the member.
Result<BlockIndex> decode_block(BytesView content, CommitNumber first);

/// zstd, level 1. Reusable, not shareable.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  /// The view is valid until the next call.
  BytesView compress(BytesView content);

 private:
  void* context_;
  Bytes buffer_;
};

/// Errors: BadData (not one zstd frame of `content_bytes`).
Result<void> decompress_block(BytesView data, std::size_t content_bytes, Bytes& out);

}  // namespace legion::spool
