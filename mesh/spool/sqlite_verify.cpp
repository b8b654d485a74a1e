// Checking a store: blocks, the audit chain, and what is missing.
#include <algorithm>
#include <map>

#include <legion/spool/position_set.hpp>
#include <legion/spool/sqlite_reader.hpp>
#include <legion/spool/sqlite_recovery.hpp>
#include <legion/spool/sqlite_state.hpp>

namespace legion::spool {
namespace {

constexpr std::size_t blocks_per_snapshot = 64;
constexpr int structure_findings_max = 20;

class Verify {
 public:
  Verify(ReaderState& state, StoreReader::Depth depth,
         const std::function<bool(std::uint64_t done, std::uint64_t all)>& go_on)
      : state_(state),
        depth_(depth),
        go_on_(go_on),
        body_(state.database, select_body),
        has_span_(state.database, "SELECT 1 FROM span WHERE stream = ? AND first = ? AND block = ?"),
        has_position_(state.database, "SELECT 1 FROM position WHERE journal = ? AND first = ? AND block = ?") {}

  Result<VerifyReport> run() {
    // Of a broken file it stays 0: only how far it is will be less exact.
    (void)guarded("blocks", [&]() -> Result<void> {
      all_ = static_cast<std::uint64_t>(state_.database.execAndGet("SELECT count(*) FROM block").getInt64());
      return {};
    });
    CommitNumber from = 1;
    const CommitNumber end = saved_head().next;
    // What lies behind a damaged page is looked for by its numbers.
    for (bool goes_on = true; goes_on;) {
      const auto some = guarded("blocks", [&]() -> Result<bool> { return check_some(from); });
      if (some) {
        goes_on = *some;
        continue;
      }
      if (some.error().code != ErrorCode::BadData) return std::unexpected(some.error());
      const auto next = readable_block_from(state_.database, from, end);
      add_damage(0, from, next ? *next - 1 : std::max(from, end - 1), some.error().message);
      before_.reset();
      goes_on = next.has_value();
      from = next.value_or(from);
    }
    if (depth_ == StoreReader::Depth::Full) check_structure();
    const auto summed = guarded("journals", [&]() -> Result<void> {
      const Snapshot snapshot(state_.database);
      find_holes();
      find_chain();
      return {};
    });
    if (!summed) add_damage(0, 0, 0, summed.error().message);
    return std::move(report_);
  }

 private:
  void add_damage(CommitNumber block, CommitNumber first, CommitNumber last, std::string what) {
    report_.damage.push_back({static_cast<std::int64_t>(block), first, last, std::move(what)});
  }

  // One read transaction. False: that was all.
  bool check_some(CommitNumber& from) {
    const Snapshot snapshot(state_.database);
    Rows rows = state_.sql.blocks_from.rows(from);
    for (std::size_t i = 0; i < blocks_per_snapshot; ++i) {
      if (!rows.next()) return false;
      BlockRow row = read_block_row(rows);
      expect_in_order(row, from);
      from = row.first + 1;
      if (const auto last = check(std::move(row))) from = *last + 1;
      ++report_.blocks;
      if (go_on_ && !go_on_(report_.blocks, std::max(all_, report_.blocks))) return false;
    }
    return true;
  }

  // The last commit number of a block that could be loaded.
  std::optional<CommitNumber> check(BlockRow row) {
    const CommitNumber first = row.first, last = row.last;
    const bool follows = before_ && before_->first + 1 == first;
    if (follows && before_->second != row.chain_before) {
      add_damage(first, first, last, "chain: does not go on from the block before");
    }
    before_ = {last, row.chain_after};
    if (row.has(block_quarantined)) {
      add_damage(first, first, last, "quarantined");
      return std::nullopt;
    }
    const auto block = load_block(body_, std::move(row));
    if (!block) {
      add_damage(first, first, last, block.error().message);
      if (block.error().code == ErrorCode::BadData) state_.shared->report_damage(first);
      return std::nullopt;
    }
    report_.frames += block->row.frames;
    report_.events += block->row.events;
    if (depth_ == StoreReader::Depth::Full) check_frames(*block);
    return last;
  }

  void check_frames(const LoadedBlock& block) {
    const CommitNumber first = block.row.first, last = block.row.last;
    Digest chain = block.row.chain_before;
    auto dropped = block.index.dropped.begin();
    const auto pass_dropped = [&](CommitNumber number) {
      for (; dropped != block.index.dropped.end() && dropped->first < number; ++dropped) chain = dropped->chain_after;
    };
    for (const BlockFrame& entry : block.index.frames) {
      pass_dropped(entry.number);
      const BytesView bytes = block.bytes_of(entry);
      const auto frame = Frame::decode(bytes, nullptr);
      if (!frame || (*frame)->events().size() != entry.events) {
        add_damage(first, entry.number, entry.number, "unreadable: " + (frame ? "event count" : frame.error().message));
      }
      chain = chain_link(chain, digest_of(bytes), block.index.origin_of(entry), entry.journal, entry.position);
    }
    pass_dropped(UINT64_MAX);
    if (chain != block.row.chain_after) add_damage(first, first, last, "chain");
    check_index(block);
  }

