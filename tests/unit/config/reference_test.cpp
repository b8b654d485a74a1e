// config/reference.toml and the table of keys in the code say the same.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

/// A line of the reference: "#key = value" and "#[[agent]]" are examples, "# text" is prose.
struct Line {
  std::string text;
  bool is_example = false;
};

std::vector<Line> reference_lines() {
  std::ifstream file(LEGION_REFERENCE_TOML);
  std::vector<Line> lines;
  for (std::string text; std::getline(file, text);) {
    const bool is_example = text.size() > 1 && text[0] == '#' && (text[1] == '[' || (text[1] >= 'a' && text[1] <= 'z'));
    lines.push_back({is_example ? text.substr(1) : text, is_example});
  }
  return lines;
}

struct Entry {
  std::string table;  ///< "node", "agent", "agent.subscribe"
  std::string key;
  std::string value;
  std::size_t agent = 0;  ///< counts the [[agent]] headers
};

std::vector<Entry> reference_entries() {
  std::vector<Entry> entries;
  std::string table;
  std::size_t agent = 0;
  for (const Line& line : reference_lines()) {
    const auto equals = line.text.find(" = ");
    if (line.text.starts_with("[")) {
      table = line.text;
      std::erase_if(table, [](char c) { return c == '[' || c == ']'; });
      if (table == "agent") ++agent;
    } else if (!line.text.starts_with("#") && equals != std::string::npos) {
      entries.push_back({table, line.text.substr(0, equals), line.text.substr(equals + 3), agent});
    }
  }
  return entries;
}

/// The reference as key paths in the form of config_keys().
std::map<std::string, std::string> reference_keys() {
  const auto entries = reference_entries();
  std::map<std::size_t, std::string> kinds;
  for (const Entry& entry : entries) {
    const bool is_kind = entry.key == "exec" || entry.key == "plugin" || entry.key == "remote";
    if (entry.table == "agent" && is_kind) kinds[entry.agent] = entry.key;
    if (entry.table == "agent" && entry.key == "builtin")
      kinds[entry.agent] = entry.value.substr(1, entry.value.size() - 2);
  }
  std::set<std::string> own;
  for (const ConfigKey& key : config_keys()) own.insert(key.path);

  std::map<std::string, std::string> keys;
  for (const Entry& entry : entries) {
    std::string path = entry.table + "." + entry.key;
    const std::string of_kind = "agent(" + kinds[entry.agent] + ")." + entry.key;
    if (entry.table == "agent" && own.contains(of_kind)) path = of_kind;
    if (path == "agent.retry") {
      for (const char* inner : {"max_attempts", "delay", "backoff"}) {
        if (entry.value.find(inner) != std::string::npos) keys[path + "." + inner] = "";
      }
    } else {
      keys[path] = entry.value;
    }
  }
  return keys;
}

TEST(Reference, HasEveryKeyOfTheCodeAndNoOther) {
  std::set<std::string> in_code, in_reference;
  for (const ConfigKey& key : config_keys()) in_code.insert(key.path);
  for (const auto& [path, value] : reference_keys()) in_reference.insert(path);
  EXPECT_EQ(in_reference, in_code);
}

TEST(Reference, StatesTheDefaultsOfTheCode) {
  const auto keys = reference_keys();
  for (const ConfigKey& key : config_keys()) {
    const bool is_example = key.path.starts_with("agent(feed).fields") || key.path.starts_with("agent(exec).env") ||
                            key.path.starts_with("agent(plugin).settings");
    if (key.default_value.empty() || is_example) continue;
    EXPECT_EQ(keys.at(key.path), key.default_value) << key.path;
  }
}

TEST(Reference, LoadsAsItStandsWithTheDefaults) {
  std::string text;
  for (const Line& line : reference_lines()) text += (line.is_example ? "#" : "") + line.text + "\n";
  const auto config = testing::parse(text);
  ASSERT_TRUE(config.has_value()) << to_string(config.error()[0]);

  const auto defaults = testing::parse("[node]\nname = \"node-1\"\n");
  EXPECT_TRUE(*config == *defaults) << print_effective(*config);
  EXPECT_TRUE(config->notes.empty());
}

TEST(Reference, LoadsWithEverythingUncommented) {
  const testing::ConfigDirectory directory;
  directory.write("trades.csv", "time,price,volume,side\n");
  directory.write("librisk.so", "");
  std::string text;
  for (const Line& line : reference_lines()) text += line.text + "\n";

  const auto config = load_config(directory.write("reference.toml", text), testing::inputs());

  if (!config) {
    for (const auto& problem : config.error()) ADD_FAILURE() << to_string(problem);
    return;
  }
  std::set<std::string_view> hosts;
  for (const AgentConfig& agent : config->agents) hosts.insert(host_name(agent.host));
  EXPECT_EQ(hosts, (std::set<std::string_view>{"exec", "feed", "log", "echo", "sink", "plugin", "remote"}));
  EXPECT_EQ(config->topics.size(), 1u);
}

TEST(Reference, EveryKeyIsExplained) {
  for (const ConfigKey& key : config_keys()) {
    EXPECT_FALSE(key.form.empty()) << key.path;
    EXPECT_GT(key.summary.size(), 5u) << key.path;
  }
}

}  // namespace
}  // namespace legion
