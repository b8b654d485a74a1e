#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>

#include <legion/runtime/state_dir.hpp>

namespace legion {
namespace {

class StateDirTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-state-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  StateDir open() {
    auto dir = StateDir::open(folder_ / "state");
    EXPECT_TRUE(dir.has_value()) << (dir ? "" : dir.error().message);
    return std::move(*dir);
  }
  void write(const char* name, std::string_view content) {
    std::ofstream(folder_ / "state" / name, std::ios::binary) << content;
  }

  std::filesystem::path folder_;
};

Member member(std::string name) {
  Member m;
  m.name = std::move(name);
  m.incarnation = 7;
  m.boot.bytes[0] = 1;
  m.endpoints.control = "tcp://127.0.0.1:7400";
  for (auto& lane : m.endpoints.lanes) lane = "tcp://127.0.0.1:7401";
  return m;
}

TEST_F(StateDirTest, StartsEmpty) {
  const StateDir dir = open();
  EXPECT_EQ(dir.load_incarnation().value(), 0u);
  EXPECT_TRUE(dir.load_roster().value().empty());
}

TEST_F(StateDirTest, GivesBackWhatWasSaved) {
  {
    StateDir dir = open();
    ASSERT_TRUE(dir.save_incarnation(1234567890123456789u));
    ASSERT_TRUE(dir.save_roster({member("alpha"), member("beta")}));
  }
  const StateDir dir = open();
  EXPECT_EQ(dir.load_incarnation().value(), 1234567890123456789u);
  const auto roster = dir.load_roster().value();
  ASSERT_EQ(roster.size(), 2u);
  EXPECT_EQ(roster[1].name, "beta");
  EXPECT_EQ(roster[1].endpoints, member("beta").endpoints);
}

TEST_F(StateDirTest, RefusesASecondUserAsLongAsTheFirstLives) {
  {
    const StateDir first = open();
    const auto second = StateDir::open(folder_ / "state");
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::Refused);
    EXPECT_NE(second.error().message.find("state"), std::string::npos);
  }
  EXPECT_TRUE(StateDir::open(folder_ / "state").has_value());
}

TEST_F(StateDirTest, DoesNotGuessADamagedIncarnation) {
  const StateDir dir = open();
  for (const char* bad : {"", "abc\n", "12x\n", "-1\n", "99999999999999999999999\n"}) {
    write("incarnation", bad);
    const auto loaded = dir.load_incarnation();
    ASSERT_FALSE(loaded.has_value()) << bad;
    EXPECT_EQ(loaded.error().code, ErrorCode::BadData);
    EXPECT_NE(loaded.error().message.find("incarnation"), std::string::npos);
  }
}

TEST_F(StateDirTest, ReportsADamagedRosterWithItsFile) {
  const StateDir dir = open();
  write("roster", "\x93garbage");
  const auto loaded = dir.load_roster();
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::BadData);
  EXPECT_NE(loaded.error().message.find("roster"), std::string::npos);
}

TEST_F(StateDirTest, SaysWhichFolderCannotBeMade) {
  std::ofstream(folder_ / "file") << "x";
  const auto dir = StateDir::open(folder_ / "file" / "state");
  ASSERT_FALSE(dir.has_value());
  EXPECT_EQ(dir.error().code, ErrorCode::Io);
  EXPECT_NE(dir.error().message.find("file/state"), std::string::npos);
}

}  // namespace
}  // namespace legion
