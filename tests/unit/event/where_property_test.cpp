// Conditions against a naive evaluator that knows nothing of the product's: it works on the tree a condition was drawn
// as and on a tree of the data. LEGION_SEED repeats a run.
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <legion/base/rng.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/event/where.hpp>

namespace legion {
namespace {

// --- data, as a tree -------------------------------------------------------------------------------------------------

struct Tree;
using List = std::vector<Tree>;
using Map = std::vector<std::pair<std::string, Tree>>;
struct Nil {
  friend bool operator==(Nil, Nil) = default;
};
struct Opaque {};
// Small numbers only: long double holds all of them exactly.
struct Tree {
  std::variant<Nil, bool, std::int64_t, std::uint64_t, double, std::string, List, Map, Opaque> value;
};

void write(MsgpackWriter& out, const Tree& tree) {
  struct Visit {
    MsgpackWriter& out;
    void operator()(Nil) const { out.nil(); }
    void operator()(bool value) const { out.boolean(value); }
    void operator()(std::int64_t value) const { out.integer(value); }
    void operator()(std::uint64_t value) const { out.uint(value); }
    void operator()(double value) const { out.float64(value); }
    void operator()(const std::string& value) const { out.str(value); }
    void operator()(const List& list) const {
      out.array(list.size());
      for (const Tree& entry : list) write(out, entry);
    }
    void operator()(const Map& map) const {
      out.map(map.size());
      for (const auto& [name, entry] : map) {
        out.str(name);
        write(out, entry);
      }
    }
    void operator()(Opaque) const { out.bin({}); }
  };
  std::visit(Visit{out}, tree.value);
}

const std::vector<std::string> names{"a", "b", "a long name that takes more than a byte of length", "é", ""};
const std::vector<std::string> texts{"", "a", "ab", "abc", "b", "ba", "é", "aéb", "a*b"};
const std::vector<double> reals{0.0, -0.0, 0.5, 1.0, -1.0, 3.0, 1e300, -1e300, INFINITY, -INFINITY, std::nan("")};

template <class T>
const T& one_of(Rng& random, const std::vector<T>& all) {
  return all[random.below(all.size())];
}

Tree draw_tree(Rng& random, int levels) {
  switch (random.below(levels > 0 ? 10 : 7)) {
    case 0: return {Nil{}};
    case 1: return {random.chance(0.5)};
    case 2: return {-static_cast<std::int64_t>(random.below(4))};
    case 3: return {random.chance(0.1) ? ~std::uint64_t{0} - random.below(2) : std::uint64_t{random.below(4)}};
    case 4: return {one_of(random, reals)};
    case 5: return {one_of(random, texts)};
    case 6: return {Opaque{}};
    case 7: {
      List list;
      for (std::size_t i = random.below(4); i > 0; --i) list.push_back(draw_tree(random, levels - 1));
      return {std::move(list)};
    }
    default: {
      Map map;
      for (std::size_t i = random.below(5); i > 0; --i)
        map.emplace_back(one_of(random, names), draw_tree(random, levels - 1));
      return {std::move(map)};
    }
  }
}

// --- conditions, as trees --------------------------------------------------------------------------------------------

using PathStep = std::variant<std::string, std::uint32_t>;
using Path = std::vector<PathStep>;
using Operand = std::variant<Path, Tree>;  // of data, or a literal

enum class Form { And, Or, Not, Compare, In, NotIn, Text, Exists, IsNull, IsNotNull };
struct Node {
  Form form = Form::Exists;
  std::vector<Node> parts;  // of And, Or, Not
  Operand left;
  Operand right;            // of Compare and Text
  std::vector<Tree> list;
  std::string op;
};

std::string quoted(Rng& random, const std::string& text) {
  const char quote = random.chance(0.5) ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote || c == '\\') out += '\\';
    out += c;
  }
  return out + quote;
}

