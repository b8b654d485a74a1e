#include <legion/spool/sqlite_store.hpp>

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <sodium.h>
#include <sqlite3.h>

#include <legion/spool/journal_check.hpp>
#include <legion/spool/sqlite_append.hpp>
#include <legion/spool/sqlite_reader.hpp>
#include <legion/spool/sqlite_recovery.hpp>
#include <legion/spool/sqlite_schema.hpp>
#include <legion/spool/sqlite_state.hpp>
#include <legion/spool/sqlite_upkeep.hpp>

namespace legion {

using namespace spool;

namespace {

ConnectionOptions connection_of(const SqliteStore::Options& options, Access access) {
  return {.access = access, .page_bytes = options.page_bytes, .vfs = options.vfs};
}

Result<std::unique_ptr<WriterState>> open_writer(const std::string& path, SqliteStore::Options options,
                                                 SharedFiguresPtr shared) {
  return guarded("cannot open " + path, [&]() -> Result<std::unique_ptr<WriterState>> {
    const bool is_writing = options.mode == SqliteStore::Mode::ReadWrite;
    SQLite::Database database =
        connect(path, connection_of(options, is_writing ? Access::ReadWrite : Access::ReadOnly));
    // SQLite opens what it may not write for reading, and says so at the first write.
    if (is_writing && sqlite3_db_readonly(database.getHandle(), "main") != 0) {
      return fail(ErrorCode::Io, "the store " + path + " cannot be written");
    }
    StoreId id;
    randombytes_buf(id.bytes.data(), id.bytes.size());
    auto prepared = is_writing ? prepare_schema(database, path, id) : check_schema(database, path);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    auto state = std::make_unique<WriterState>(path, std::move(options), std::move(database), std::move(shared));
    if (is_writing) {  // before settle()
      if (auto whole = check_length(path); !whole) return std::unexpected(std::move(whole.error()));
    }
    // What was written but not synced before a crash looks fine and is not: nothing is reported before it is on disk.
    if (is_writing) settle(*state);
    if (const auto loaded = load(*state); !loaded) {
      return fail(loaded.error().code, "cannot open " + path + ": " + loaded.error().message);
    }
    if (is_writing) {
      if (auto checked = check_end(*state); !checked) return std::unexpected(std::move(checked.error()));
    }
    return state;
  });
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& given, Options options) {
  const std::string path = without_links(given);
  if (sodium_init() < 0) return fail(ErrorCode::Internal, "libsodium does not start");
  auto state = std::make_unique<State>();
  state->shared = std::make_shared<SharedFigures>();
  if (options.mode == Mode::ReadWrite) {
    auto lock = StoreLock::acquire(path);
    if (!lock) return std::unexpected(std::move(lock.error()));
    state->lock.emplace(std::move(*lock));
    if (auto ours = check_owner(path); !ours) return std::unexpected(std::move(ours.error()));
    if (auto made = make_private_file(path); !made) return std::unexpected(std::move(made.error()));
  } else if (access(path.c_str(), F_OK) != 0) {
    return fail(ErrorCode::NotFound, "there is no store " + path);
  }
  const bool is_writing = options.mode == Mode::ReadWrite;
  if (is_writing) {
    if (auto fits = set_stale_log_aside(path, options.vfs, state->findings); !fits)
      return std::unexpected(fits.error());
    if (is_broken(path, options.vfs)) {
      if (auto saved = salvage(path, options, state->findings); !saved) return std::unexpected(saved.error());
    }
  }
  auto writer = open_writer(path, options, state->shared);
  // Damage that is only met while something is written freezes the store, and leaves a mark.
  const auto is_damaged = [&] { return writer.error().code == ErrorCode::BadData || is_broken(path, options.vfs); };
  if (!writer && is_writing && is_damaged()) {
    const Error reason = writer.error();
    if (auto saved = salvage(path, options, state->findings); !saved) {
      return fail(reason.code, reason.message + "; it could not be salvaged: " + saved.error().message);
    }
    state->findings.insert(state->findings.begin(), reason.message);
    state->shared = std::make_shared<SharedFigures>();  // the old ones may be frozen
    writer = open_writer(path, options, state->shared);
  }
  if (!writer) return std::unexpected(std::move(writer.error()));
  state->writer = std::move(*writer);
  return std::make_unique<SqliteStore>(std::move(state));
}

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

SqliteStore::~SqliteStore() {
  WriterState& writer = *state_->writer;
  if (writer.options.mode == Mode::ReadWrite && !writer.shared->frozen()) close(writer);
}

const std::vector<std::string>& SqliteStore::findings() const { return state_->findings; }

const StoreId& SqliteStore::id() const { return state_->writer->id; }

Result<void> SqliteStore::append(std::span<const JournalRecord> records, WallTime now) {
  return spool::append(*state_->writer, records, now);
}

Result<void> SqliteStore::bind(const Origin& origin, const BootId& boot) {
  WriterState& writer = *state_->writer;
  if (auto ok = writable(writer); !ok) return ok;
  if (auto ok = check_origin(origin); !ok) return ok;
  const auto known = writer.books.find(origin);
  if (known != writer.books.end() && known->second.boot) {
    if (*known->second.boot == boot) return {};
    return fail(ErrorCode::Refused, "the journals of " + origin.node + " in its life " +
                                        std::to_string(origin.incarnation) + " belong to boot " +
                                        known->second.boot->hex() + ", not to " + boot.hex());
  }
  const auto bound = spool::write(writer, "bind an origin in", Sync::Now,
                                  [&] { writer.sql.bind_origin.run(boot.bytes, origin_book(writer, origin).row); });
  if (bound) writer.books.at(origin).boot = boot;
  return bound;
}

Result<void> SqliteStore::set_released(const Origin& origin, JournalKind journal, std::uint8_t spools,
                                       Position through) {
  WriterState& writer = *state_->writer;
  if (auto ok = writable(writer); !ok) return ok;
  if (auto ok = check_origin(origin); !ok) return ok;
  if (spools == 0) return {};
  JournalBook after;
  if (const auto known = writer.books.find(origin); known != writer.books.end()) {
    after.released = known->second.of(journal).released;
  }
  const auto before = after.released;
  after.release(spools, std::min<Position>(through, stored_number_max));
  if (after.released == before) return {};
  // Not worth a sync: the origin says it again, or is over.
  const auto noted = spool::write(writer, "note what is released in", Sync::WithTheNext, [&] {
    JournalBook& book = origin_book(writer, origin).of(journal);
    book.released = after.released;
    save_journal(writer, book);
  });
  if (!noted && writer.books.contains(origin)) writer.books.at(origin).of(journal).released = before;
  return noted;
}

Result<void> SqliteStore::set_final(const Origin& origin, Position confirmed, Position captured) {
  WriterState& writer = *state_->writer;
  if (auto ok = check_origin(origin); !ok) return ok;
  const Position last_confirmed = std::min<Position>(confirmed, stored_number_max);
  const Position last_captured = std::min<Position>(captured, stored_number_max);
  const auto ended = spool::write(writer, "end an origin in", Sync::Now, [&] {
    writer.sql.finish_origin.run(last_confirmed, last_captured, origin_book(writer, origin).row);
  });
  if (!ended) return ended;
  OriginBook& book = writer.books.at(origin);
  book.of(JournalKind::Confirmed).final = last_confirmed;
  book.of(JournalKind::Captured).final = last_captured;
  return {};
}

Result<void> SqliteStore::set_floor(const Origin& origin, JournalKind journal, Position through) {
  WriterState& writer = *state_->writer;
  if (auto ok = check_origin(origin); !ok) return ok;
  const Position floor = std::min<Position>(through, stored_number_max);
  const auto known = writer.books.find(origin);
  if (floor == 0 || (known != writer.books.end() && known->second.of(journal).floor >= floor)) return writable(writer);
  return spool::write(writer, "raise a floor in", Sync::Now, [&] {
    raise_floor(writer, origin_book(writer, origin).of(journal), floor);
    save(writer);
  });
}

Result<void> SqliteStore::mark(const std::string& name, WallTime now) {
  WriterState& writer = *state_->writer;
  return spool::write(writer, "put a mark in", Sync::Now,
                      [&] { writer.sql.put_mark.run(name, writer.head.next, now.ns); });
}

Result<bool> SqliteStore::maintain(WallTime now, const RetentionPolicy& retention) {
  return spool::maintain(*state_->writer, now, retention);
}

Result<void> SqliteStore::backup(const std::string& path) { return spool::backup(*state_->writer, path); }

std::vector<JournalState> SqliteStore::journals() const { return states_of(state_->writer->books); }

StoreFigures SqliteStore::figures() const { return state_->shared->get(); }

std::optional<std::string> SqliteStore::frozen() const {
  const std::string* reason = state_->shared->frozen();
  return reason != nullptr ? std::optional<std::string>(*reason) : std::nullopt;
}

Result<std::unique_ptr<StoreReader>> SqliteStore::open_reader() {
  const WriterState& writer = *state_->writer;
  return guarded("cannot open a reader of " + writer.path, [&]() -> Result<std::unique_ptr<StoreReader>> {
    return std::make_unique<SqliteReader>(connect(writer.path, connection_of(writer.options, Access::ReadOnly)),
                                          state_->shared);
  });
}

}  // namespace legion
