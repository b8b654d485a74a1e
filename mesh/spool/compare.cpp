#include <legion/spool/compare.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/spool/audit_chain.hpp>
#include <legion/spool/position_set.hpp>

namespace legion {
namespace {

using Kind = StoreDifference::Kind;
using JournalName = std::pair<Origin, JournalKind>;

constexpr Position positions_a_step = 4096;
constexpr std::size_t bytes_a_step = 4 << 20;

std::string text_of(const JournalName& name) {
  return name.first.node + ':' + std::to_string(name.first.incarnation) + ':' + std::string(to_string(name.second));
}

std::map<JournalName, const JournalState*> by_name(const std::vector<JournalState>& journals) {
  std::map<JournalName, const JournalState*> out;
  for (const JournalState& journal : journals) out.emplace(JournalName{journal.origin, journal.journal}, &journal);
  return out;
}

PositionSet held_by(const JournalState* journal) {
  PositionSet out;
  if (journal == nullptr) return out;
  for (const PositionRange& range : journal->ranges) out.add(range);
  return out;
}

/// Position -> digest of its frame; nothing: no frame.
using Digests = std::map<Position, std::optional<Digest>>;

class Comparison {
 public:
  Comparison(JournalName name, const StoreSide& first, const StoreSide& second, std::size_t max,
             std::vector<StoreDifference>& out)
      : name_(std::move(name)), first_(first), second_(second), max_(max), out_(out) {}

  Result<void> run(const JournalState* first, const JournalState* second) {
    const PositionSet in_first = held_by(first), in_second = held_by(second);
    const Position floor = std::max(first != nullptr ? first->floor : 0, second != nullptr ? second->floor : 0);
    for (const PositionRange& range : in_first.ranges()) {
      for (const PositionRange& part : in_second.missing(range)) add_above(floor, part, Kind::OnlyFirst);
    }
    for (const PositionRange& range : in_second.ranges()) {
      for (const PositionRange& part : in_first.missing(range)) add_above(floor, part, Kind::OnlySecond);
      for (const PositionRange& both : in_first.common(range)) {
        if (auto compared = compare_frames(both); !compared) return compared;
      }
    }
    return {};
  }

 private:
  bool is_full() const { return out_.size() >= max_; }

  void add_above(Position floor, PositionRange range, Kind kind) {
    range.first = std::max(range.first, floor + 1);
    if (range.first <= range.last) add(range, kind);
  }

  void add(PositionRange range, Kind kind) {
    const std::string journal = text_of(name_);
    if (!out_.empty()) {
      StoreDifference& before = out_.back();
      if (before.kind == kind && before.journal == journal && before.range.last + 1 == range.first) {
        before.range.last = range.last;
        return;
      }
    }
    if (!is_full()) out_.push_back({journal, range, kind});
  }

  Result<Digests> digests(const StoreSide& side, PositionRange range) const {
    Digests out;
    while (range.first <= range.last) {
      const auto records = side.reader->read_journal(name_.first, name_.second, range, bytes_a_step);
      if (!records) return std::unexpected(records.error());
      if (records->empty()) break;
      for (const JournalRecord& record : *records) {
        const auto digest = record.is_void() ? std::nullopt : std::optional(digest_of(*record.frame));
        for (Position at = record.first; at <= record.last; ++at) out[at] = digest;
      }
      range.first = records->back().last + 1;
    }
    return out;
  }

  Result<void> compare_frames(PositionRange range) {
    while (range.first <= range.last && !is_full()) {
      const PositionRange step{range.first, std::min(range.last, range.first + positions_a_step - 1)};
      const auto first = digests(first_, step), second = digests(second_, step);
      if (!first) return std::unexpected(first.error());
      if (!second) return std::unexpected(second.error());
      for (Position at = step.first; at <= step.last; ++at) compare_position(at, *first, *second);
      range.first = step.last + 1;
    }
    return {};
  }

  void compare_position(Position at, const Digests& first, const Digests& second) {
    const auto here = first.find(at), there = second.find(at);
    const bool is_here = here != first.end(), is_there = there != second.end();
    if (is_here != is_there) return add({at, at}, is_here ? Kind::OnlyFirst : Kind::OnlySecond);
    if (!is_here || here->second == there->second) return;
    if (!there->second) return add({at, at}, Kind::FrameOnlyFirst);
    add({at, at}, here->second ? Kind::Differ : Kind::FrameOnlySecond);
  }

  JournalName name_;
  const StoreSide& first_;
  const StoreSide& second_;
  std::size_t max_;
  std::vector<StoreDifference>& out_;
};

}  // namespace

std::string_view to_string(StoreDifference::Kind kind) {
  switch (kind) {
    case Kind::OnlyFirst: return "only_first";
    case Kind::OnlySecond: return "only_second";
    case Kind::FrameOnlyFirst: return "frame_only_first";
    case Kind::FrameOnlySecond: return "frame_only_second";
    case Kind::Differ: return "differ";
  }
  LEGION_UNREACHABLE();
}

Result<std::vector<StoreDifference>> compare(const StoreSide& first, const StoreSide& second, std::size_t max) {
  const auto in_first = by_name(first.journals), in_second = by_name(second.journals);
  std::set<JournalName> names;
  for (const auto& [name, journal] : in_first) names.insert(name);
  for (const auto& [name, journal] : in_second) names.insert(name);
  std::vector<StoreDifference> out;
  for (const JournalName& name : names) {
    if (out.size() >= max) break;
    const auto here = in_first.find(name), there = in_second.find(name);
    const auto compared = Comparison(name, first, second, max, out)
                              .run(here != in_first.end() ? here->second : nullptr,
                                   there != in_second.end() ? there->second : nullptr);
    if (!compared) return std::unexpected(compared.error());
  }
  return out;
}

}  // namespace legion
