#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include <legion/base/rng.hpp>
#include <legion/runtime/in_flight_file.hpp>

namespace legion {
namespace {

using Held = InFlightFile::Held;

class InFlightFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-flight-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ / "in-flight";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  InFlightFile::Opened open(std::uint32_t slots = 4) {
    auto opened = InFlightFile::open(path_, slots);
    EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error().message);
    return std::move(*opened);
  }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(std::string_view bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

InFlightFile::Run run(std::string_view subscription, std::uint64_t first, std::uint32_t count = 1,
                      std::uint32_t attempt = 1) {
  return {subscription, "feed", 42, Priority::High, "trade.approved", 3, first, count, attempt};
}

Held held(std::string subscription, std::uint64_t first, std::uint32_t count, std::uint32_t index,
          std::uint32_t attempt) {
  return {std::move(subscription), {{"feed", 42}, Priority::High, "trade.approved", 3}, first, count, index, attempt};
}

TEST_F(InFlightFileTest, AFirstLifeFindsNothing) {
  const auto opened = open();
  EXPECT_TRUE(opened.held.empty());
  EXPECT_EQ(opened.trouble, "");
  EXPECT_EQ(opened.file.slots(), 4u);
}

TEST_F(InFlightFileTest, TellsWhatWasInHandsAndWhereTheRunStood) {
  {
    auto opened = open();
    opened.file.begin(0, run("desk", 100, 64));
    opened.file.advance(0, 1);
    opened.file.advance(0, 17);
    opened.file.begin(3, run("audit", 7, 1, 2));
  }
  const auto opened = open();
  EXPECT_EQ(opened.trouble, "");
  ASSERT_EQ(opened.held.size(), 2u);
  EXPECT_EQ(opened.held[0], held("audit", 7, 1, 0, 2));
  EXPECT_EQ(opened.held[1], held("desk", 100, 64, 17, 1));
  EXPECT_EQ(opened.held[1].in_hands(), 117u);
}

TEST_F(InFlightFileTest, EveryNameASubscriptionMayHaveIsTold) {
  for (const char* name : {"desk", "risk.orders_2", "a-b.c", "/agent-1"}) {
    {
      auto opened = open();
      opened.file.begin(0, run(name, 100));
    }
    const auto opened = open();
    EXPECT_EQ(opened.trouble, "");
    ASSERT_EQ(opened.held.size(), 1u) << name;
    EXPECT_EQ(opened.held[0].subscription, name);
    std::filesystem::remove(path_);
  }
}

TEST_F(InFlightFileTest, WhatWasAnsweredIsNotTold) {
  {
    auto opened = open();
    opened.file.begin(1, run("desk", 100, 64));
    opened.file.advance(1, 63);
    opened.file.clear(1);
    opened.file.clear(1);
    opened.file.advance(1, 5);  // of a slot that is free
  }
  EXPECT_TRUE(open().held.empty());
}

TEST_F(InFlightFileTest, ASlotIsUsedAgainForShorterNames) {
  {
    auto opened = open();
    opened.file.begin(0, run("a-name-that-is-longer-than-the-next", 1));
    opened.file.begin(0, run("desk", 2));
  }
  const auto opened = open();
  ASSERT_EQ(opened.held.size(), 1u);
  EXPECT_EQ(opened.held[0], held("desk", 2, 1, 0, 1));
}

TEST_F(InFlightFileTest, KeepsWhatItToldUntilItIsForgotten) {
  {
    auto opened = open();
    opened.file.begin(0, run("desk", 100));
    opened.file.begin(1, run("audit", 100));
  }
  for (int life = 0; life < 3; ++life)
    ASSERT_EQ(open(life + 1).held.size(), 2u) << "killed again before it was recorded";
  {
    auto opened = open();
    ASSERT_EQ(opened.held[0].subscription, "audit");
    opened.file.forget(0);
  }
  const auto opened = open();
  ASSERT_EQ(opened.held.size(), 1u);
  EXPECT_EQ(opened.held[0].subscription, "desk");
}

TEST_F(InFlightFileTest, AnEventThatIsKeptAndInHandsAgainCountsItsHighestAttempt) {
  {
    auto opened = open();
    opened.file.begin(0, run("desk", 100, 10, 1));
    opened.file.advance(0, 4);
  }
  {
    auto opened = open();
    opened.file.begin(2, run("desk", 104, 1, 2));
  }
  const auto opened = open();
  ASSERT_EQ(opened.held.size(), 1u);
  EXPECT_EQ(opened.held[0], held("desk", 104, 1, 0, 2));
}

TEST_F(InFlightFileTest, TheNumberOfSlotsMayChangeBetweenLives) {
  {
    auto opened = open(100);
    opened.file.begin(99, run("desk", 5));
  }
  EXPECT_EQ(open(1).held.size(), 1u);
  EXPECT_EQ(open(0).held.size(), 1u);
}

TEST_F(InFlightFileTest, NamesThatAreTooLongLeaveTheSlotEmpty) {
  {
    auto opened = open();
    opened.file.begin(0, run(std::string(65, 'x'), 1));
    opened.file.advance(0, 0);
    auto far = run("desk", 1);
    const std::string type(161, 't');
    far.type = type;
    opened.file.begin(1, far);
  }
  const auto opened = open();
  EXPECT_TRUE(opened.held.empty());
  EXPECT_EQ(opened.trouble, "");
}

TEST_F(InFlightFileTest, TheLongestNamesFit) {
  const std::string name(64, 'n');
  const std::string node(64, 'o');
  const std::string type(120, 't');
  {
    auto opened = open();
    opened.file.begin(0, {name, node, UINT64_MAX, Priority::Low, type, 255, UINT64_MAX - 64, 64, UINT32_MAX});
    opened.file.advance(0, 63);
  }
  const auto opened = open();
  ASSERT_EQ(opened.held.size(), 1u);
  EXPECT_EQ(opened.held[0],
            (Held{name, {{node, UINT64_MAX}, Priority::Low, type, 255}, UINT64_MAX - 64, 64, 63, UINT32_MAX}));
}

TEST_F(InFlightFileTest, AFileThatIsNotOursIsReplacedAndReported) {
  for (const std::string& bytes :
       {std::string("x"), std::string(511, '\0'), std::string(512, 'x'), std::string(4096, '\xff')}) {
    write(bytes);
    const auto opened = open();
    EXPECT_TRUE(opened.held.empty());
    EXPECT_EQ(opened.trouble, path_.string() + " is no file of ours");
    EXPECT_EQ(open().trouble, "") << "it was replaced";
  }
}

TEST_F(InFlightFileTest, AFileOfAnotherVersionOrLengthIsReplacedAndReported) {
  open().file.begin(0, run("desk", 5));
  const std::string whole = content();
  std::string other = whole;
  other[8] = 1;  // as the version before left it
  write(other);
  EXPECT_EQ(open().trouble, path_.string() + " was written by another version");
  write(whole.substr(0, whole.size() - 1));
  EXPECT_EQ(open().trouble, path_.string() + " has 2559 bytes instead of 2560");
  write(whole + "x");
  EXPECT_EQ(open().trouble, path_.string() + " has 2561 bytes instead of 2560");
  std::string huge = whole;
  huge.replace(16, 4, "\xff\xff\xff\xff");
  write(huge);
  EXPECT_TRUE(open().held.empty());
}

TEST_F(InFlightFileTest, AttemptsByEachWayStandBesideEachOther) {
  const InFlightPath ways[] = {{}, {InFlightPath::Role::Target, 2}, {InFlightPath::Role::Gate, 0}};
  {
    auto opened = open();
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      InFlightFile::Run one = run("desk", 5, 1, 1 + slot);
      one.path = ways[slot];
      opened.file.begin(slot, one);
    }
  }
  for (int life = 0; life < 2; ++life) {  // also as the next life keeps them
    const auto opened = open();
    EXPECT_EQ(opened.trouble, "");
    ASSERT_EQ(opened.held.size(), 3u);
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      const auto same = std::ranges::find(opened.held, ways[slot], &Held::path);
      ASSERT_NE(same, opened.held.end());
      EXPECT_EQ(same->attempt, 1 + slot);
    }
  }
}

