// Which events of durable subscriptions are in a handler's hands, kept where it survives the death of the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/core/in_flight.hpp>
#include <legion/event/journal.hpp>

namespace legion {

/// A file in the state directory, mapped into memory: one slot for every run of events that can be in hands at a time.
/// It takes a few plain stores per event and no system call, because what a process has stored is in the file even when
/// the next instruction kills it. After a power cut the file may be torn: it is then worth nothing, and says so.
///
/// Thread: a slot belongs to one thread at a time; different slots to any. open() and forget() from any one thread.
/// Ownership: one process; the lock of the state directory sees to it. Bounds: slots_max slots of 512 bytes.
/// Errors: whatever the file holds, open() only fails when it cannot be written.
class InFlightFile {
 public:
  static constexpr std::uint32_t slots_max = 65536;

  /// A run of consecutive events of one stream for one subscription. The views are copied.
  struct Run {
    std::string_view subscription;  ///< its durable name; '/' and the agent's name: of a plain one
    std::string_view node;  ///< of the origin
    Incarnation incarnation = 0;
    Priority lane = Priority::Normal;
    std::string_view type;
    std::uint8_t shard = 0;
    std::uint64_t first = 1;  ///< sequence
    std::uint32_t count = 1;
    std::uint32_t attempt = 1;  ///< the hand-over that is being made, of every event of the run
    InFlightPath path{};
  };

  /// What a life that ended without a word had in hands, or had seen fail without the records to say so. Of the run
  /// first .. first + count - 1 the event in_hands() has used up `attempt` attempts; the ones before it were answered
  /// and the ones behind it not yet handed over.
  struct Held {
    std::string subscription;
    StreamId stream;
    std::uint64_t first = 1;
    std::uint32_t count = 1;
    std::uint32_t index = 0;
    std::uint32_t attempt = 1;
    InFlightEntry::Stage stage = InFlightEntry::Stage::InHands;
    InFlightPath path{};
    std::uint64_t in_hands() const { return first + index; }
    friend bool operator==(const Held&, const Held&) = default;
  };

  struct Opened;
  /// Reads what the last life left behind and begins afresh with `slots` empty slots (at most slots_max). What was held
  /// stays in the file, so that another crash does not forget it, until it is given to forget().
  /// Errors: Io naming the path.
  static Result<Opened> open(const std::filesystem::path& path, std::uint32_t slots);

  InFlightFile(InFlightFile&& other) noexcept;
  InFlightFile& operator=(InFlightFile&&) = delete;
  ~InFlightFile();

  std::uint32_t slots() const { return slots_; }

  /// The first event of `run` is about to be handed over. Names that are too long for the slot leave it empty.
  void begin(std::uint32_t slot, const Run& run);
  /// Event `index` of the run (0, 1, 2..) is about to be handed over; the ones before it are answered.
  void advance(std::uint32_t slot, std::uint32_t index);
  /// The event in hands was answered: that attempt is Failed or Rejected. The slot keeps saying so until it is used
  /// again.
  void fail(std::uint32_t slot, InFlightEntry::Stage how);
  /// Everything that was handed over is answered, and nothing of it failed.
  void clear(std::uint32_t slot);

  /// `held` is an index into Opened::held: its attempts are recorded elsewhere now, or it is of no interest.
  void forget(std::size_t held);

 private:
  struct Slot;
  struct Remains {
    std::vector<Held> held;
    std::string trouble;
  };
  static Remains read_remains(std::string_view content);
  InFlightFile(void* memory, std::size_t bytes, std::uint32_t slots, std::size_t held);
  Slot& slot_at(std::size_t index) const;

  void* memory_;
  std::size_t bytes_;
  std::uint32_t slots_;
  std::size_t held_;
};

struct InFlightFile::Opened {
  InFlightFile file;
  std::vector<Held> held;  ///< each event once, with the highest attempt
  std::string trouble;  ///< for the log: what could not be read, so that its attempts do not count; empty: nothing
};

}  // namespace legion
