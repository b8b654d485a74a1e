// What the journal is made of. Internal to the journal.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/base/rng.hpp>
#include <legion/core/journal.hpp>
#include <legion/core/journal_records.hpp>
#include <legion/core/journal_stores.hpp>
#include <legion/core/journal_window.hpp>

namespace legion {

struct Journal::State {
  using LinkState = LinkFigures::State;
  using Level = LogLine::Level;

  /// One journal on one link.
  struct Side {
    Position acknowledged = 0;
    Position sent = 0;
    Position had_at_open = 0;           // by the store of the session before, when this one was begun
    std::uint64_t window = 0;
    OutstandingBytes out;
    std::vector<PositionRange> beyond;  // what the store said it has further on
    std::size_t beyond_at = 0;
    JournalRecords::Hint hint = 0;
    std::array<Position, required_spools_max> released{};  // told
  };
  struct Link {
    std::string spool;
    LinkState state = LinkState::Down;
    LinkSession session = 0;
    std::optional<StoreId> store;
    std::array<Side, 2> sides;
    SteadyTime since;                   // of progress, or of the last attempt to open
    Duration patience{};
    bool close_told = false;
    std::string trouble;
    std::uint64_t ignored = 0;
  };
  /// One journal.
  struct Book {
    JournalRecords records;
    std::uint64_t bytes_max = 0;
    std::uint8_t required_max = 0;      // highest number of spools a frame asked for
    std::array<Position, required_spools_max> durable{};   // told, by number of spools
    std::array<JournalRecords::Hint, required_spools_max> hints{};
    std::array<Position, required_spools_max> released{};  // to be told to the spools
    std::uint64_t appended_events = 0, durable_events = 0, voided_events = 0;
    bool is_satisfied(const JournalEntry& entry) const { return entry.last <= durable[entry.spools - 1u]; }
  };

  State(Origin own, BootId own_boot, Config configured, std::uint64_t seed);

  Book& book(JournalKind journal) { return books[journal_index(journal)]; }
  const Book& book(JournalKind journal) const { return books[journal_index(journal)]; }
  void log(Level level, std::string text) { effects.push_back(LogLine{level, std::move(text)}); }
  void send(const Link& link, ToSpool message) { effects.push_back(Send{link.spool, std::move(message)}); }

  // Links (journal_links.cpp).
  void open(Link& link);
  void take_down(Link& link);
  void tick(Link& link);
  void on(Link& link, const LinkOpened& message);
  void on(Link& link, const LinkRefused& message);
  void on(Link& link, const Acknowledged& message);
  void on(Link& link, const Rewind& message);
  void refuse(Link& link, std::string trouble);
  void begin(Link& link, JournalKind journal, const LinkOpened::Have& have);
  void count_store(Link& link, JournalKind journal, Position has);
  Position has_after_holes(const Book& book, const LinkOpened::Have& have) const;
  bool another_is_open(const Link& link) const;

  // Sending (journal_send.cpp).
  void fill_windows();
  void fill(Link& link, JournalKind journal);
  bool send_next(Link& link, JournalKind journal);
  bool admits(const Link& link, JournalKind journal, std::uint64_t bytes) const;
  bool send_range(Link& link, JournalKind journal, const JournalEntry& entry);
  bool send_frame(Link& link, JournalKind journal, const JournalEntry& entry);
  bool skip(Link& link, JournalKind journal, Position last);
  void tell_released(Link& link, JournalKind journal);
  bool is_through(const Link& link) const;

  // What is durable, and what gives way (journal_room.cpp).
  void advance(JournalKind journal);
  void pass(JournalKind journal, std::uint8_t spools, Position through);
  void make_room(JournalKind journal);
  void drop_what_all_have(JournalKind journal);
  bool give_up_oldest();
  Position sent_furthest(JournalKind journal) const;

  Origin origin;
  BootId boot;
  Config config;
  Rng rng;
  Now now{};  // of the last input
  std::array<Book, 2> books;
  JournalStores stores;
  std::map<std::string, Link, std::less<>> links;
  std::uint8_t expected_spools = 0;
  bool closing = false;
  std::uint64_t released_bytes = 0;
  std::optional<SteadyTime> void_logged;
  std::uint64_t voided_logged = 0;
  std::vector<Effect> effects;
};

}  // namespace legion