TEST_F(InFlightFileTest, ADamagedEntryCostsThatEntry) {
  {
    auto opened = open();
    opened.file.begin(0, run("desk", 5));
    opened.file.begin(1, run("audit", 6));
  }
  const std::string whole = content();
  // Every byte of the first slot that is in use, one after the other.
  const std::size_t used = 58 + std::string_view("deskfeedtrade.approved").size();
  for (std::size_t at = 512; at < 512 + used; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    write(damaged);
    const auto opened = open();
    ASSERT_EQ(opened.held.size(), 1u) << at;
    EXPECT_EQ(opened.held[0].subscription, "audit");
    EXPECT_EQ(opened.trouble, path_.string() + " has 1 damaged entries");
  }
}

TEST_F(InFlightFileTest, RandomDamageIsNeverMoreThanTrouble) {
  const char* given = ::getenv("LEGION_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("LEGION_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Rng rng(seed);
  {
    auto opened = open();
    for (std::uint32_t slot = 0; slot < 4; ++slot) opened.file.begin(slot, run("desk", 100 + slot, 64));
  }
  const std::string whole = content();
  for (int round = 0; round < 100; ++round) {
    std::string damaged = whole;
    for (std::uint64_t i = 0; i < 1 + rng.below(8); ++i) {
      damaged[rng.below(damaged.size())] = static_cast<char>(rng.next());
    }
    if (rng.chance(0.2)) damaged.resize(rng.below(damaged.size()));
    write(damaged);
    for (const Held& one : open().held) {
      EXPECT_EQ(one.subscription, "desk");
      EXPECT_LT(one.index, one.count);
    }
  }
}

TEST_F(InFlightFileTest, SaysWhichFileCannotBeWritten) {
  const auto opened = InFlightFile::open(folder_ / "absent" / "in-flight", 4);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::Io);
  EXPECT_NE(opened.error().message.find("absent/in-flight"), std::string::npos);
}

