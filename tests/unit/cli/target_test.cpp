#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <legion/core/messages.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

FakeNode node_with_empty_list() {
  FakeNode node;
  node.answer_json("nodes", "[]");
  return node;
}

/// A folder of its own that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "legion-cli-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(path_ / "legion" / "contexts");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }
  void write_context(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / "legion" / "contexts" / (name + ".toml")) << text;
  }

 private:
  std::filesystem::path path_;
};

TEST(Target, IsTheDefaultAddressUnlessSomethingSaysOtherwise) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"] = node_with_empty_list();
  EXPECT_EQ(run(world, {"nodes"}).code, exit_code::ok);
  EXPECT_THAT(world.connected, ElementsAre("127.0.0.1:7400"));
}

TEST(Target, TheFlagWinsOverTheEnvironment) {
  FakeWorld world;
  world.variables["LEGION_NODE"] = "10.0.0.1:7000";
  world.nodes["10.0.0.2:7400"] = node_with_empty_list();
  EXPECT_EQ(run(world, {"nodes", "--node", "10.0.0.2"}).code, exit_code::ok);
  EXPECT_THAT(world.connected, ElementsAre("10.0.0.2:7400"));
}

TEST(Target, ANameIsLookedUpInTheRosterOfTheNodeThatTheEnvironmentNames) {
  FakeWorld world;
  world.variables["LEGION_NODE"] = "10.0.0.1:7000";
  Member beta;
  beta.name = "beta";
  beta.incarnation = 1;
  beta.endpoints.control = "tcp://10.0.0.9:7100";
  beta.endpoints.lanes.fill("tcp://10.0.0.9:7101");
  world.nodes["10.0.0.1:7000"].methods["roster"] = [beta](BytesView) { return encode(std::vector<Member>{beta}); };
  world.nodes["10.0.0.9:7100"] = node_with_empty_list();
  EXPECT_EQ(run(world, {"--node", "beta", "nodes"}).code, exit_code::ok);
  EXPECT_THAT(world.connected, ElementsAre("10.0.0.1:7000", "10.0.0.9:7100"));

  const Ran unknown = run(world, {"--node", "gamma", "nodes"});
  EXPECT_EQ(unknown.code, exit_code::unreachable);
  EXPECT_THAT(unknown.err, HasSubstr("knows no node named 'gamma' (it knows: beta)"));
}

TEST(Target, UnreachableNamesTheAddressAndWhatToTry) {
  FakeWorld world;
  const Ran ran = run(world, {"--node", "10.0.0.5:7500", "stats"});
  EXPECT_EQ(ran.code, exit_code::unreachable);
  EXPECT_THAT(ran.err, HasSubstr("10.0.0.5:7500"));
  EXPECT_THAT(ran.err, HasSubstr("--node HOST:PORT, LEGION_NODE or --context"));
}

TEST(Target, ANodeThatDoesNotAnswerEndsWith75) {
  FakeWorld world;
  world.nodes["127.0.0.1:7400"].methods["nodes"] = [](BytesView) -> Result<Bytes> {
    return fail(ErrorCode::TimedOut, "127.0.0.1:7400: no answer to nodes");
  };
  EXPECT_EQ(run(world, {"nodes"}).code, exit_code::timed_out);
}

TEST(Target, AContextSaysTheNode) {
  const Folder folder;
  folder.write_context("lab", "node = \"10.0.0.3:7900\"\n");
  FakeWorld world;
  world.variables = {{"XDG_CONFIG_HOME", folder.path()}, {"LEGION_NODE", "10.0.0.1:7000"}};
  world.nodes["10.0.0.3:7900"] = node_with_empty_list();
  EXPECT_EQ(run(world, {"--context", "lab", "nodes"}).code, exit_code::ok);
  EXPECT_THAT(world.connected, ElementsAre("10.0.0.3:7900"));
}

TEST(Target, AContextThatCannotBeUsedEndsWith78AndSaysWhy) {
  const Folder folder;
  folder.write_context("typo", "\nnodes = \"10.0.0.3:7900\"\n");
  folder.write_context("broken", "node = \n");
  FakeWorld world;
  world.variables["XDG_CONFIG_HOME"] = folder.path();
  const Ran missing = run(world, {"--context", "absent", "nodes"});
  EXPECT_EQ(missing.code, exit_code::configuration);
  EXPECT_THAT(missing.err, HasSubstr("contexts/absent.toml does not exist"));
  const Ran typo = run(world, {"--context", "typo", "nodes"});
  EXPECT_EQ(typo.code, exit_code::configuration);
  EXPECT_THAT(typo.err, HasSubstr("typo.toml:2: unknown key 'nodes'"));
  EXPECT_EQ(run(world, {"--context", "broken", "nodes"}).code, exit_code::configuration);
  EXPECT_EQ(run(world, {"--context", "../x", "nodes"}).code, exit_code::configuration);
}

TEST(Target, AMalformedVariableEndsWith78) {
  for (const auto* value : {"x:y:z", "10.0.0.1:99999", "0.0.0.0:7400"}) {
    FakeWorld world;
    world.variables["LEGION_NODE"] = value;
    const Ran ran = run(world, {"nodes"});
    EXPECT_EQ(ran.code, exit_code::configuration) << value;
    EXPECT_THAT(ran.err, HasSubstr("LEGION_NODE: "));
    EXPECT_EQ(run(world, {"--node", "beta", "nodes"}).code, exit_code::configuration) << value;
    world.nodes["10.0.0.2:7400"] = node_with_empty_list();
    EXPECT_EQ(run(world, {"--node", "10.0.0.2", "nodes"}).code, exit_code::ok) << "the flag does not need it";
  }
}

TEST(Target, AnAddressThatIsNoneIsUsage) {
  FakeWorld world;
  EXPECT_EQ(run(world, {"--node", "10.0.0.1:99999", "nodes"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"--node", "0.0.0.0:7400", "nodes"}).code, exit_code::usage);
}

}  // namespace
}  // namespace legion::cli
