// Short ways to say what the tests of the journal are about.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/core/journal.hpp>
#include <legion/event/frame.hpp>

namespace legion::journal_kit {

inline constexpr JournalKind confirmed = JournalKind::Confirmed;
inline constexpr JournalKind captured = JournalKind::Captured;

inline Now at(Duration since_start) {
  constexpr std::int64_t start = 1'000'000'000'000;
  return {SteadyTime{start + since_start.count()}, WallTime{start + since_start.count()}};
}

inline Origin own() { return {"node-1", 7}; }

inline StoreId store(std::uint8_t number) {
  StoreId id;
  id.bytes.fill(number);
  return id;
}

/// A frame whose events are `bytes` long together (and mean nothing).
inline SharedBytes frame_bytes(const Origin& origin, const std::string& type, std::uint64_t first, std::uint32_t count,
                               std::size_t bytes) {
  FrameBuilder builder;
  builder.begin(origin, Priority::Normal, type, 0, first);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t share = bytes / count + (i < bytes % count ? 1 : 0);
    builder.append(Bytes(share, 0xc0));
  }
  return std::make_shared<const Bytes>(builder.finish());
}

/// What a publisher says of a frame.
struct Published {
  std::string type = "a.b";
  std::uint32_t count = 1;
  std::uint8_t spools = 1;
  bool after_confirm = false;
  std::size_t bytes = 100;
};

/// Numbers frames as an Egress would.
class Numbering {
 public:
  JournalFrame next(const Published& published) {
    std::uint64_t& last = last_[published.type];
    JournalFrame frame;
    frame.first = last + 1;
    frame.count = published.count;
    frame.spools = published.spools;
    frame.after_confirm = published.after_confirm;
    frame.bytes = frame_bytes(own(), published.type, frame.first, published.count, published.bytes);
    frame.type = as_text(*frame.bytes).substr(0, published.type.size());
    last += published.count;
    return frame;
  }

 private:
  std::map<std::string, std::uint64_t> last_;
};

/// A journal, and spools that say what the test says.
class JournalTest : public ::testing::Test {
 protected:
  Position append(JournalKind journal, const Published& published = {}) {
    return the_journal().append(now, journal, numbering.next(published));
  }
  void append_many(JournalKind journal, int count, const Published& published = {}) {
    for (int i = 0; i < count; ++i) append(journal, published);
  }

  /// Carries the effects out: everything sent since is in `sent`.
  void turn() {
    for (Journal::Effect& effect : the_journal().take_effects()) {
      if (auto* send = std::get_if<Journal::Send>(&effect)) {
        if (const auto* open = std::get_if<OpenLink>(&send->message)) sessions[send->spool] = open->session;
        sent[send->spool].push_back(std::move(send->message));
      } else if (auto* durable = std::get_if<Journal::Durable>(&effect)) {
        told.push_back(*durable);
      } else {
        lines.push_back(std::get<Journal::LogLine>(effect).text);
      }
    }
  }
  std::vector<ToSpool> take(const std::string& spool) {
    turn();
    return std::exchange(sent[spool], {});
  }
  /// Of the messages sent to a spool since, those of one kind.
  template <class Message>
  std::vector<Message> take_all(const std::string& spool) {
    std::vector<Message> found;
    for (const ToSpool& message : take(spool)) {
      if (const auto* wanted = std::get_if<Message>(&message)) found.push_back(*wanted);
    }
    return found;
  }
  std::vector<Position> take_positions(const std::string& spool) {
    std::vector<Position> positions;
    for (const AppendFrame& append : take_all<AppendFrame>(spool)) positions.push_back(append.position);
    return positions;
  }

  void say(const std::string& spool, FromSpool message) {
    std::visit([&](auto& given) { given.session = sessions[spool]; }, message);
    the_journal().on_message(now, spool, message);
    turn();
  }
  static LinkOpened opened(std::uint8_t store_number, LinkOpened::Have of_confirmed, LinkOpened::Have of_captured) {
    LinkOpened opened{.store = store(store_number)};
    opened.journals = {std::move(of_confirmed), std::move(of_captured)};
    return opened;
  }
  void connect(const std::string& spool) {
    the_journal().on_link_up(now, spool);
    turn();
    sent[spool].clear();
  }
  /// Connects and says what it has; what was sent then is still to be taken.
  void open(const std::string& spool, std::uint8_t store_number, LinkOpened::Have of_confirmed = {0, 1 << 20, {}},
            LinkOpened::Have of_captured = {0, 1 << 20, {}}) {
    connect(spool);
    say(spool, opened(store_number, std::move(of_confirmed), std::move(of_captured)));
  }
  void acknowledge(const std::string& spool, JournalKind journal, Position through, std::uint64_t window = 1 << 20) {
    say(spool, Acknowledged{0, journal, through, window});
  }
  /// (spools, through) of what was told since.
  std::vector<std::pair<int, Position>> take_durable(JournalKind journal) {
    std::vector<std::pair<int, Position>> found;
    for (const Journal::Durable& durable : std::exchange(told, {})) {
      if (durable.journal == journal) found.emplace_back(durable.spools, durable.through);
    }
    return found;
  }
  Journal::LinkFigures link(const std::string& spool) {
    for (const Journal::LinkFigures& figures : the_journal().links()) {
      if (figures.spool == spool) return figures;
    }
    return {};
  }

  Journal& the_journal() {
    if (!journal_) journal_ = std::make_unique<Journal>(own(), BootId{}, config, 1);
    return *journal_;
  }

  Now now = at(0s);
  Journal::Config config{.spare_bytes = 0};
  Numbering numbering;
  std::map<std::string, LinkSession> sessions;
  std::map<std::string, std::vector<ToSpool>> sent;
  std::vector<Journal::Durable> told;
  std::vector<std::string> lines;

 private:
  std::unique_ptr<Journal> journal_;
};

}  // namespace legion::journal_kit