std::string print(Rng& random, const Tree& literal) {
  if (const auto* value = std::get_if<bool>(&literal.value)) return *value ? "true" : "false";
  if (const auto* value = std::get_if<std::int64_t>(&literal.value)) return std::to_string(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&literal.value)) return std::to_string(*value);
  if (const auto* value = std::get_if<std::string>(&literal.value)) return quoted(random, *value);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.17e", std::get<double>(literal.value));
  return buffer;
}

std::string print(Rng& random, const Path& path) {
  std::string out = "data";
  for (const PathStep& step : path) {
    if (const auto* index = std::get_if<std::uint32_t>(&step)) {
      out += "[" + std::to_string(*index) + "]";
    } else if (const std::string& name = std::get<std::string>(step); name.size() == 1 && random.chance(0.7)) {
      out += "." + name;
    } else {
      out += "[" + quoted(random, name) + "]";
    }
  }
  return out;
}

std::string print(Rng& random, const Operand& operand) {
  return std::visit([&](const auto& one) { return print(random, one); }, operand);
}

std::string print(Rng& random, const Node& node) {
  const auto joined = [&](const std::string& word) {
    std::string out;
    for (const Node& part : node.parts)
      out += (out.empty() ? "" : " " + word + " ") + std::string("(") + print(random, part) + ")";
    return out;
  };
  switch (node.form) {
    case Form::And: return joined("and");
    case Form::Or: return joined("or");
    case Form::Not: return "not (" + print(random, node.parts.front()) + ")";
    case Form::Compare:
    case Form::Text: return print(random, node.left) + " " + node.op + " " + print(random, node.right);
    case Form::Exists: return "exists(" + print(random, node.left) + ")";
    case Form::IsNull: return print(random, node.left) + " is null";
    case Form::IsNotNull: return print(random, node.left) + " is not null";
    case Form::In:
    case Form::NotIn: break;
  }
  std::string out = print(random, node.left) + (node.form == Form::In ? " in (" : " not in (");
  for (const Tree& one : node.list) out += (&one == node.list.data() ? "" : ", ") + print(random, one);
  return out + ")";
}

Path draw_path(Rng& random) {
  Path path;
  for (std::size_t i = random.below(4); i > 0; --i) {
    if (random.chance(0.25)) {
      path.emplace_back(static_cast<std::uint32_t>(random.below(4)));
    } else {
      path.emplace_back(one_of(random, names));
    }
  }
  return path;
}

Tree draw_literal(Rng& random, std::size_t kind) {
  switch (kind) {
    case 0: return {random.chance(0.5)};
    case 1: return {one_of(random, texts)};
    default: break;
  }
  switch (random.below(3)) {
    case 0: return {-static_cast<std::int64_t>(random.below(4)) - 1};
    case 1: return {random.chance(0.1) ? ~std::uint64_t{0} : std::uint64_t{random.below(4)}};
    default: return {std::vector<double>{0.0, 0.5, 1.0, -1.0, 3.0, 1e300, 1e19}[random.below(7)]};
  }
}

Node draw_node(Rng& random, int levels) {
  Node node;
  if (levels > 0 && random.chance(0.6)) {
    node.form = std::vector{Form::And, Form::Or, Form::Not}[random.below(3)];
    const std::size_t parts = node.form == Form::Not ? 1 : 1 + random.below(3);
    for (std::size_t i = 0; i < parts; ++i) node.parts.push_back(draw_node(random, levels - 1));
    return node;
  }
  node.left = draw_path(random);
  const std::size_t kind = random.below(3);
  switch (random.below(7)) {
    case 0: node.form = Form::Exists; break;
    case 1: node.form = random.chance(0.5) ? Form::IsNull : Form::IsNotNull; break;
    case 2:
      node.form = random.chance(0.5) ? Form::In : Form::NotIn;
      for (std::size_t i = 1 + random.below(4); i > 0; --i) node.list.push_back(draw_literal(random, kind));
      break;
    case 3:
      node.form = Form::Text;
      node.op = std::vector<std::string>{"prefix", "suffix", "contains", "matches"}[random.below(4)];
      node.right = Tree{node.op == "matches"
                            ? std::vector<std::string>{"*", "a*", "?", "a?b", "*b*", "", "??", "a"}[random.below(8)]
                            : one_of(random, texts)};
      break;
    default:
      node.form = Form::Compare;
      node.op = std::vector<std::string>{"==", "!=", "<", "<=", ">", ">="}[random.below(kind == 0 ? 2 : 6)];
      if (random.chance(0.3)) {
        node.right = draw_path(random);
      } else {
        node.right = draw_literal(random, kind);
        if (random.chance(0.2)) std::swap(node.left, node.right);
      }
  }
  return node;
}

