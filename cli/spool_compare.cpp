#include <legion/cli/spool_compare.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <legion/event/frame.hpp>
#include <legion/event/spool_record.hpp>

namespace legion::cli {
namespace {

using Ranges = std::vector<PositionRange>;  // ascending, disjoint
using Key = std::pair<Origin, JournalKind>;

constexpr std::size_t page_bytes = 1 << 20;

std::string journal_text(const Key& key) {
  return key.first.node + ':' + std::to_string(key.first.incarnation) + ':' + std::string(to_string(key.second));
}

/// What lies beyond `floor`.
Ranges above(const Ranges& ranges, Position floor) {
  Ranges out;
  for (const PositionRange& range : ranges) {
    if (range.last > floor) out.push_back({std::max(range.first, floor + 1), range.last});
  }
  return out;
}

Ranges without(const Ranges& from, const Ranges& taken) {
  Ranges out;
  auto next = taken.begin();
  for (PositionRange range : from) {
    while (next != taken.end() && next->last < range.first) ++next;
    bool left = true;
    for (auto each = next; left && each != taken.end() && each->first <= range.last; ++each) {
      if (each->first > range.first) out.push_back({range.first, each->first - 1});
      left = each->last < range.last;
      range.first = each->last + 1;
    }
    if (left) out.push_back(range);
  }
  return out;
}

Ranges common(const Ranges& a, const Ranges& b) { return without(a, without(a, b)); }

std::uint64_t count(const Ranges& ranges) {
  std::uint64_t sum = 0;
  for (const PositionRange& range : ranges) sum += range.last - range.first + 1;
  return sum;
}

/// A spool drops records (~record) that count no more and then gives a void for them; another spool may still have such
/// a record, or have been given that void.
bool may_be_dropped(const JournalRecord& record) {
  if (record.is_void()) return true;
  const auto header = decode_frame_header(*record.frame);
  return header && header->type == record_type;
}

std::map<Key, JournalState> by_key(std::vector<JournalState> states) {
  std::map<Key, JournalState> out;
  for (JournalState& state : states) {
    Key key{state.origin, state.journal};
    out.insert_or_assign(std::move(key), std::move(state));
  }
  return out;
}

/// The records of one range, in order.
class Walk {
 public:
  Walk(SpoolQueries& spool, const Key& key, PositionRange range) : spool_(spool) {
    query_ = {.origin = key.first, .journal = key.second, .range = range, .bytes_max = page_bytes};
  }
  /// The record of this position, which is not before the last one asked for. Null: the spool does not give it.
  Result<const JournalRecord*> at(Position position) {
    while (!current_ || current_->last < position) {
      auto record = next();
      if (!record) return std::unexpected(record.error());
      if (!*record) return nullptr;
      current_ = std::move(*record);
    }
    return current_->first <= position ? &*current_ : nullptr;
  }

 private:
  /// Nothing: there are no more.
  Result<std::optional<JournalRecord>> next() {
    while (at_ == page_.size()) {
      if (over_) return std::optional<JournalRecord>{};
      auto page = spool_.journal(query_);
      if (!page) return std::unexpected(page.error());
      page_ = std::move(*page);
      at_ = 0;
      over_ = page_.empty() || page_.back().last >= query_.range.last;
      if (!page_.empty() && page_.back().last < query_.range.first) {
        return fail(ErrorCode::BadData, "the answer to journal: it does not move on");
      }
      if (!page_.empty()) query_.range.first = page_.back().last + 1;
    }
    return std::move(page_[at_++]);
  }

  SpoolQueries& spool_;
  JournalQuery query_;
  std::optional<JournalRecord> current_;
  std::vector<JournalRecord> page_;
  std::size_t at_ = 0;
  bool over_ = false;
};

class Comparison {
 public:
  Comparison(SpoolQueries& a, SpoolQueries& b, CompareDepth depth, const std::function<bool()>& go_on)
      : a_(a), b_(b), depth_(depth), go_on_(go_on) {}

