#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::HasSubstr;

/// A file that goes with the test.
class File {
 public:
  explicit File(const std::string& text) {
    path_ = (std::filesystem::temp_directory_path() / "legion-cli-XXXXXX").string();
    close(mkstemp(path_.data()));
    std::ofstream(path_) << text;
  }
  ~File() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ConfigVerb, CheckPrintsTheEffectiveValues) {
  const File file("[node]\nname = \"alpha\"\nstate_dir = \"/tmp/alpha\"\n");
  FakeWorld world;
  const Ran ran = run(world, {"config", "check", file.path()});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_THAT(ran.out, HasSubstr("name = \"alpha\""));
  EXPECT_THAT(ran.err, HasSubstr(": ok"));
  const Ran overridden = run(world, {"config", "show", file.path(), "--set", "heartbeat.interval=250ms"});
  EXPECT_THAT(overridden.out, HasSubstr("interval = \"250ms\""));
}

TEST(ConfigVerb, CheckNamesEveryMistakeAndEndsWith78) {
  const File file("[node]\nname = \"alpha\"\nlisten_on = 3\n");
  FakeWorld world;
  world.variables["HOME"] = "/tmp";
  const Ran ran = run(world, {"config", "check", file.path()});
  EXPECT_EQ(ran.code, exit_code::configuration);
  EXPECT_THAT(ran.err, HasSubstr(":3: "));
  EXPECT_EQ(ran.out, "");
  const Ran as_json = run(world, {"config", "check", file.path(), "-j"});
  EXPECT_EQ(as_json.code, exit_code::configuration);
  const auto json = nlohmann::json::parse(as_json.out);
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["problems"][0]["line"], 3);
}

TEST(ConfigVerb, ShowWithoutAFileTellsWhichNodeIsAskedAndWhy) {
  FakeWorld world;
  world.variables["LEGION_NODE"] = "10.0.0.1:7000";
  const auto json = nlohmann::json::parse(run(world, {"config", "show", "-j"}).out);
  EXPECT_EQ(json["node"], "10.0.0.1:7000");
  EXPECT_EQ(json["node_from"], "LEGION_NODE");
}

TEST(ConfigVerb, RefusesWhatItDoesNotKnow) {
  FakeWorld world;
  const Ran ran = run(world, {"config", "chekc"});
  EXPECT_EQ(ran.code, exit_code::usage);
  EXPECT_THAT(ran.err, HasSubstr("did you mean 'check'?"));
  EXPECT_EQ(run(world, {"config"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"config", "check"}).code, exit_code::usage);
}

}  // namespace
}  // namespace legion::cli
