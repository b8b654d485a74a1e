#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api_kit.hpp"

#include <legion/api/plugin_agent.hpp>
#include <legion/testing.hpp>

namespace legion {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::filesystem::path plugin(const std::string& name) {
  return std::filesystem::path(LEGION_TEST_PLUGINS) / ("lib" + name + ".so");
}

Error error_of(const std::filesystem::path& library, const PluginSettings& settings = {}) {
  TestMesh mesh;
  Node node = *mesh.add_node("desk");
  const auto loaded = load_plugin(node, "guest", library, settings);
  EXPECT_FALSE(loaded.has_value());
  return loaded ? Error{} : loaded.error();
}

SubscriptionOptions wanted(std::string_view filter) {
  SubscriptionOptions options;
  options.spec.filter = *Filter::parse(filter);
  return options;
}

TEST(Plugin, ItsHandlersAreThoseOfTheAgent) {
  TestMesh mesh;
  Node node = *mesh.add_node("desk");
  const auto loaded = load_plugin(node, "guest", plugin("families"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_TRUE(node.start());
  node.publisher().publish(test::plain_event("trade.executed"));
  mesh.run_until_idle();
  ASSERT_EQ(mesh.published("answer.").size(), 1u);
  EXPECT_EQ(mesh.published("answer.")[0]->source, "desk/guest");
  node.publisher().publish(test::plain_event("trade.approved"));
  mesh.run_until_idle();
  EXPECT_EQ(mesh.published("answer.family").size(), 2u);
  EXPECT_EQ(mesh.published("answer.type").size(), 1u);
}

TEST(Plugin, WhatCannotBeOneIsToldApart) {
  const Error absent = error_of("/nonexistent/libx.so");
  EXPECT_EQ(absent.code, ErrorCode::NotFound);
  EXPECT_THAT(absent.message, HasSubstr("/nonexistent/libx.so"));

  const auto text = std::filesystem::temp_directory_path() / ("legion-no-plugin-" + std::to_string(::getpid()));
  std::ofstream(text) << "not a shared object\n";
  const Error no_object = error_of(text);
  std::filesystem::remove(text);
  EXPECT_EQ(no_object.code, ErrorCode::BadData);
  EXPECT_THAT(no_object.message, HasSubstr("cannot load " + text.string()));

  const Error stranger = error_of(plugin("stranger"));
  EXPECT_EQ(stranger.code, ErrorCode::BadData);
  EXPECT_THAT(stranger.message, HasSubstr("is not a legion plugin"));

  const Error other = error_of(plugin("other_interface"));
  EXPECT_EQ(other.code, ErrorCode::WrongVersion);
  EXPECT_THAT(other.message, AllOf(HasSubstr("plugin interface 99"), HasSubstr(std::string(header_version))));

  const Error layout = error_of(plugin("other_layout"));
  EXPECT_EQ(layout.code, ErrorCode::WrongVersion);
  EXPECT_THAT(layout.message, AllOf(HasSubstr("0.0.9"), HasSubstr("build it again")));

  const Error function = error_of(plugin("missing_function"));
  EXPECT_EQ(function.code, ErrorCode::BadData);
  EXPECT_THAT(function.message, AllOf(HasSubstr("function_of_the_future"), HasSubstr("another version of legion")));
}

// Its globals call a function that is not here: loading it would end this process.
TEST(Plugin, NothingOfAnotherVersionRuns) {
  const Error other = error_of(plugin("other_interface_with_globals"));
  EXPECT_EQ(other.code, ErrorCode::WrongVersion);
  EXPECT_THAT(other.message, HasSubstr("plugin interface 98"));
}

TEST(Plugin, WhatItSaysOfItsSettingsIsTheError) {
  EXPECT_THAT(error_of(plugin("families"), {{"fail", "error"}}).message, HasSubstr("settings: fail = error"));
  EXPECT_THAT(error_of(plugin("families"), {{"fail", "throw"}}).message, HasSubstr("thrown in set_up"));
}

TEST(Plugin, OneThatCannotBeSetUpLeavesNothingBehind) {
  TestMesh mesh;
  Node node = *mesh.add_node("desk");
  ASSERT_FALSE(load_plugin(node, "guest", plugin("families"), {{"fail", "late"}}));
  ASSERT_TRUE(node.start());
  ASSERT_FALSE(load_plugin(node, "guest", plugin("families"), {{"fail", "late"}}));  // nor while the node runs
  node.publisher().publish(test::plain_event("trade.executed"));
  mesh.run_until_idle();
  EXPECT_TRUE(mesh.published("answer.").empty());
  EXPECT_TRUE(node.statistics().handlers.empty());
  const auto loaded = load_plugin(node, "guest", plugin("families"));
  ASSERT_TRUE(loaded) << loaded.error().message;  // its name is free
  node.publisher().publish(test::plain_event("trade.executed"));
  mesh.run_until_idle();
  EXPECT_EQ(mesh.published("answer.").size(), 1u);
}

TEST(PluginAgent, TheConfigurationSaysWhatItIsSubscribedTo) {
  auto loaded = PluginAgent::load({.name = "guest", .node = "alpha", .library = plugin("families")});
  ASSERT_TRUE(loaded) << loaded.error().message;
  PluginAgent& agent = **loaded;
  const auto subscriptions =
      agent.subscriptions({wanted("trade.rejected"), wanted("trade.approved"), wanted("trade.")});
  ASSERT_TRUE(subscriptions) << subscriptions.error().message;
  EXPECT_EQ(subscriptions->size(), 3u);
  agent.bind({5});
  test::RecordingServices services;
  agent.start(services);
  EXPECT_THAT(services.lines, ElementsAre(HasSubstr("order.requested")));  // a handler that gets nothing
  for (const std::uint32_t number : {5u, 6u, 7u}) {
    agent.deliver({1, {number}, test::arrived(test::plain_event("trade.approved")), 1});
  }
  EXPECT_THAT(services.published, ElementsAre("answer.family", "answer.type", "answer.family"));
  agent.stop(1s);
}

TEST(PluginAgent, SaysWhenNoHandlerTakesWhatIsConfigured) {
  auto loaded = PluginAgent::load({.name = "guest", .node = "alpha", .library = plugin("families")});
  ASSERT_TRUE(loaded);
  const auto subscriptions = (*loaded)->subscriptions({wanted("trade.approved"), wanted("order.")});
  ASSERT_FALSE(subscriptions);
  EXPECT_THAT(subscriptions.error().message, AllOf(HasSubstr("order."), HasSubstr("libfamilies.so")));
}

TEST(PluginAgent, WithoutAConfigurationItsHandlersSay) {
  auto loaded = PluginAgent::load({.name = "guest", .node = "alpha", .library = plugin("families")});
  ASSERT_TRUE(loaded);
  const auto subscriptions = (*loaded)->subscriptions({});
  ASSERT_TRUE(subscriptions);
  ASSERT_EQ(subscriptions->size(), 3u);
  EXPECT_EQ((*subscriptions)[0].spec.filter.text(), "trade.");
}

}  // namespace
}  // namespace legion
