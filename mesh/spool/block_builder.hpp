// Gathers frames into a block: the bytes of its body and what its row says of them.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/event/frame.hpp>
#include <legion/spool/audit_chain.hpp>
#include <legion/spool/block_codec.hpp>
#include <legion/spool/block_contents.hpp>
#include <legion/spool/bloom.hpp>
#include <legion/spool/event_walk.hpp>

namespace legion::spool {

enum BlockFlag : std::uint8_t {
  block_quarantined = 1,
  block_has_records = 2,  ///< frames of the type `~record`
  block_has_events = 4,   ///< others
};

/// Everything a block's row and body are made of.
struct SealedBlock {
  CommitNumber first = 0, last = 0;
  std::uint64_t frames = 0, events = 0, content_bytes = 0;
  TimeRange times, recorded;
  std::uint8_t lanes = 0;  ///< bit mask
  std::uint8_t flags = 0;
  Digest chain_before{}, chain_after{};
  BlockContents contents;
  Bytes encoded_contents;
  Bytes bloom;
  BytesView data;          ///< lives in the builder
  std::uint64_t checksum = 0;
};

/// block.checksum.
std::uint64_t block_checksum(const SealedBlock& block);

/// A frame on its way into a block. `bytes` and `origin` have to live until seal().
struct FrameToStore {
  BytesView bytes;
  FrameHeader header;             ///< points into `bytes`
  const Origin* origin = nullptr;
  JournalKind journal = JournalKind::Captured;
  Position position = 0;
  std::uint8_t held_for = 0;
  BlockFrame::Place place = BlockFrame::Place::New;
  WallTime recorded{};
  RowId stream_row = 0, journal_row = 0;
};

/// Thread: one. Reusable: begin() again after seal(). Frames of one stream that follow each other become one span.
class BlockBuilder {
 public:
  /// `chain` is the one before the first frame.
  void begin(CommitNumber first, const Digest& chain);
  void add(const FrameToStore& frame);
  /// The next `count` commit numbers have no frames; the chain behind them.
  void drop(std::uint64_t count, const Digest& chain_after);

  std::uint64_t frames() const { return index_.frames.size(); }
  bool empty() const { return index_.frames.empty(); }
  std::size_t frame_bytes() const { return frame_bytes_; }
  CommitNumber next() const { return next_; }

  /// `chain` is the one behind the last frame. Valid until the next begin().
  const SealedBlock& seal(const Digest& chain);

 private:
  std::uint32_t stream_index(const FrameToStore& frame);
  void add_to_span(const FrameToStore& frame);

  SealedBlock block_;
  BlockIndex index_;
  std::vector<BytesView> bytes_;
  std::size_t frame_bytes_ = 0;
  CommitNumber next_ = 1;
  IdSet ids_;
  Bytes content_;
  Compressor compressor_;
  // By stream row: its index in the block, and its last span.
  std::unordered_map<RowId, std::pair<std::uint32_t, std::size_t>> streams_;
  std::unordered_map<RowId, std::size_t> positions_;  // by journal row: its last run
  RowId last_stream_ = 0;
  std::uint32_t last_index_ = 0;
};

}  // namespace legion::spool
