#include "faulty_vfs.hpp"

#include <new>

namespace legion::spool_test {
namespace {

// The real file lies behind it.
struct FaultyFile {
  sqlite3_file base;
  FaultyVfs* owner;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

FaultyFile* of(sqlite3_file* file) { return reinterpret_cast<FaultyFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return of(file)->real(); }
const sqlite3_io_methods* methods(sqlite3_file* file) { return real(file)->pMethods; }

const sqlite3_io_methods faulty_methods{
    .iVersion = 2,  // without memory mapping
    .xClose = [](sqlite3_file* f) { return methods(f)->xClose(real(f)); },
    .xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) { return methods(f)->xRead(real(f), to, n, at); },
    .xWrite =
        [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
          const int code = of(f)->owner->on_write();
          return code != SQLITE_OK ? code : methods(f)->xWrite(real(f), from, n, at);
        },
    .xTruncate = [](sqlite3_file* f, sqlite3_int64 size) { return methods(f)->xTruncate(real(f), size); },
    .xSync =
        [](sqlite3_file* f, int flags) {
          const int code = of(f)->owner->on_sync();
          return code != SQLITE_OK || of(f)->owner->skips_syncs() ? code : methods(f)->xSync(real(f), flags);
        },
    .xFileSize = [](sqlite3_file* f, sqlite3_int64* size) { return methods(f)->xFileSize(real(f), size); },
    .xLock = [](sqlite3_file* f, int lock) { return methods(f)->xLock(real(f), lock); },
    .xUnlock = [](sqlite3_file* f, int lock) { return methods(f)->xUnlock(real(f), lock); },
    .xCheckReservedLock = [](sqlite3_file* f, int* out) { return methods(f)->xCheckReservedLock(real(f), out); },
    .xFileControl = [](sqlite3_file* f, int op, void* arg) { return methods(f)->xFileControl(real(f), op, arg); },
    .xSectorSize = [](sqlite3_file* f) { return methods(f)->xSectorSize(real(f)); },
    .xDeviceCharacteristics = [](sqlite3_file* f) { return methods(f)->xDeviceCharacteristics(real(f)); },
    .xShmMap = [](sqlite3_file* f, int page, int size, int extend,
                  void volatile** out) { return methods(f)->xShmMap(real(f), page, size, extend, out); },
    .xShmLock = [](sqlite3_file* f, int offset, int n,
                   int flags) { return methods(f)->xShmLock(real(f), offset, n, flags); },
    .xShmBarrier = [](sqlite3_file* f) { methods(f)->xShmBarrier(real(f)); },
    .xShmUnmap = [](sqlite3_file* f, int remove) { return methods(f)->xShmUnmap(real(f), remove); },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* owner = static_cast<FaultyVfs*>(vfs->pAppData);
  auto* faulty = new (file) FaultyFile{{nullptr}, owner};
  faulty->real()->pMethods = nullptr;
  const int code = owner->real()->xOpen(owner->real(), name, faulty->real(), flags, out_flags);
  if (faulty->real()->pMethods != nullptr) faulty->base.pMethods = &faulty_methods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs(std::string name)
    : name_(std::move(name)), real_(sqlite3_vfs_find(nullptr)), vfs_(std::make_unique<sqlite3_vfs>(*real_)) {
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->pNext = nullptr;
  vfs_->szOsFile = static_cast<int>(sizeof(FaultyFile)) + real_->szOsFile;
  vfs_->xOpen = open_file;
  sqlite3_vfs_register(vfs_.get(), 0);
}

FaultyVfs::~FaultyVfs() { sqlite3_vfs_unregister(vfs_.get()); }

int FaultyVfs::on_write() {
  if (writes_left_ < 0) return SQLITE_OK;
  if (writes_left_ > 0) return --writes_left_, SQLITE_OK;
  ++failures_;
  return write_code_;
}

int FaultyVfs::on_sync() {
  ++syncs_;
  if (syncs_left_ < 0) return SQLITE_OK;
  if (syncs_left_ > 0) return --syncs_left_, SQLITE_OK;
  ++failures_;
  return SQLITE_IOERR_FSYNC;
}

}  // namespace legion::spool_test
