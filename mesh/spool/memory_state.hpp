// What a MemoryStore holds. Internal to this layer.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/spool/audit_chain.hpp>
#include <legion/spool/memory_store.hpp>
#include <legion/spool/position_set.hpp>
#include <legion/spool/record_merge.hpp>

namespace legion {

struct MemoryStore::State {
  struct StoredEventFrame {
    CommitNumber number = 0;
    std::uint64_t append = 0;  ///< which call brought it
    StreamId stream;
    std::uint64_t first = 0, last = 0;  ///< sequences
    JournalKind journal = JournalKind::Captured;
    Position position = 0;
    std::uint8_t held_for = 0;
    WallTime recorded{};
    SharedBytes bytes;
    bool has(std::uint64_t sequence) const { return first <= sequence && sequence <= last; }
  };
  struct Void {
    Position last = 0;
    std::vector<StreamSpan> spans;
  };
  /// Sequences that a void stood for; the last of its positions.
  struct VoidSpan {
    StreamSpan span;
    Position position = 0;
  };
  struct Journal {
    std::map<Position, CommitNumber> held;  ///< 0: a void
    PositionSet held_positions, void_positions;  ///< the same as ranges
    std::map<Position, Void> voids;         ///< by first position
    std::vector<VoidSpan> void_spans;
    Position floor = 0;
    std::array<Position, 4> released{};
    std::optional<Position> final;
    Position through() const { return held_positions.contiguous_from(floor); }
    void hold(Position position, CommitNumber number);
    void let_go(Position position);
  };
  /// Those of one stream, as places in `frames`.
  struct StreamFrames {
    std::vector<std::size_t> places;
    std::uint64_t last = 0;
    bool ascends = true;  ///< every frame begins behind the one before
  };
  struct Life {
    std::optional<BootId> boot;
    std::array<Journal, 2> journals;
  };

  Journal& journal(const Origin& origin, JournalKind kind) { return lives[origin].journals[journal_index(kind)]; }
  const Journal* find(const Origin& origin, JournalKind kind) const;
  bool has_later_life(const Origin& origin) const;
  bool is_over(const Origin& origin) const;
  bool is_complete(const Origin& origin, JournalKind kind) const;
  void add(StoredEventFrame frame);
  std::size_t erase_frames(const std::function<bool(const StoredEventFrame&)>& is_gone);
  void trim(const std::vector<CommitNumber>& numbers);
  std::vector<StoredEventFrame>::const_iterator at_or_behind(CommitNumber number) const;
  /// The first that has it.
  const StoredEventFrame* frame_of(const StreamId& stream, std::uint64_t sequence);
  /// The last sequence that a frame has; 0 when none does.
  std::uint64_t last_stored(const StreamId& stream);
  /// The last sequence of every stream, whatever became of it.
  const std::map<StreamId, std::uint64_t>& lasts();

  StoreId id;
  std::optional<std::string> frozen;
  std::vector<StoredEventFrame> frames;  ///< by number
  std::uint64_t events = 0;
  std::map<Origin, Life> lives;
  std::map<StreamId, std::uint64_t> trimmed;
  std::map<std::string, std::optional<CursorState>> cursors;
  std::uint64_t stale_cursors = 0;
  std::map<std::pair<std::string, std::string>, AttemptRecord> attempts;  ///< by subscription and event
  std::map<std::string, std::optional<spool::KeptLetter>> letters;
  std::map<std::string, CommitNumber> marks;
  CommitNumber next = 1;
  std::uint64_t appends = 0;
  std::optional<std::map<StreamId, std::uint64_t>> known_lasts;  ///< nothing: something was taken away
  std::uint64_t quarantined = 0;
  Digest chain{};

 private:
  const StreamFrames& frames_of(const StreamId& stream);
  std::optional<std::map<StreamId, StreamFrames>> by_stream_;  ///< nothing: frames were taken away
};

}  // namespace legion
