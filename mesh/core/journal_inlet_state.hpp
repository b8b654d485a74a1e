// What the journal inlet is made of. Internal to the inlet.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/core/journal_inlet.hpp>
#include <legion/core/journal_window.hpp>

namespace legion {

struct JournalInlet::State {
  struct Source;

  /// One journal on one link.
  struct Side {
    std::optional<Position> rewound_to;  // the place that was asked for last
    bool overrun = false;                // something was not taken for want of room
    bool acknowledge = false;            // in the next effects
  };
  struct Link {
    std::string peer;
    LinkSession session = 0;
    Source* source = nullptr;
    bool closing = false;                // said goodbye
    std::array<Side, 2> sides;
  };
  /// One journal of one origin, whatever link it comes on.
  struct Intake {
    Position taken = 0;                  // everything up to here was given to the store, was there, or was skipped
    Position given = 0;                  // the last record among it that was given
    Position durable = 0;                // everything up to here is durable or was skipped
    std::deque<PositionRange> stored;    // beyond `taken`
    OutstandingBytes waiting;
    std::array<Position, required_spools_max> released{};
  };
  struct Source {
    Origin origin;
    std::array<Intake, 2> intakes;
    std::vector<Link*> links;            // oldest first
  };

  State(StoreId id, Config configured) : store(id), config(configured) {}

  Source& source(const Origin& origin);
  Link* find_link(const std::string& peer);
  void answer(const Link& link, FromSpool message) { effects.push_back(Answer{link.peer, std::move(message)}); }
  void refuse(const std::string& peer, LinkSession session, ErrorCode code, std::string reason);
  static Answer no_such_link(const std::string& peer, LinkSession session);
  void drop_link(const std::string& peer);
  bool is_over(const Origin& origin) const;
  void forget_sources();
  void divide_window();
  void open(const std::string& peer, const OpenLink& message);
  void tell_opened(const Link& link);
  void on_stranger(const std::string& peer, LinkSession session);

  void on(Link& link, OpenLink&& message);
  void on(Link& link, AppendFrame&& message);
  void on(Link& link, AppendVoid&& message);
  void on(Link& link, SkipRange&& message);
  void on(Link& link, Released&& message);
  void on(Link& link, CloseLink&& message);

  enum class Place { Next, Duplicate, Later };
  Place place(Link& link, JournalKind journal, PositionRange range);
  bool has_room(Link& link, JournalKind journal, std::uint64_t bytes);
  bool is_of_origin(const Link& link, const AppendFrame& message);
  void give(Source& from, JournalRecord record, std::uint64_t bytes);
  void pass_stored(Intake& intake);
  void acknowledge(Source& of, JournalKind journal);
  void settle(Intake& intake, Position through);
  void rewind(Link& link, JournalKind journal);
  void flush_acknowledgements();

  StoreId store;
  Config config;
  std::optional<std::string> frozen;
  std::uint64_t window = 0;              // of each origin and journal
  std::map<Origin, Source> sources;
  std::unordered_map<std::string, Link> links;
  std::map<std::string, Incarnation, std::less<>> newest;  // of each node
  Link* recent = nullptr;                // the link of the last message
  std::deque<std::pair<std::string, LinkSession>> strangers;  // who were told that they have no link
  std::vector<Source*> to_acknowledge;
  Figures figures;
  std::vector<Effect> effects;
};

}  // namespace legion
