// The forms that values take: how each is read from TOML, checked against its bounds, and written as TOML.
//
// A form has: name() for documentation, plain_text (an override is taken as it stands, without quotes), is_list, and
//   std::optional<Fault> read(const toml::node&, const ValueContext&, T& into) const
//   std::string print(const T&) const                        empty: nothing to show
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/address.hpp>
#include <legion/config/agent_config.hpp>
#include <legion/config/toml_text.hpp>

namespace legion {

/// Why a value is refused: the rest of a sentence that begins with its key.
struct Fault {
  std::string message;
  std::uint32_t line = 0;  ///< of the part that is wrong; 0: of the value
};

struct ValueContext {
  std::string directory;  ///< absolute; relative paths start here
};

Fault wrong_type(std::string_view expected, const toml::node& found);

/// Text without NUL. `check` returns what is wrong, or nothing.
struct TextForm {
  using Check = std::string (*)(std::string_view);
  std::string_view label = "text";
  std::size_t bytes_max = 4096;
  Check check = nullptr;
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return std::string(label); }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, std::string& into) const;
  std::string print(const std::string& value) const { return toml_quote(value); }
};
std::string check_not_empty(std::string_view text);
std::string check_node_name(std::string_view text);
std::string check_published_type(std::string_view text);

/// A type that an agent may publish; upper-case catalog names become dotted.
struct EventTypeForm {
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "event type"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, std::string& into) const;
  std::string print(const std::string& value) const { return toml_quote(value); }
};

/// Made absolute and tidy.
struct PathForm {
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "path"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, std::string& into) const;
  std::string print(const std::string& value) const { return toml_quote(value); }
};

struct BoolForm {
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "boolean"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, bool& into) const;
  std::string print(bool value) const { return value ? "true" : "false"; }
};

/// Reads an integer within the bounds into any unsigned type that can hold them.
struct IntegerForm {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "integer"; }
  std::optional<Fault> read_wide(const toml::node& node, std::uint64_t& into) const;
  template <class T>
  std::optional<Fault> read(const toml::node& node, const ValueContext&, T& into) const {
    std::uint64_t wide = 0;
    if (auto fault = read_wide(node, wide)) return fault;
    into = static_cast<T>(wide);
    return std::nullopt;
  }
  template <class T>
  std::string print(T value) const {
    return std::to_string(value);
  }
};

struct NumberForm {
  double min = 0;
  double max = 0;
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "number"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, double& into) const;
  std::string print(double value) const { return toml_number(value); }
};

struct DurationForm {
  Duration min{0};
  Duration max{0};
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "duration"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, Duration& into) const;
  std::string print(Duration value) const { return toml_quote(shown(value)); }
  static std::string shown(Duration value);  ///< exact
};

struct SizeForm {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "size"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, std::uint64_t& into) const;
  std::string print(std::uint64_t value) const { return toml_quote(shown(value)); }
  static std::string shown(std::uint64_t value);  ///< exact
};

/// One of a few names. Case does not matter.
template <class Enum>
struct ChoiceForm {
  std::vector<Enum> values;
  std::string_view remark = {};  ///< ends the message about any other value
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const {
    std::string text;
    for (const Enum value : values) text += (text.empty() ? "" : ", ") + toml_quote(to_string(value));
    return text;
  }
  std::optional<Fault> read(const toml::node& node, const ValueContext&, Enum& into) const {
    const auto* text = node.as_string();
    for (const Enum value : values) {
      if (text != nullptr && equal_ignoring_case(text->get(), to_string(value))) {
        into = value;
        return std::nullopt;
      }
    }
    Fault fault = wrong_type(values.size() == 1 ? name() : "one of " + name(), node);
    fault.message += remark;
    return fault;
  }
  std::string print(Enum value) const { return toml_quote(to_string(value)); }

 private:
  static bool equal_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
  }
};

/// A priority by name, or by the numbers 0, 1, 5, 10 that other buses used.
struct PriorityForm {
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "priority"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, Priority& into) const;
  std::string print(Priority value) const { return toml_quote(to_string(value)); }
};

