#include <legion/runtime/in_flight_file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include <xxhash.h>

#include <legion/base/assert.hpp>
#include <legion/base/planted.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/share.hpp>
#include <legion/event/spool_record.hpp>
#include <legion/runtime/open_file.hpp>

namespace legion {

namespace {

constexpr std::size_t slot_bytes = 512;
constexpr std::array<char, 8> magic{'l', 'g', 'n', 'f', 'l', 'i', 'g', 'h'};
constexpr std::uint32_t version = 2;
constexpr std::size_t owner_bytes_max = limits::node_name_bytes_max + 1;
constexpr std::size_t text_bytes_max = owner_bytes_max + limits::node_name_bytes_max + limits::wire_type_bytes_max;
constexpr std::uint32_t count_max = 65536;
/// In the upper half of Slot::state of a slot that is in use; the lower half is the index.
constexpr std::uint64_t in_use = 0x1f1167a1ull << 32;
constexpr std::uint64_t failed = 0x1f1167a2ull << 32;    // the event it was used for failed
constexpr std::uint64_t rejected = 0x1f1167a3ull << 32;  // it was rejected

std::uint64_t state_of(InFlightEntry::Stage stage) {
  switch (stage) {
    case InFlightEntry::Stage::InHands: return in_use;
    case InFlightEntry::Stage::Failed: return failed;
    case InFlightEntry::Stage::Rejected: return rejected;
  }
  return in_use;
}

std::optional<InFlightEntry::Stage> stage_of(std::uint64_t state) {
  using enum InFlightEntry::Stage;
  for (const InFlightEntry::Stage stage : {InHands, Failed, Rejected}) {
    if (state_of(stage) == state) return stage;
  }
  return std::nullopt;
}

/// The first slot_bytes of the file; the rest of them is zero.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t slot_bytes;
  std::uint32_t slots;
  std::uint32_t held;
};

bool is_owner_name(std::string_view name) {
  return name.starts_with('/') ? is_node_name(name.substr(1)) : is_cursor_name(name);
}

}  // namespace

/// What a store leaves out is caught by the order: `state` is 0 while the rest is being written. The checksum is for
/// files that were damaged while nobody had them.
struct InFlightFile::Slot {
  std::uint64_t state;
  std::uint64_t names_sum;  ///< over the names and their lengths
  std::uint64_t checksum;   ///< over names_sum and the numbers
  std::uint64_t incarnation;
  std::uint64_t first;
  std::uint32_t count;
  std::uint32_t attempt;
  std::uint32_t round;
  std::uint8_t role;
  std::uint8_t lane;
  std::uint8_t shard;
  std::uint8_t subscription_bytes;
  std::uint8_t node_bytes;
  std::uint8_t type_bytes;
  std::array<char, text_bytes_max> text;  ///< subscription, node, type