/// What the process that is going to be killed says about itself, in memory it shares with the one that kills it.
/// 0: nothing in hands; otherwise 64 * (run + 1) + index.
struct Progress {
  std::atomic<std::uint64_t> before;  ///< what the file said before the call it is in
  std::atomic<std::uint64_t> after;   ///< what the file says once the call has returned
  std::atomic<std::uint64_t> steps;
};

/// Everything about a run follows from its number.
struct NumberedRun {
  explicit NumberedRun(std::uint64_t n)
      : number(n), subscription("s" + std::string(n % 60, 'x')), type("t" + std::string((n * 7) % 100, 'y')) {}
  std::uint64_t number;
  std::string subscription;
  std::string type;
  std::uint32_t count() const { return static_cast<std::uint32_t>(number % 64 + 1); }
  std::uint32_t attempt() const { return static_cast<std::uint32_t>(number % 5 + 1); }
  InFlightFile::Run run() const {
    return {subscription, "feed", number, Priority::High, type, 0, 1 + number * 64, count(), attempt()};
  }
  Held held(std::uint32_t index) const {
    return {subscription, {{"feed", number}, Priority::High, type, 0}, 1 + number * 64, count(), index, attempt()};
  }
};

[[noreturn]] void work_until_killed(InFlightFile& file, Progress& progress) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto step = [&](std::uint64_t next, const std::function<void()>& call) {
    progress.after.store(next);
    call();
    progress.before.store(next);
    progress.steps.fetch_add(1);
  };
  for (std::uint64_t number = 0;; ++number) {
    const NumberedRun numbered(number);
    const std::uint64_t name = 64 * (number + 1);
    step(name, [&] { file.begin(0, numbered.run()); });
    for (std::uint32_t k = 1; k < numbered.count(); ++k) step(name + k, [&] { file.advance(0, k); });
    // Every third run follows without the slot having been cleared.
    if (number % 3 != 0) step(0, [&] { file.clear(0); });
  }
}

bool says(const std::vector<Held>& held, std::uint64_t state) {
  if (state == 0) return held.empty();
  return held == std::vector<Held>{NumberedRun(state / 64 - 1).held(static_cast<std::uint32_t>(state % 64))};
}

TEST_F(InFlightFileTest, SurvivesAKillAtAnyMoment) {
  const char* given = ::getenv("LEGION_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("LEGION_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Rng rng(seed);
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  int in_hands = 0;
  constexpr int rounds = 100;
  for (int round = 0; round < rounds; ++round) {
    auto* progress = new (memory) Progress{};
    auto opened = open(1);
    for (std::size_t i = 0; i < opened.held.size(); ++i) opened.file.forget(i);
    const std::uint64_t steps = rng.below(20'000);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) work_until_killed(opened.file, *progress);
    while (progress->steps.load() < steps) std::atomic_signal_fence(std::memory_order_seq_cst);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself";

    const auto after = open(1);
    EXPECT_EQ(after.trouble, "");
    const std::uint64_t before = progress->before.load();
    const std::uint64_t next = progress->after.load();
    // Between two runs without a clear the slot is empty for a moment.
    const bool may_be_empty = next != 0 && next % 64 == 0 && after.held.empty();
    EXPECT_TRUE(says(after.held, before) || says(after.held, next) || may_be_empty)
        << "round " << round << ": " << after.held.size() << " held, before " << before << ", next " << next;
    in_hands += after.held.empty() ? 0 : 1;
  }
  // How many depends on how fast this machine is just now.
  EXPECT_GT(in_hands, rounds / 10) << "kills were to hit runs";
  ::munmap(memory, sizeof(Progress));
}

}  // namespace
}  // namespace legion