// --- the naive evaluator ---------------------------------------------------------------------------------------------

const Tree* find(const Tree& data, const Path& path) {
  const Tree* at = &data;
  for (const PathStep& step : path) {
    const Tree* found = nullptr;
    if (const auto* index = std::get_if<std::uint32_t>(&step)) {
      const auto* list = std::get_if<List>(&at->value);
      if (list != nullptr && *index < list->size()) found = &(*list)[*index];
    } else if (const auto* map = std::get_if<Map>(&at->value)) {
      for (const auto& [name, entry] : *map) {
        if (found == nullptr && name == std::get<std::string>(step)) found = &entry;
      }
    }
    if (found == nullptr) return nullptr;
    at = found;
  }
  return at;
}

const Tree* resolve(const Tree& data, const Operand& operand) {
  if (const auto* literal = std::get_if<Tree>(&operand)) return literal;
  return find(data, std::get<Path>(operand));
}

std::optional<long double> number(const Tree& tree) {
  if (const auto* value = std::get_if<std::int64_t>(&tree.value)) return static_cast<long double>(*value);
  if (const auto* value = std::get_if<std::uint64_t>(&tree.value)) return static_cast<long double>(*value);
  if (const auto* value = std::get_if<double>(&tree.value)) return static_cast<long double>(*value);
  return std::nullopt;
}

template <class T>
bool ordered(const T& left, const std::string& op, const T& right) {
  if (op == "==") return left == right;
  if (op == "!=") return left != right;
  if (op == "<") return left < right;
  if (op == "<=") return left <= right;
  if (op == ">") return left > right;
  return left >= right;
}

bool compare(const Tree* left, const std::string& op, const Tree* right) {
  if (left == nullptr || right == nullptr) return false;
  const auto a = number(*left);
  const auto b = number(*right);
  if (a && b) return !std::isnan(*a) && !std::isnan(*b) && ordered(*a, op, *b);
  if (left->value.index() != right->value.index()) return false;
  if (const auto* text = std::get_if<std::string>(&left->value))
    return ordered(*text, op, std::get<std::string>(right->value));
  if (op != "==" && op != "!=") return false;
  if (const auto* truth = std::get_if<bool>(&left->value)) return ordered(*truth, op, std::get<bool>(right->value));
  return std::holds_alternative<Nil>(left->value) && op == "==";
}

std::size_t character(const std::string& text, std::size_t at) {
  std::size_t bytes = 1;
  while (at + bytes < text.size() && (static_cast<unsigned char>(text[at + bytes]) & 0xc0u) == 0x80u) ++bytes;
  return bytes;
}

bool glob(const std::string& pattern, std::size_t p, const std::string& text, std::size_t t) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p] == '*') return glob(pattern, p + 1, text, t) || (t < text.size() && glob(pattern, p, text, t + 1));
  if (t == text.size()) return false;
  if (pattern[p] == '?') return glob(pattern, p + 1, text, t + character(text, t));
  return pattern[p] == text[t] && glob(pattern, p + 1, text, t + 1);
}