struct AddressForm {
  std::uint16_t default_port = 7400;
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "address"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, Address& into) const;
  std::string print(const Address& value) const { return toml_quote(value.uri()); }
};

struct FilterForm {
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "filter"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, Filter& into) const;
  std::string print(const Filter& value) const { return toml_quote(value.text()); }
};

/// A condition on events.
struct WhereForm {
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "condition"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, std::optional<Where>& into) const;
  std::string print(const std::optional<Where>& value) const { return value ? toml_quote(value->text()) : std::string(); }
};

/// "now", "beginning", a time or an event id.
struct StartForm {
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "start"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, StartConfig& into) const;
  std::string print(const StartConfig& value) const;
};

/// "original", "max" or a factor as in "10x".
struct SpeedForm {
  static constexpr bool plain_text = true, is_list = false;
  std::string name() const { return "speed"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, FeedPace& into) const;
  std::string print(const FeedPace& value) const;
};

/// Events a second.
struct RateForm {
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "number"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, FeedPace& into) const;
  std::string print(const FeedPace& value) const;
};

/// A table of text, as an environment.
struct EnvironmentForm {
  using Value = std::vector<std::pair<std::string, std::string>>;
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "table of text"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, Value& into) const;
  std::string print(const Value& value) const;
};

/// A table of text, numbers and booleans.
struct ConstantsForm {
  using Value = std::vector<std::pair<std::string, FeedConstant>>;
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return "table of constants"; }
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, Value& into) const;
  std::string print(const Value& value) const;
};

template <class Inner>
struct ListForm {
  Inner inner;
  std::size_t items_max = 0;
  static constexpr bool plain_text = false, is_list = true;
  std::string name() const { return "list of " + inner.name(); }

  template <class T>
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, std::vector<T>& into) const {
    const auto* array = node.as_array();
    if (array == nullptr) return wrong_type("an array", node);
    if (array->size() > items_max) {
      return Fault{"has " + std::to_string(array->size()) + " entries, at most " + std::to_string(items_max) +
                   " are accepted"};
    }
    std::vector<T> items;
    for (const auto& element : *array) {
      T item{};
      if (auto fault = inner.read(element, context, item)) {
        return Fault{"entry " + std::to_string(items.size() + 1) + ": " + fault->message, element.source().begin.line};
      }
      items.push_back(std::move(item));
    }
    into = std::move(items);
    return std::nullopt;
  }
  template <class T>
  std::string print(const std::vector<T>& value) const {
    std::string text;
    for (const T& item : value) text += (text.empty() ? "" : ", ") + inner.print(item);
    return "[" + text + "]";
  }
};

/// One value for every lane, or a table with some of them; lanes that are not named keep what they have.
template <class Inner>
struct PerLaneForm {
  Inner inner;
  static constexpr bool plain_text = false, is_list = false;
  std::string name() const { return inner.name() + " per lane"; }

  template <class T>
  std::optional<Fault> read(const toml::node& node, const ValueContext& context, PerLane<T>& into) const {
    const auto* table = node.as_table();
    if (table == nullptr) {
      T value{};
      if (auto fault = inner.read(node, context, value)) return fault;
      into.fill(value);
      return std::nullopt;
    }
    PerLane<T> lanes = into;
    for (const auto& [key, value] : *table) {
      const auto lane = parse_priority(key.str());
      if (!lane || to_string(*lane) != key.str()) {
        return Fault{"there is no lane " + toml_quote(key.str()) + "; the lanes are critical, high, normal and low",
                     key.source().begin.line};
      }
      if (auto fault = inner.read(value, context, lanes[lane_index(*lane)])) {
        return Fault{std::string(key.str()) + ": " + fault->message, value.source().begin.line};
      }
    }
    into = lanes;
    return std::nullopt;
  }
  template <class T>
  std::string print(const PerLane<T>& value) const {
    std::string text;
    for (const Priority lane : all_priorities) {
      text += (text.empty() ? "" : ", ") + std::string(to_string(lane)) + " = " + inner.print(value[lane_index(lane)]);
    }
    return "{ " + text + " }";
  }
};

}  // namespace legion
