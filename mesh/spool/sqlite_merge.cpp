// Small blocks become large ones, so that reading passes over few and compression has something to work with.
#include <algorithm>
#include <optional>

#include <legion/spool/record_compaction.hpp>
#include <legion/spool/sqlite_rebuild.hpp>
#include <legion/spool/sqlite_upkeep.hpp>

namespace legion::spool {
namespace {

constexpr std::size_t run_blocks_max = 256;   // merged in one call
constexpr std::size_t tiny_run_blocks = 32;   // so many tiny ones in a row are worth a merge
constexpr std::size_t tiny_divisor = 64;      // of the block size: tiny
constexpr std::size_t small_divisor = 4;      // below it: worth merging at all
constexpr std::size_t look_ahead_max = 4096;  // rows looked at in one call

struct Candidate {
  CommitNumber first = 0;
  std::uint64_t bytes = 0;
};

/// A row of neighbours that may become one block.
struct Run {
  std::vector<Candidate> blocks;
  std::uint64_t bytes = 0;
  void clear() { *this = {}; }
  void add(const Candidate& block) {
    blocks.push_back(block);
    bytes += block.bytes;
  }
};

/// Finds what to merge next, from the oldest on. Two sizes of input, so that a block is copied about three times in its
/// life and not once for each neighbour: tiny ones become small ones, small ones full ones.
class Search {
 public:
  explicit Search(WriterState& state)
      : state_(state),
        full_(state.options.block_bytes),
        tiny_(full_ / tiny_divisor),
        small_(full_ / small_divisor) {}

  std::optional<Run> find() {
    Query query(state_.database, "SELECT first, raw_bytes, flags FROM block WHERE first >= ? ORDER BY first LIMIT ?");
    Rows rows = query.rows(state_.head.merge_from, look_ahead_max);
    while (rows.next()) {
      const Candidate block{rows.count(0), rows.count(1)};
      const bool is_closed = block.bytes >= small_ || (rows.number(2) & block_quarantined) != 0;
      if (is_closed) {
        // Nothing joins these any more.
        if (tiny_run_.blocks.size() > 1) return tiny_run_;
        if (small_run_.blocks.size() > 1) return small_run_;
        tiny_run_.clear();
        small_run_.clear();
        state_.head.merge_from = block.first + 1;
        continue;
      }
      if (block.bytes >= tiny_) {
        // A larger one: the tiny ones before it have all their neighbours.
        if (tiny_run_.blocks.size() > 1) return tiny_run_;
        tiny_run_.clear();
      } else {
        tiny_run_.add(block);
        const bool is_enough = tiny_run_.blocks.size() >= tiny_run_blocks || tiny_run_.bytes >= tiny_;
        if (is_enough && tiny_run_.blocks.size() > 1) return tiny_run_;
      }
      small_run_.add(block);
      if (small_run_.bytes >= full_ - small_ || small_run_.blocks.size() >= run_blocks_max) return small_run_;
    }
    return std::nullopt;
  }

 private:
  WriterState& state_;
  std::uint64_t full_, tiny_, small_;
  Run tiny_run_, small_run_;
};

// Empty: one of them is damaged, or gone.
std::vector<LoadedBlock> load_all(WriterState& state, const Run& run) {
  std::vector<LoadedBlock> blocks;
  for (const Candidate& candidate : run.blocks) {
    auto block = load_block_at(state, candidate.first);
    if (!block) return {};
    blocks.push_back(std::move(*block));
  }
  return blocks;
}

}  // namespace

Result<bool> merge_step(WriterState& state) {
  std::vector<LoadedBlock> blocks;
  const auto found = guarded("cannot read " + state.path, [&]() -> Result<bool> {
    const std::optional<Run> run = Search(state).find();
    if (run) blocks = load_all(state, *run);
    return run.has_value();
  });
  if (!found) {
    freeze(state, found.error());
    return std::unexpected(found.error());
  }
  if (blocks.empty()) return *found;  // the next call quarantines what was damaged
  const auto written = write(state, "merge blocks of", Sync::WithTheNext, [&] {
    const auto superseded = superseded_records(state.records.tables(), blocks);
    rebuild(state, blocks, [&](const LoadedBlock&, const BlockFrame& frame) {
      return superseded.contains(frame.number) ? Keep::Number : Keep::Frame;
    });
    save(state);
  });
  if (!written) return std::unexpected(written.error());
  return true;
}

}  // namespace legion::spool