bool text_test(const Tree* left, const std::string& op, const std::string& right) {
  const auto* text = left == nullptr ? nullptr : std::get_if<std::string>(&left->value);
  if (text == nullptr) return false;
  if (op == "prefix") return text->rfind(right, 0) == 0;
  if (op == "suffix") return text->size() >= right.size() && text->substr(text->size() - right.size()) == right;
  if (op == "contains") return text->find(right) != std::string::npos;
  return glob(right, 0, *text, 0);
}

bool evaluate(const Node& node, const Tree& data) {
  const auto any = [&](const std::string& op) {
    return std::ranges::any_of(node.list, [&](const Tree& one) { return compare(resolve(data, node.left), op, &one); });
  };
  switch (node.form) {
    case Form::And: return std::ranges::all_of(node.parts, [&](const Node& part) { return evaluate(part, data); });
    case Form::Or: return std::ranges::any_of(node.parts, [&](const Node& part) { return evaluate(part, data); });
    case Form::Not: return !evaluate(node.parts.front(), data);
    case Form::Compare: return compare(resolve(data, node.left), node.op, resolve(data, node.right));
    case Form::In: return any("==");
    case Form::NotIn:
      return std::ranges::all_of(node.list,
                                 [&](const Tree& one) { return compare(resolve(data, node.left), "!=", &one); });
    case Form::Text:
      return text_test(resolve(data, node.left), node.op, std::get<std::string>(std::get<Tree>(node.right).value));
    case Form::Exists: return resolve(data, node.left) != nullptr;
    case Form::IsNull:
    case Form::IsNotNull: break;
  }
  const Tree* left = resolve(data, node.left);
  return left != nullptr && std::holds_alternative<Nil>(left->value) == (node.form == Form::IsNull);
}

// --- the properties --------------------------------------------------------------------------------------------------

std::uint64_t seed() {
  const char* given = std::getenv("LEGION_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "LEGION_SEED=" << seed << std::endl;
  return seed;
}

TEST(WhereProperty, SaysWhatTheNaiveEvaluatorSays) {
  Rng random(seed());
  std::size_t held = 0;
  constexpr std::size_t conditions = 4000;
  constexpr std::size_t events_each = 8;
  for (std::size_t i = 0; i < conditions; ++i) {
    const Node node = draw_node(random, 4);
    const std::string text = print(random, node);
    const auto where = Where::parse(text);
    ASSERT_TRUE(where.has_value()) << text << "\n" << where.error().message;
    for (std::size_t k = 0; k < events_each; ++k) {
      const Tree data = draw_tree(random, 4);
      MsgpackWriter out;
      write(out, data);
      const Bytes bytes = out.take();
      EventView view;
      view.data = bytes;
      const bool expected = evaluate(node, data);
      ASSERT_EQ(where->matches(view), expected) << text;
      held += expected ? 1 : 0;
    }
  }
  // A test whose conditions all say no would prove nothing.
  EXPECT_GT(held, conditions * events_each / 10);
  EXPECT_LT(held, conditions * events_each * 9 / 10);
}

TEST(WhereProperty, DamagedDataIsReadWithinItsBounds) {
  Rng random(seed());
  for (std::size_t i = 0; i < 4000; ++i) {
    const auto where = Where::parse(print(random, draw_node(random, 3)));
    MsgpackWriter out;
    write(out, draw_tree(random, 4));
    Bytes bytes = out.take();
    for (std::size_t k = random.below(4); k > 0; --k)
      bytes[random.below(bytes.size())] = static_cast<std::uint8_t>(random.below(256));
    bytes.resize(random.below(bytes.size() + 1));
    bytes.shrink_to_fit();  // so that the sanitizer sees a step too far
    EventView view;
    view.data = bytes;
    EXPECT_EQ(where->matches(view), where->matches(view));
  }
}

}  // namespace
}  // namespace legion
