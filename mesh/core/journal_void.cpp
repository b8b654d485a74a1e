#include <legion/core/journal_void.hpp>

#include <algorithm>

namespace legion {

void JournalVoid::add(Priority lane, std::string_view type, std::uint8_t shard, std::uint64_t first, std::uint64_t last,
                      Position position) {
  by_position_.clear();
  key_.assign(type);
  key_ += static_cast<char>(lane_index(lane));
  key_ += static_cast<char>(shard);
  const auto [found, is_new] = newest_.try_emplace(key_);
  Span& span = found->second;
  if (!is_new && span.span.last + 1 == first) {
    span.span.last = last;
    span.position = position;
    return;
  }
  if (!is_new) closed_.push_back(std::move(span));
  span = {{lane, std::string(type), shard, first, last}, position};
}

void JournalVoid::absorb(const JournalVoid& other) {
  const auto add_span = [&](const Span& span) {
    add(span.span.lane, span.span.type, span.span.shard, span.span.first, span.span.last, span.position);
  };
  std::ranges::for_each(other.closed_, add_span);
  for (const auto& [key, span] : other.newest_) add_span(span);
}

JournalVoid::Part JournalVoid::part_behind(Position sent, Position void_last, std::size_t spans_max) const {
  if (by_position_.empty()) {
    by_position_.reserve(newest_.size() + closed_.size());
    for (const Span& span : closed_) by_position_.push_back(&span);
    for (const auto& [key, span] : newest_) by_position_.push_back(&span);
    std::ranges::sort(by_position_, {}, &Span::position);
  }
  auto next = std::ranges::upper_bound(by_position_, sent, {}, &Span::position);
  Part part;
  for (; next != by_position_.end() && part.spans.size() < spans_max; ++next) {
    part.spans.push_back((*next)->span);
    part.last = (*next)->position;
  }
  if (next == by_position_.end()) part.last = void_last;
  return part;
}

}  // namespace legion
