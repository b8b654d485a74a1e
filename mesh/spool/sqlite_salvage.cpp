// Reading what can be read of a broken store.
#include <algorithm>
#include <optional>

#include <legion/spool/sqlite_rebuild.hpp>
#include <legion/spool/sqlite_recovery.hpp>
#include <legion/spool/sqlite_schema.hpp>
#include <legion/spool/sqlite_upkeep.hpp>

namespace legion::spool {
namespace {

// More than were ever made: the log of what was salvaged cannot be taken for one of the new database.
constexpr std::int64_t copies_skipped = std::int64_t{1} << 40;

/// From a broken store into a new one.
class Salvage {
 public:
  Salvage(SQLite::Database source, WriterState& target, std::vector<std::string>& findings)
      : source_(std::move(source)), target_(target), findings_(findings) {}

  Result<void> run() {
    return guarded("cannot salvage into " + target_.path, [&]() -> Result<void> {
      SQLite::Transaction transaction(target_.database, SQLite::TransactionBehavior::IMMEDIATE);
      for (const char* table : {"origin", "journal", "stream", "void", "void_span", "cursor", "cursor_stream",
                                "attempt", "dead_letter", "mark"}) {
        copy_rows(table);
      }
      copy_head();
      if (auto loaded = load(target_); !loaded) return loaded;
      // What was held is what is found; only floors are taken over.
      for (auto& [origin, book] : target_.books) {
        for (JournalBook& journal : book.journals) {
          journal.held = journal.voids;
          journal.is_unsaved = true;
        }
      }
      const CommitNumber next = target_.head.next;
      const Digest chain = target_.head.chain;
      target_.head = {};
      copy_blocks(next > 1 ? next : 0);
      if (next > target_.head.next) {
        target_.head.next = next;
        target_.head.chain = chain;
      }
      save(target_);
      transaction.commit();
      findings_.push_back("the structure of the store was broken; " + std::to_string(target_.head.blocks) +
                          " blocks were salvaged; places that could not be read: " + std::to_string(lost_));
      return {};
    });
  }

 private:
  // As far as they can be read.
  void copy_rows(const std::string& table) {
    const auto copied = guarded("table " + table, [&]() -> Result<void> {
      SQLite::Statement from(source_, "SELECT * FROM " + table);
      std::string places = "?";
      for (int i = 1; i < from.getColumnCount(); ++i) places += ", ?";
      SQLite::Statement to(target_.database, "INSERT OR REPLACE INTO " + table + " VALUES(" + places + ")");
      while (from.executeStep()) {
        for (int i = 0; i < from.getColumnCount(); ++i) bind(to, i + 1, from.getColumn(i));
        to.exec();
        to.reset();
      }
      return {};
    });
    if (!copied) findings_.push_back(copied.error().message);
  }

  static void bind(SQLite::Statement& to, int index, const SQLite::Column& value) {
    if (value.isNull()) return to.bind(index);
    if (value.isInteger()) return to.bind(index, value.getInt64());
    if (value.isText()) return to.bind(index, value.getString());
    const void* const bytes = value.getBlob();
    to.bind(index, bytes != nullptr ? bytes : "", value.getBytes());
  }

  void copy_head() {
    const auto copied = guarded("table meta", [&]() -> Result<void> {
      Query query(source_, "SELECT name, value FROM meta");
      Rows rows = query.rows();
      while (rows.next()) {
        if (rows.text(0) == "copies") {
          target_.sql.put_meta.run("copies", rows.number(1) + copies_skipped);
        } else {
          target_.sql.put_meta.run(rows.text(0), rows.blob(1));
        }
      }
      return {};
    });
    if (!copied) findings_.push_back(copied.error().message);
  }

  // Past every part of the table that cannot be read: what lies behind it is looked for by its numbers.
  void copy_blocks(CommitNumber end) {
    std::optional<CommitNumber> from = 1;
    while (from && !copy_rows_from(*from)) {
      ++lost_;
      from = readable_block_from(source_, *from, end);
    }
  }

  // False: damage stopped it; `from` is then behind what was copied. Any other failure ends the whole.
  bool copy_rows_from(CommitNumber& from) {
    try {
      Query query(source_, "SELECT " LEGION_BLOCK_COLUMNS " FROM block WHERE first >= ? ORDER BY first");
      Rows rows = query.rows(from);
      while (rows.next()) {
        BlockRow row = read_block_row(rows);
        expect_in_order(row, from);
        from = row.first + 1;
        copy(std::move(row));
      }
      return true;
    } catch (const SQLite::Exception& exception) {
      if (error_of("", exception).code != ErrorCode::BadData) throw;
      return false;
    }
  }

  void copy(BlockRow row) {
    const CommitNumber first = row.first, last = row.last;
    if (row.has(block_quarantined)) return count_lost(first, last);
    auto block = load_block(body(), std::move(row));
    if (!block) return count_lost(first, last);
    // Rows that lead to it are made anew: those that were there may be broken.
    target_.builder.begin(first, block->row.chain_before);
    add_to_builder(target_, *block);
    const SealedBlock& sealed = target_.builder.seal(block->row.chain_after);
    insert_block(target_, sealed);
    for (const BlockFrame& frame : block->index.frames) note(*block, frame);
    target_.head.next = std::max(target_.head.next, last + 1);
    target_.head.chain = block->row.chain_after;
  }

  void note(const LoadedBlock& block, const BlockFrame& frame) {
    const Origin& origin = block.index.origin_of(frame);
    origin_book(target_, origin).of(frame.journal).held.add({frame.position, frame.position});
    if (block.index.streams[frame.stream].type != record_type) return;
    for (const StampedRecord& record : records_of(block.bytes_of(frame))) target_.records.apply(record, origin);
  }

  void count_lost(CommitNumber first, CommitNumber last) {
    ++lost_;
    findings_.push_back("the block of commits " + std::to_string(first) + " to " + std::to_string(last) +
                        " could not be salvaged");
  }

  Query& body() {
    if (!body_) body_.emplace(source_, select_body);
    return *body_;
  }

  SQLite::Database source_;
  WriterState& target_;
  std::vector<std::string>& findings_;
  std::optional<Query> body_;
  std::uint64_t lost_ = 0;
};

}  // namespace

Result<void> make_salvaged(const std::string& path, const std::string& target, const SqliteStore::Options& options,
                           std::vector<std::string>& findings) {
  return guarded("cannot salvage " + path, [&]() -> Result<void> {
    SQLite::Database source = connect(path, {.access = Access::ReadOnly, .page_bytes = 0, .vfs = options.vfs});
    keep_log_on_close(source);
    if (auto ok = check_stamp(source, path); !ok) return ok;
    if (auto made = make_private_file(target); !made) return made;
    SQLite::Database fresh =
        connect(target, {.access = Access::ReadWrite, .page_bytes = options.page_bytes, .vfs = options.vfs});
    if (auto prepared = prepare_schema(fresh, target, StoreId{}); !prepared) return prepared;
    WriterState state(target, options, std::move(fresh), std::make_shared<SharedFigures>());
    if (auto done = Salvage(std::move(source), state, findings).run(); !done) return done;
    settle(state);
    return {};
  });
}

}  // namespace legion::spool
