#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "transcript.hpp"

namespace legion {
namespace {

std::vector<std::string> transcripts() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(LEGION_TRANSCRIPTS)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST(Transcripts, ThereAreAtLeastTen) { EXPECT_GE(transcripts().size(), 10U); }

TEST(Transcripts, EveryEffectIsTheExpectedOne) {
  for (const std::string& path : transcripts()) EXPECT_EQ(run_transcript(path), "");
}

TEST(Transcripts, AWrongExpectationIsReportedWithItsLine) {
  const std::string path = ::testing::TempDir() + "wrong_transcript.txt";
  std::ofstream(path) << "node a/0/5@1\nignore persist\nstart\n> chosen *\n> open\n";
  const std::string complaint = run_transcript(path);
  EXPECT_NE(complaint.find("wrong_transcript.txt:5: expected open, got heartbeat"), std::string::npos) << complaint;
}

TEST(Transcripts, AnUnexpectedEffectIsReported) {
  const std::string path = ::testing::TempDir() + "short_transcript.txt";
  std::ofstream(path) << "node a/0/5@1\nignore persist\nstart\n> chosen *\n";
  EXPECT_NE(run_transcript(path).find("also came: heartbeat"), std::string::npos);
}

}  // namespace
}  // namespace legion
