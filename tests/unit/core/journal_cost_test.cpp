// Prints what a frame costs on its way through the journal and the inlet. Asserts what came out, not how fast.
#include <chrono>
#include <deque>
#include <iostream>

#include <legion/core/journal_inlet.hpp>

#include "journal_kit.hpp"

namespace legion {
namespace {

using namespace journal_kit;
using Clock = std::chrono::steady_clock;

constexpr int turns = 2000;
constexpr int frames_per_turn = 100;

/// A journal, `spools` inlets whose stores commit at once, and nothing between them.
void run(std::size_t spools, std::uint8_t required) {
  Journal journal(own(), BootId{}, {}, 1);
  std::deque<JournalInlet> inlets;
  for (std::size_t i = 0; i < spools; ++i)
    inlets.emplace_back(store(static_cast<std::uint8_t>(i + 1)), JournalInlet::Config{});
  const Now now = at(0s);
  std::vector<Journal::Effect> effects;
  std::vector<JournalInlet::Effect> answers;
  const SharedBytes bytes = frame_bytes(own(), "market.data_received", 1, 1, 200);

  const auto of = [](const std::string& spool) { return static_cast<std::size_t>(spool[0] - 'a'); };
  Clock::duration in_journal{};
  Clock::duration in_inlets{};
  Position stored = 0;
  for (std::size_t i = 0; i < spools; ++i) journal.on_link_up(now, std::string(1, static_cast<char>('a' + i)));
  for (int turn = 0; turn < turns; ++turn) {
    auto before = Clock::now();
    for (int i = 0; i < frames_per_turn; ++i) {
      journal.append(now, confirmed,
                     {.lane = Priority::Normal,
                      .type = as_text(*bytes).substr(0, 20),
                      .shard = 0,
                      .first = static_cast<std::uint64_t>(turn * frames_per_turn + i + 1),
                      .count = 1,
                      .spools = required,
                      .bytes = bytes});
    }
    journal.take_effects(effects);
    in_journal += Clock::now() - before;
    before = Clock::now();
    for (Journal::Effect& effect : effects) {
      auto* send = std::get_if<Journal::Send>(&effect);
      if (send == nullptr) continue;
      JournalInlet& inlet = inlets[of(send->spool)];
      if (const auto* open = std::get_if<OpenLink>(&send->message)) {
        inlet.on_open(now, send->spool, *open, "");
      } else {
        inlet.on_message(now, send->spool, std::move(send->message));
      }
    }
    std::vector<std::pair<std::string, FromSpool>> said;
    for (JournalInlet& inlet : inlets) {
      inlet.on_committed(now, own(), confirmed, journal.figures(confirmed).last);
      inlet.take_effects(answers);
      for (JournalInlet::Effect& effect : answers) {
        if (const auto* answer = std::get_if<JournalInlet::Answer>(&effect))
          said.emplace_back(answer->peer, answer->message);
        stored += std::holds_alternative<JournalInlet::Store>(effect) ? 1 : 0;
      }
    }
    in_inlets += Clock::now() - before;
    before = Clock::now();
    for (const auto& [spool, message] : said) journal.on_message(now, spool, message);
    in_journal += Clock::now() - before;
  }
  const auto ns_each = [](Clock::duration spent) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count() / (turns * frames_per_turn);
  };
  std::cout << spools << " spools, " << int{required} << " required: " << ns_each(in_journal)
            << " ns a frame in the journal, " << ns_each(in_inlets) << " ns in the inlets\n";
  // What was appended before the link was open came with the first turn after it.
  EXPECT_GE(stored, spools * (turns - 1) * frames_per_turn);
  EXPECT_GE(journal.figures(confirmed).durable_events, static_cast<std::uint64_t>(turns - 1) * frames_per_turn);
}

TEST(JournalCost, OfAFrameOfOneEvent) {
  run(1, 1);
  run(2, 1);
  run(2, 2);
}

// The captured journal without a spool: every frame makes the oldest one a void.
TEST(JournalCost, OfAFrameThatIsGivenUp) {
  const SharedBytes bytes = frame_bytes(own(), "market.data_received", 1, 1, 200);
  Journal::Config config;
  config.captured_bytes = 1 << 20;
  Journal journal(own(), BootId{}, config, 1);
  const Now now = at(0s);
  std::vector<Journal::Effect> effects;
  const auto before = Clock::now();
  constexpr std::uint64_t frames = 200'000;
  for (std::uint64_t i = 1; i <= frames; ++i) {
    journal.append(now, captured, {.type = as_text(*bytes).substr(0, 20), .first = i, .count = 1, .bytes = bytes});
    if (i % 100 == 0) journal.take_effects(effects);
  }
  const auto spent = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - before);
  std::cout << spent.count() / frames << " ns a frame with the journal full\n";
  const Journal::Figures figures = journal.figures(captured);
  EXPECT_EQ(figures.voided_events + figures.unconfirmed_events, frames);
  EXPECT_LE(figures.bytes, config.captured_bytes);
}

}  // namespace
}  // namespace legion
