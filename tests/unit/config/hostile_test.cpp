// Whatever is in the file: problems or a configuration, never a crash, and a configuration always prints and reloads.
#include <cstdlib>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "support.hpp"

namespace legion {
namespace {

std::uint64_t seed() {
  const char* given = std::getenv("LEGION_SEED");
  const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "LEGION_SEED=" << value << "\n";
  return value;
}

std::string reference() {
  std::ifstream file(LEGION_REFERENCE_TOML, std::ios::binary);
  std::string text, line;
  while (std::getline(file, line)) {
    const bool is_example = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (is_example ? line.substr(1) : line) + "\n";
  }
  return text;
}

void check(const std::string& text) {
  const auto config = testing::parse(text);
  if (!config) {
    ASSERT_FALSE(config.error().empty()) << text;
    for (const auto& problem : config.error()) {
      ASSERT_FALSE(problem.message.empty()) << text;
      ASSERT_EQ(to_string(problem).find('\n'), std::string::npos) << text;
    }
    return;
  }
  const std::string printed = print_effective(*config);
  const auto again = testing::parse(printed);
  ASSERT_TRUE(again.has_value()) << to_string(again.error()[0]) << "\n" << text << "\n---\n" << printed;
  ASSERT_TRUE(*config == *again) << text << "\n---\n" << printed;
}

class Mutations {
 public:
  Mutations(std::string base, std::uint64_t first) : base_(std::move(base)), random_(first) {}

  std::string next() {
    std::string text = base_;
    for (std::size_t i = 0, edits = 1 + pick(4); i < edits; ++i) edit(text);
    return text;
  }

 private:
  std::size_t pick(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

  void edit(std::string& text) {
    static constexpr std::string_view pieces[] = {
        "\"",          "'",          "[",    "]",     "{}",   "[[agent]]\n", "= 1",
        "\n",          "\0",         "\xff", "1e999", "-1",   "0x7f",        "true",
        "nan",         "1979-05-27", "#",    ".",     "\"\"", "[\"\"]",      "99999999999999999999",
        "{ low = 1 }", "\\u0000"};
    if (text.empty()) return;
    const std::size_t at = pick(text.size());
    switch (pick(5)) {
      case 0: text[at] = static_cast<char>(pick(256)); break;
      case 1: text.erase(at, 1 + pick(40)); break;
      case 2: text.insert(at, pieces[pick(std::size(pieces))]); break;
      case 3: text.insert(at, text.substr(pick(text.size()), pick(80))); break;
      default: replace_value(text, at); break;
    }
  }

  void replace_value(std::string& text, std::size_t at) {
    static constexpr std::string_view values[] = {
        "0",   "-1",   "1",      "\"\"",  "\"x\"", "[]",   "{}",          "{ low = 1 }",        "1.5",
        "inf", "true", "\"1s\"", "\"*\"", "\"0\"", "[[]]", "\"\\u0000\"", "9223372036854775807"};
    const auto equals = text.find(" = ", at);
    if (equals == std::string::npos) return;
    const auto end = text.find('\n', equals);
    text.replace(equals + 3, (end == std::string::npos ? text.size() : end) - equals - 3,
                 values[pick(std::size(values))]);
  }

  std::string base_;
  std::mt19937_64 random_;
};

TEST(HostileConfig, RandomChangesAreProblemsOrConfigurations) {
  Mutations whole(reference(), seed());
  Mutations small(
      "[node]\nname = \"n1\"\nroles = [\"a\"]\n[[topic]]\nprefix = \"a.\"\nttl = \"5s\"\n[[agent]]\nname = \"f\"\n"
      "builtin = \"feed\"\nrate = 5\nfields = { a = 1 }\n[[agent]]\nname = \"e\"\nexec = [\"x\"]\n"
      "env = { A = \"b\" }\n[[agent.subscribe]]\ntype = \"*\"\n",
      seed());
  for (int i = 0; i < 400; ++i) check(whole.next());
  for (int i = 0; i < 3000; ++i) check(small.next());
}

TEST(HostileConfig, DeepNestingIsRefused) {
  check("[node]\nname = \"n1\"\nroles = " + std::string(100000, '[') + "\n");
  check("[node]\nname = \"n1\"\nroles = " + std::string(200, '[') + std::string(200, ']') + "\n");
  std::string dotted = "x";
  for (int i = 0; i < 20000; ++i) dotted += ".x";
  check(dotted + " = 1\n");
}

TEST(HostileConfig, HugeFilesAreRefused) {
  const auto config = testing::parse(std::string(2 * 1024 * 1024, '#'));
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(to_string(config.error()[0]), "/etc/node.toml: not TOML: the configuration is larger than 1 MiB");
}

TEST(HostileConfig, AMillionAgentsAreRefused) {
  std::string text = testing::named("");
  for (int i = 0; i < 50000; ++i) text += "[[agent]]\n";
  const auto lines = testing::mistakes(text);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "node.toml:3: [[agent]] is there 50000 times, at most 256 are accepted");
}

}  // namespace
}  // namespace legion
