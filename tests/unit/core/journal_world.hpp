// One journal, its spools with model stores, and links that lose what is under way, all from one seed.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/journal.hpp>
#include <legion/core/journal_inlet.hpp>

#include "journal_kit.hpp"

namespace legion::journal_kit {

/// What is on a disk.
struct Disk {
  struct Entry {
    SharedBytes frame;               // null: a void
    std::vector<StreamSpan> spans;   // of the void
    Position last = 0;               // of the void
  };
  std::array<std::map<Position, Entry>, 2> entries;

  bool has(std::size_t journal, Position position) const { return entries[journal].contains(position); }
  bool has_frame(std::size_t journal, Position position) const;
  void append(const JournalRecord& record);
  std::vector<PositionRange> ranges(std::size_t journal) const;
};

class JournalWorld {
 public:
  enum class Restores { Never, Sometimes };
  JournalWorld(std::uint64_t seed, Restores restores);

  /// One random thing happens.
  void step();
  /// All faults end: everything is delivered and committed, and spools fill their holes from each other.
  void settle();
  /// The first rule that was broken; "" while all hold.
  const std::string& trouble() const { return trouble_; }

  struct Sums {
    std::uint64_t frames = 0, voided_events = 0, disconnects = 0, crashes = 0, restores = 0, rewinds = 0, skipped = 0,
                  duplicates = 0;
  };
  Sums sums() const;

 private:
  struct Publication {
    std::string type;
    std::uint64_t first = 0;
    std::uint32_t count = 0;
    std::uint8_t spools = 1;
    bool held = false;
    SharedBytes frame;
  };
  struct Spool {
    StoreId id;
    Disk disk;
    std::vector<Disk> copies;
    std::deque<JournalRecord> waiting;         // given to the store
    std::size_t committing = 0;                // of them
    std::unique_ptr<JournalInlet> inlet;
    std::array<Position, 2> given{};           // in this life, in ascending order
    std::array<std::set<Position>, 2> lost;    // by a restored copy the node has not heard of
    std::array<std::set<Position>, 2> ever_lost;
    std::array<std::set<Position>, 2> skipped;
    std::array<Position, required_spools_max> released{};
    std::optional<std::array<Position, 2>> final;
    bool frozen = false;
  };
  /// A connection under a node name.
  struct Line {
    std::string name;
    Spool* spool = nullptr;
    bool connected = false;
    std::string peer;
    std::deque<ToSpool> to_spool;
    std::deque<FromSpool> from_spool;
  };

  void publish();
  void deliver_some(Line& line);
  void deliver_to_spool(Line& line);
  void deliver_to_node(Line& line);
  void commit(Spool& spool);
  void connect(Line& line);
  void disconnect(Line& line);
  void lose_silently(Line& line);
  void crash(Spool& spool);
  void restore(Spool& spool);
  void fill_holes(Spool& spool);
  void tell_stored(Spool& spool);
  void leave_and_return(Line& line);

  void take_journal_effects();
  void take_inlet_effects(Spool& spool);
  void on_given(Spool& spool, const JournalRecord& record);
  void check_durable(const Journal::Durable& durable);
  void check_bounds();
  void check_books();
  void check_disks();
  void check_void(const Spool& spool, Position position, const Disk::Entry& entry);
  void broken(const std::string& what);
  Line* line_of(const std::string& peer);
  const Publication* published(std::size_t journal, Position position) const;

  Rng rng_;
  Restores restores_;
  Now now_ = at(0s);
  Journal::Config config_;
  JournalInlet::Config inlet_config_;
  std::unique_ptr<Journal> journal_;
  Numbering numbering_;
  std::array<std::vector<Publication>, 2> published_;  // position 1 at index 0
  std::map<std::pair<std::string, std::uint64_t>, Position> position_of_;  // captured: of (type, sequence)
  std::set<Position> voided_;                          // captured: as the node said
  std::array<std::array<Position, required_spools_max>, 2> told_{};
  std::uint64_t reserved_ = 0;
  std::uint8_t spools_most_ = 1;
  std::deque<Spool> spools_;
  std::deque<Line> lines_;
  std::uint64_t peers_ = 0;
  bool settling_ = false;
  Sums sums_;
  std::string trouble_;
};

}  // namespace legion::journal_kit
