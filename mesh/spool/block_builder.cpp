#include <legion/spool/block_builder.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <xxhash.h>

#include <legion/base/assert.hpp>
#include <legion/event/spool_record.hpp>

namespace legion::spool {

std::uint64_t block_checksum(const SealedBlock& block) {
  const std::array<std::uint64_t, 10> numbers{block.first,
                                              block.last,
                                              block.frames,
                                              block.events,
                                              block.content_bytes,
                                              static_cast<std::uint64_t>(block.times.min),
                                              static_cast<std::uint64_t>(block.times.max),
                                              static_cast<std::uint64_t>(block.recorded.min),
                                              static_cast<std::uint64_t>(block.recorded.max),
                                              block.lanes};
  Bytes head(sizeof numbers);
  std::memcpy(head.data(), numbers.data(), sizeof numbers);
  const auto put = [&head](BytesView bytes) { head.insert(head.end(), bytes.begin(), bytes.end()); };
  put(block.chain_before);
  put(block.chain_after);
  put(block.encoded_contents);
  put(block.bloom);
  return XXH3_64bits_withSeed(block.data.data(), block.data.size(), XXH3_64bits(head.data(), head.size()));
}

void BlockBuilder::begin(CommitNumber first, const Digest& chain) {
  block_ = {};
  block_.first = next_ = first;
  block_.chain_before = chain;
  index_ = {};
  bytes_.clear();
  frame_bytes_ = 0;
  ids_.clear();
  streams_.clear();
  positions_.clear();
  last_stream_ = 0;
}

std::uint32_t BlockBuilder::stream_index(const FrameToStore& frame) {
  if (frame.stream_row == last_stream_) return last_index_;
  const auto [found, is_new] = streams_.try_emplace(frame.stream_row, index_.streams.size(), SIZE_MAX);
  if (is_new) {
    const auto origin = std::ranges::find(index_.origins, *frame.origin);
    const auto at = static_cast<std::uint32_t>(origin - index_.origins.begin());
    if (origin == index_.origins.end()) index_.origins.push_back(*frame.origin);
    index_.streams.push_back({at, frame.header.lane, frame.header.shard, std::string(frame.header.type)});
  }
  last_stream_ = frame.stream_row;
  last_index_ = found->second.first;
  return last_index_;
}

void BlockBuilder::add_to_span(const FrameToStore& frame) {
  std::vector<BlockSpan>& spans = block_.contents.spans;
  const std::uint64_t first = frame.header.first_sequence;
  const std::uint64_t last = first + frame.header.event_count - 1;
  std::size_t& at = streams_.find(frame.stream_row)->second.second;
  if (at != SIZE_MAX && spans[at].last + 1 == first && spans[at].journal == frame.journal_row &&
      spans[at].position_last <= frame.position) {
    spans[at].last = last;
    spans[at].position_last = frame.position;
    return;
  }
  at = spans.size();
  spans.push_back({frame.stream_row, first, last, frame.journal_row, frame.position, frame.position});
}

void BlockBuilder::add(const FrameToStore& frame) {
  LEGION_ASSERT(frame.header.event_count > 0);
  index_.frames.push_back({.number = next_++,
                           .position = frame.position,
                           .first = frame.header.first_sequence,
                           .events = frame.header.event_count,
                           .stream = stream_index(frame),
                           .journal = frame.journal,
                           .held_for = frame.held_for,
                           .place = frame.place,
                           .recorded = frame.recorded,
                           .bytes = frame.bytes.size()});
  add_to_span(frame);
  std::vector<BlockPositions>& runs = block_.contents.positions;
  const auto [found, is_new] = positions_.try_emplace(frame.journal_row, runs.size());
  if (is_new || runs[found->second].range.last + 1 != frame.position) {
    found->second = runs.size();
    runs.push_back({frame.journal_row, {frame.position, frame.position}});
  } else {
    runs[found->second].range.last = frame.position;
  }
  bytes_.push_back(frame.bytes);
  frame_bytes_ += frame.bytes.size();
  block_.events += frame.header.event_count;
  block_.lanes |= static_cast<std::uint8_t>(1u << lane_index(frame.header.lane));
  block_.flags |= frame.header.type == record_type ? block_has_records : block_has_events;
  block_.recorded.add(frame.recorded.ns);
  collect(frame.header, frame.bytes, block_.times, ids_);
}

void BlockBuilder::drop(std::uint64_t count, const Digest& chain_after) {
  LEGION_ASSERT(count > 0);
  if (!index_.dropped.empty() && index_.dropped.back().last + 1 == next_) {
    index_.dropped.back().last += count;
    index_.dropped.back().chain_after = chain_after;
  } else {
    index_.dropped.push_back({next_, next_ + count - 1, chain_after});
  }
  next_ += count;
}

const SealedBlock& BlockBuilder::seal(const Digest& chain) {
  block_.last = next_ - 1;
  block_.chain_after = chain;
  block_.frames = index_.frames.size();
  content_.clear();
  encode_block_head(index_, content_);
  content_.reserve(content_.size() + frame_bytes_);
  for (const BytesView bytes : bytes_) content_.insert(content_.end(), bytes.begin(), bytes.end());
  block_.content_bytes = content_.size();
  block_.data = compressor_.compress(content_);
  block_.bloom = make_bloom(ids_);
  block_.encoded_contents = encode(block_.contents);
  block_.checksum = block_checksum(block_);
  return block_;
}

}  // namespace legion::spool