  /// A killed process has done every store up to some instruction and none behind it, so that keeping the compiler from
  /// moving them is enough.
  void set_state(std::uint64_t value) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::atomic_ref(state).store(value, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  std::size_t text_bytes() const { return std::size_t{subscription_bytes} + node_bytes + type_bytes; }
  std::string_view subscription() const { return {text.data(), subscription_bytes}; }
  std::string_view node() const { return {text.data() + subscription_bytes, node_bytes}; }
  std::string_view type() const { return {text.data() + subscription_bytes + node_bytes, type_bytes}; }

  /// Of the names as they stand here.
  std::uint64_t sum_of_names() const {
    const std::uint64_t lengths = subscription_bytes | node_bytes << 8 | type_bytes << 16;
    return XXH3_64bits_withSeed(text.data(), text_bytes(), lengths);
  }
  /// From values in registers: reading back what was just written in other widths takes ten times as long.
  static std::uint64_t sum_of(std::uint64_t names, const Run& run) {
    std::uint64_t sum = names;
    for (const std::uint64_t part :
         {run.incarnation, run.first, std::uint64_t{run.count} << 32 | run.attempt,
          std::uint64_t{run.path.round} << 32 | static_cast<std::uint64_t>(run.path.role) << 16 |
              lane_index(run.lane) << 8 | run.shard}) {
      sum = (sum ^ part) * 0x9e3779b97f4a7c15;
      sum ^= sum >> 32;
    }
    return sum;
  }

  /// The next run of a slot is mostly one of the same stream, so that the names are there already.
  void fill(const Run& run) {
    if (run.subscription != subscription() || run.node != node() || run.type != type()) fill_names(run);
    incarnation = run.incarnation;
    first = run.first;
    count = run.count;
    attempt = run.attempt;
    lane = static_cast<std::uint8_t>(lane_index(run.lane));
    shard = run.shard;
    round = run.path.round;
    role = static_cast<std::uint8_t>(run.path.role);
    checksum = sum_of(names_sum, run);
  }
  void fill_names(const Run& run) {
    subscription_bytes = static_cast<std::uint8_t>(run.subscription.size());
    node_bytes = static_cast<std::uint8_t>(run.node.size());
    type_bytes = static_cast<std::uint8_t>(run.type.size());
    char* end = text.data();
    for (const std::string_view part : {run.subscription, run.node, run.type}) {
      end = std::copy(part.begin(), part.end(), end);
    }
    names_sum = sum_of_names();
  }

  bool is_free() const { return state == 0; }

  /// Nothing: this was never written by fill() and set_state().
  std::optional<Held> read() const {
    const auto index = static_cast<std::uint32_t>(state);
    const auto stage = stage_of(state - index);
    if (LEGION_PLANTED(InHandsForgotten)) return std::nullopt;
    if (!stage || text_bytes() > text.size() || lane >= limits::lane_count) return std::nullopt;
    if (role > static_cast<std::uint8_t>(InFlightPath::Role::Gate)) return std::nullopt;
    const InFlightPath path{static_cast<InFlightPath::Role>(role), round};
    const Run run{subscription(), node(),  incarnation, static_cast<Priority>(lane), type(), shard, first,
                  count,          attempt, path};
    if (sum_of_names() != names_sum || sum_of(names_sum, run) != checksum) return std::nullopt;
    if (index >= count || count > count_max || attempt == 0 || first == 0 || first + count < first) return std::nullopt;
    if (!is_owner_name(run.subscription) || !is_node_name(run.node) || !is_wire_type(run.type)) return std::nullopt;
    Held held;
    held.subscription = run.subscription;
    held.stream = {{std::string(run.node), incarnation}, run.lane, std::string(run.type), shard};
    held.first = first;
    held.count = count;
    held.index = index;
    held.attempt = attempt;
    held.path = path;
    held.stage = *stage;
    return held;
  }
};

namespace {

/// At most `bytes_max` bytes of the file; empty when there is none.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0 && errno == ENOENT) return std::string();
  struct stat status{};
  if (file.fd < 0 || ::fstat(file.fd, &status) != 0) return io_error(path, "open");
  std::string content(std::min(bytes_max, static_cast<std::size_t>(std::max<off_t>(status.st_size, 0))), '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(file.fd, content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error(path, "read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  content.resize(size);
  return content;
}

/// Replaces the file by `content` and maps it.
Result<void*> write_and_map(const std::filesystem::path& path, std::string_view content) {
  auto temporary = path;
  temporary += ".new";
  const OpenFile file(::open(temporary.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
  if (file.fd < 0) return io_error(temporary, "create");
  // Written out, not only made longer: a hole for which the disk has no room would end the process at a store.
  for (std::string_view rest = content; !rest.empty();) {
    const ssize_t written = ::write(file.fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error(temporary, "write");
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fdatasync(file.fd) != 0) return io_error(temporary, "write");
  void* memory = ::mmap(nullptr, content.size(), PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (memory == MAP_FAILED) return io_error(temporary, "map");
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    ::munmap(memory, content.size());
    return io_error(path, "replace");
  }
  return memory;
}

}  // namespace

InFlightFile::Remains InFlightFile::read_remains(std::string_view content) {
  if (content.empty()) return {};  // the first life
  Header header{};
  std::memcpy(&header, content.data(), std::min(sizeof header, content.size()));
  const std::size_t expected = (1 + std::size_t{header.slots} + header.held) * slot_bytes;
  if (header.magic != magic) return {{}, "is no file of ours"};
  if (header.version != version || header.slot_bytes != slot_bytes) return {{}, "was written by another version"};
  if (content.size() != expected) {
    return {{}, "has " + std::to_string(content.size()) + " bytes instead of " + std::to_string(expected)};
  }
  // An event may be there twice: as it was kept, and as it was handed over once more.
  std::map<std::tuple<std::string, StreamId, std::uint64_t, InFlightPath>, Held> found;
  std::size_t damaged = 0;
  for (std::size_t at = slot_bytes; at < content.size(); at += slot_bytes) {
    Slot slot;
    std::memcpy(&slot, content.data() + at, sizeof slot);
    if (slot.is_free()) continue;
    auto held = slot.read();
    if (!held) {
      ++damaged;
      continue;
    }
    Held& best = found[{held->subscription, held->stream, held->in_hands(), held->path}];
    if (best.subscription.empty() || best.attempt < held->attempt) best = *std::move(held);
  }
  Remains remains;
  for (auto& [key, held] : found) {
    if (remains.held.size() < slots_max) remains.held.push_back(std::move(held));
  }
  if (damaged > 0) remains.trouble = "has " + std::to_string(damaged) + " damaged entries";
  if (found.size() > slots_max) remains.trouble = "has " + std::to_string(found.size()) + " entries, too many to keep";
  return remains;
}

Result<InFlightFile::Opened> InFlightFile::open(const std::filesystem::path& path, std::uint32_t slots) {
  static_assert(sizeof(Slot) <= slot_bytes && sizeof(Header) <= slot_bytes);
  slots = std::min(slots, slots_max);
  // Twice: the slots of the last life and what it had kept of those before. And one byte by which too large shows.
  const auto content = read_file(path, (1 + 2 * std::size_t{slots_max}) * slot_bytes + 1);
  if (!content) return std::unexpected(content.error());
  Remains remains = read_remains(*content);

  const Header header{magic, version, slot_bytes, slots, static_cast<std::uint32_t>(remains.held.size())};
  std::string fresh((1 + std::size_t{slots} + header.held) * slot_bytes, '\0');
  std::memcpy(fresh.data(), &header, sizeof header);
  for (std::size_t i = 0; i < remains.held.size(); ++i) {
    const Held& held = remains.held[i];
    Slot slot{};
    slot.fill({held.subscription, held.stream.origin.node, held.stream.origin.incarnation, held.stream.lane,
               held.stream.type, held.stream.shard, held.first, held.count, held.attempt, held.path});
    slot.set_state(state_of(held.stage) | held.index);
    std::memcpy(fresh.data() + (1 + slots + i) * slot_bytes, &slot, sizeof slot);
  }
  const auto memory = write_and_map(path, fresh);
  if (!memory) return std::unexpected(memory.error());
  InFlightFile file(*memory, fresh.size(), slots, remains.held.size());
  if (!remains.trouble.empty()) remains.trouble = path.string() + ' ' + remains.trouble;
  return Opened{std::move(file), std::move(remains.held), std::move(remains.trouble)};
}

InFlightFile::InFlightFile(void* memory, std::size_t bytes, std::uint32_t slots, std::size_t held)
    : memory_(memory), bytes_(bytes), slots_(slots), held_(held) {}

InFlightFile::InFlightFile(InFlightFile&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_), slots_(other.slots_), held_(other.held_) {}

InFlightFile::~InFlightFile() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

InFlightFile::Slot& InFlightFile::slot_at(std::size_t index) const {
  return *reinterpret_cast<Slot*>(static_cast<char*>(memory_) + (1 + index) * slot_bytes);
}

void InFlightFile::begin(std::uint32_t slot, const Run& run) {
  LEGION_ASSERT(slot < slots_ && run.count > 0 && run.count <= count_max);
  Slot& into = slot_at(slot);
  into.set_state(0);
  const std::size_t slash = run.subscription.starts_with('/') ? 1 : 0;
  const bool fits = run.subscription.size() <= limits::node_name_bytes_max + slash &&
                    run.node.size() <= limits::node_name_bytes_max && run.type.size() <= limits::wire_type_bytes_max;
  if (!fits) return;
  into.fill(run);
  into.set_state(in_use);
}

void InFlightFile::advance(std::uint32_t slot, std::uint32_t index) {
  LEGION_ASSERT(slot < slots_);
  Slot& into = slot_at(slot);
  if (!into.is_free()) into.set_state(in_use | index);
}

void InFlightFile::fail(std::uint32_t slot, InFlightEntry::Stage how) {
  LEGION_ASSERT(slot < slots_);
  Slot& into = slot_at(slot);
  if (!into.is_free()) into.set_state(state_of(how) | static_cast<std::uint32_t>(into.state));
}

void InFlightFile::clear(std::uint32_t slot) {
  LEGION_ASSERT(slot < slots_);
  slot_at(slot).set_state(0);
}

void InFlightFile::forget(std::size_t held) {
  LEGION_ASSERT(held < held_);
  slot_at(slots_ + held).set_state(0);
}

}  // namespace legion