  void check_index(const LoadedBlock& block) {
    const auto contents = decode_contents(block.row.encoded_contents);
    if (!contents) return add_damage(block.row.first, block.row.first, block.row.last, contents.error().message);
    const auto has_all = guarded("index", [&]() -> Result<bool> {
      return std::ranges::all_of(contents->spans,
                                 [&](const BlockSpan& span) {
                                   return has_span_.rows(span.stream, span.first, block.row.first).next();
                                 }) &&
             std::ranges::all_of(contents->positions, [&](const BlockPositions& run) {
               return has_position_.rows(run.journal, run.range.first, block.row.first).next();
             });
    });
    if (has_all && *has_all) return check_names(block, *contents);
    const std::string what = has_all ? "index: rows that lead to it are gone" : has_all.error().message;
    add_damage(block.row.first, block.row.first, block.row.last, what);
  }

  // Questions name origins and streams by the rows of tables of their own.
  void check_names(const LoadedBlock& block, const BlockContents& contents) {
    const auto fits = guarded("names", [&]() -> Result<bool> {
      return std::ranges::all_of(block.index.streams,
                                 [&](const BlockStream& stream) {
                                   const Origin& origin = block.index.origins[stream.origin];
                                   Rows rows =
                                       state_.sql.stream.rows(origin.node, origin.incarnation, lane_index(stream.lane),
                                                              stream.type, stream.shard);
                                   if (!rows.next()) return false;
                                   const RowId row = rows.number(0);
                                   return std::ranges::any_of(
                                       contents.spans, [&](const BlockSpan& span) { return span.stream == row; });
                                 }) &&
             std::ranges::all_of(block.index.origins, [&](const Origin& origin) {
               Rows rows = state_.sql.origin.rows(origin.node, origin.incarnation);
               if (!rows.next()) return false;
               const RowId row = rows.number(0);
               return std::ranges::any_of(contents.positions,
                                          [&](const BlockPositions& run) { return run.journal / 2 == row; });
             });
    });
    if (fits && *fits) return;
    const std::string what = fits ? "index: the rows that name what is in it are changed" : fits.error().message;
    add_damage(block.row.first, block.row.first, block.row.last, what);
  }

  void check_structure() {
    // SQLite takes a file that was cut inside a free page for a whole one.
    if (const auto whole = check_length(state_.database.getFilename()); !whole) {
      add_damage(0, 0, 0, "structure: " + whole.error().message);
    }
    const auto checked = guarded("structure", [&]() -> Result<void> {
      Query query(state_.database, ("PRAGMA quick_check(" + std::to_string(structure_findings_max) + ")").c_str());
      Rows rows = query.rows();
      while (rows.next()) {
        if (rows.text(0) != "ok") add_damage(0, 0, 0, "structure: " + std::string(rows.text(0)));
      }
      return {};
    });
    if (!checked) add_damage(0, 0, 0, checked.error().message);
  }

  void find_holes() {
    std::map<RowId, PositionSet> held;
    for (const char* sql : {"SELECT journal, first, last FROM position", "SELECT journal, first, last FROM void"}) {
      Query query(state_.database, sql);
      for (Rows rows = query.rows(); rows.next();) held[rows.number(0)].add(read_range(rows, 1));
    }
    Query query(
        state_.database,
        "SELECT journal.id, node, incarnation, floor, held FROM journal JOIN origin ON origin.id = journal.origin"
        " ORDER BY node, incarnation, journal.id");
    Rows rows = query.rows();
    while (rows.next()) {
      const RowId row = rows.number(0);
      PositionSet& set = held[row];
      const Position floor = rows.count(3);
      // Dropped records have no rows; but what a quarantined block held is not held any more, here as there.
      if (const auto saved = decode_ranges(rows.blob(4))) {
        for (const PositionRange& range : *saved) set.add(range);
      }
      if (set.last() <= floor) continue;
      const std::string name = std::string(rows.text(1)) + ':' + std::to_string(rows.count(2)) + ':' +
                               std::string(to_string(row % 2 == 0 ? JournalKind::Confirmed : JournalKind::Captured));
      for (const PositionRange& hole : set.missing({floor + 1, set.last()})) report_.holes.emplace_back(name, hole);
    }
  }

  StoreHead saved_head() {
    const auto read = guarded("head", [&]() -> Result<StoreHead> {
      Query query(state_.database, "SELECT value FROM meta WHERE name = 'state'");
      Rows rows = query.rows();
      return rows.next() ? decode_head(rows.blob(0)) : StoreHead{};
    });
    return read.value_or(StoreHead{});
  }

  void find_chain() {
    const StoreHead head = saved_head();
    report_.chain = head.chain;
    Query last(state_.database, "SELECT last, chain_after FROM block ORDER BY first DESC LIMIT 1");
    Rows rows = last.rows();
    if (!rows.next() || rows.count(0) + 1 < head.next) return;
    const BytesView chain = rows.blob(1);
    if (chain.size() == report_.chain.size()) std::ranges::copy(chain, report_.chain.begin());
  }

  ReaderState& state_;
  StoreReader::Depth depth_;
  const std::function<bool(std::uint64_t, std::uint64_t)>& go_on_;
  Query body_, has_span_, has_position_;
  VerifyReport report_;
  std::uint64_t all_ = 0;
  std::optional<std::pair<CommitNumber, Digest>> before_;
};

}  // namespace

Result<VerifyReport> verify(ReaderState& state, StoreReader::Depth depth,
                            const std::function<bool(std::uint64_t done, std::uint64_t all)>& go_on) {
  return Verify(state, depth, go_on).run();
}

}  // namespace legion::spool