  Result<SpoolComparison> run() {
    auto journals_a = a_.journals();
    if (!journals_a) return std::unexpected(journals_a.error());
    auto journals_b = b_.journals();
    if (!journals_b) return std::unexpected(journals_b.error());
    const auto of_a = by_key(std::move(*journals_a));
    const auto of_b = by_key(std::move(*journals_b));
    std::set<Key> keys;
    for (const auto& [key, state] : of_a) keys.insert(key);
    for (const auto& [key, state] : of_b) keys.insert(key);
    const JournalState none;
    for (const Key& key : keys) {
      ++result_.journals;
      const auto a = of_a.find(key);
      const auto b = of_b.find(key);
      const auto compared = compare(key, a == of_a.end() ? none : a->second, b == of_b.end() ? none : b->second);
      if (!compared) return std::unexpected(compared.error());
    }
    return std::move(result_);
  }

 private:
  void differ(const Key& key, const Ranges& ranges, const std::string& what) {
    for (const PositionRange& range : ranges) result_.differences.push_back({journal_text(key), range, what});
  }

  Result<void> compare(const Key& key, const JournalState& a, const JournalState& b) {
    const Position floor = std::max(a.floor, b.floor);
    const Ranges in_a = above(a.ranges, floor);
    const Ranges in_b = above(b.ranges, floor);
    result_.not_compared += std::max(count(a.ranges) - count(in_a), count(b.ranges) - count(in_b));
    differ(key, without(in_a, in_b), "only in " + a_.name());
    differ(key, without(in_b, in_a), "only in " + b_.name());
    if (!a.boot.is_nil() && !b.boot.is_nil() && a.boot != b.boot) differ(key, {{0, 0}}, "another boot id");
    const Ranges both = common(in_a, in_b);
    result_.positions += count(both);
    const Ranges frames_a = without(both, a.voids);
    const Ranges frames_b = without(both, b.voids);
    if (auto done = differ_by_voids(key, a_, without(frames_a, frames_b), b_.name()); !done) return done;
    if (auto done = differ_by_voids(key, b_, without(frames_b, frames_a), a_.name()); !done) return done;
    if (depth_ == CompareDepth::Positions) return {};
    for (const PositionRange& range : common(frames_a, frames_b)) {
      if (auto compared = compare_bytes(key, range); !compared) return compared;
    }
    return {};
  }

  /// `spool` says that it has frames where `other` has voids. Those it really has, dropped ones aside, are differences.
  Result<void> differ_by_voids(const Key& key, SpoolQueries& spool, const Ranges& ranges, const std::string& other) {
    Ranges frames;
    for (const PositionRange& range : ranges) {
      Walk walk(spool, key, range);
      for (Position position = range.first; position <= range.last; ++position) {
        if (!go_on_()) return fail(ErrorCode::Closed, "interrupted");
        const auto record = walk.at(position);
        if (!record) return std::unexpected(record.error());
        if (*record != nullptr && may_be_dropped(**record)) continue;
        if (!frames.empty() && frames.back().last + 1 == position) {
          frames.back().last = position;
        } else {
          frames.push_back({position, position});
        }
      }
    }
    differ(key, frames, "a void in " + other);
    return {};
  }

  Result<void> compare_bytes(const Key& key, PositionRange range) {
    Walk walk_a(a_, key, range);
    Walk walk_b(b_, key, range);
    for (Position position = range.first;; ++position) {
      if (!go_on_()) return fail(ErrorCode::Closed, "interrupted");
      const auto a = walk_a.at(position);
      if (!a) return std::unexpected(a.error());
      const auto b = walk_b.at(position);
      if (!b) return std::unexpected(b.error());
      if (*a == nullptr || *b == nullptr) {
        result_.differences.push_back({journal_text(key), {position, range.last}, "not to be read from both"});
        return {};
      }
      const bool is_dropped = (*a)->is_void() || (*b)->is_void();
      const bool same = is_dropped ? may_be_dropped(**a) && may_be_dropped(**b) : *(*a)->frame == *(*b)->frame;
      if (!same) result_.differences.push_back({journal_text(key), {position, position}, "other bytes"});
      if (position == range.last) return {};
    }
  }

  SpoolQueries& a_;
  SpoolQueries& b_;
  const CompareDepth depth_;
  const std::function<bool()>& go_on_;
  SpoolComparison result_;
};

}  // namespace

Result<SpoolComparison> compare_spools(SpoolQueries& a, SpoolQueries& b, CompareDepth depth,
                                       const std::function<bool()>& go_on) {
  return Comparison(a, b, depth, go_on).run();
}

}  // namespace legion::cli
