#include <legion/config/overrides.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <legion/base/text.hpp>
#include <legion/config/suggest.hpp>

namespace legion {
namespace {

constexpr std::string_view variable_prefix = "LEGION_";

struct OldName {
  std::string_view variable;
  std::string_view table;
  std::string_view key;
};

/// Variables of the bus that came before; the mesh keeps reading them.
constexpr std::array<OldName, 5> old_names{{{"LEGION_CONSUMER_BUFFER_SIZE", "dispatch", "capacity"},
                                            {"LEGION_CONSUMER_MAX_RETRIES", "retry", "max_attempts"},
                                            {"LEGION_CONSUMER_RETRY_DELAY_MS", "retry", "delay"},
                                            {"LEGION_PUBLISHER_PRIORITY", "publish", "priority"},
                                            {"LEGION_PUBLISHER_BATCH_SIZE", "publish", "batch_size"}}};

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// "a, b" as the TOML array ["a", "b"].
std::string comma_list(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto item = trimmed(text.substr(0, comma));
    if (!item.empty()) out += (out.empty() ? "" : ", ") + toml_quote(item);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return "[" + out + "]";
}

/// A table with the value under "v", when the text is exactly one TOML value.
std::optional<toml::table> parse_value(std::string_view text) {
  auto table = parse_toml("v = " + std::string(text) + "\n");
  if (!table || table->size() != 1 || table->get("v") == nullptr) return std::nullopt;
  return std::move(*table);
}

class Overrides {
 public:
  Overrides(toml::table& root, const std::vector<PlainTable>& tables) : root_(root), tables_(tables) {}

  void environment(const std::vector<std::pair<std::string, std::string>>& variables) {
    for (const auto& [name, value] : variables) old_variable(name, value);
    for (const auto& [name, value] : variables) variable(name, value);
  }

  void set(const std::string& argument) {
    const auto equals = argument.find('=');
    const std::string path(trimmed(std::string_view(argument).substr(0, equals)));
    const std::string source = "--set " + path;
    if (equals == std::string::npos) return problem(source, path, "expected --set table.key=value");
    const auto dot = path.find('.');
    if (dot == std::string::npos) return problem(source, path, "expected --set table.key=value");
    const std::string table_name = path.substr(0, dot);
    const std::string key = path.substr(dot + 1);
    if (table_name == "topic" || table_name == "agent") {
      return problem(source, path, "[[" + table_name + "]] can only be written in the file");
    }
    const PlainTable* table = find_table(table_name);
    if (table == nullptr) {
      return problem(source, path, "unknown table [" + table_name + "]" + suggestion(table_name, table_names()));
    }
    const auto* known = find_field(*table, key);
    if (known == nullptr) {
      return problem(source, path, "unknown key " + toml_quote(key) + " in [" + table_name + "]" +
                                       suggestion(key, names_of(table->fields)));
    }
    assign(*table, *known, argument.substr(equals + 1), source);
  }

  OverrideReport take() { return std::move(report_); }

 private:
  void old_variable(const std::string& name, std::string value) {
    const auto old = std::ranges::find(old_names, std::string_view(name), &OldName::variable);
    if (old == old_names.end()) return;
    const std::string source = "environment " + name;
    const PlainTable* table = find_table(old->table);
    if (old->key == "delay") value += "ms";
    if (old->key == "max_attempts") {
      // The old bus counted what came after the first attempt.
      std::uint32_t retries = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), retries);
      if (error != std::errc{} || end != value.data() + value.size() || retries > 999) {
        return problem(source, "retry.max_attempts",
                       "expected a number of retries from 0 to 999, found " + toml_quote(value));
      }
      value = std::to_string(retries + 1);
    }
    assign(*table, *find_field(*table, old->key), value, source);
  }

  void variable(const std::string& name, const std::string& value) {
    if (!name.starts_with(variable_prefix)) return;
    if (std::ranges::find(old_names, std::string_view(name), &OldName::variable) != old_names.end()) return;
    const std::string source = "environment " + name;
    for (const PlainTable& table : tables_) {
      const std::string prefix = std::string(variable_prefix) + upper(table.name) + "_";
      if (!name.starts_with(prefix)) continue;
      for (const auto& one : table.fields) {
        if (name == prefix + upper(one.name)) return assign(table, one, value, source);
      }
      return unknown_variable(name);
    }
    // Other LEGION_ variables belong to other programs, but nobody else has these two families.
    if (name.starts_with("LEGION_CONSUMER_") || name.starts_with("LEGION_PUBLISHER_")) return unknown_variable(name);
    if (name.starts_with(std::string(variable_prefix) + "METRICS_")) {
      return problem(source, "metrics", "this version has no [metrics]; unset the variable");
    }
  }

  void unknown_variable(const std::string& name) {
    std::vector<std::string> known;
    for (const OldName& old : old_names) known.emplace_back(old.variable);
    for (const PlainTable& table : tables_) {
      for (const auto& one : table.fields) {
        known.push_back(std::string(variable_prefix) + upper(table.name) + "_" + upper(one.name));
      }
    }
    problem("environment " + name, "", "there is no such setting" + suggestion(name, known));
  }

  void assign(const PlainTable& table, const Field<NodeConfig>& one, const std::string& text,
              const std::string& source) {
    const std::string path = table.name + "." + one.name;
    const auto value = to_toml(one, text);
    if (!value) return problem(source, path, "[" + table.name + "] " + one.name + ": the value is not UTF-8 text");
    if (root_.get(table.name) == nullptr) root_.insert_or_assign(table.name, toml::table{});
    auto* into = root_.get_as<toml::table>(table.name);
    if (into == nullptr) return;  // the file uses the name for something else, which is reported there
    value->get("v")->visit([&](const auto& node) { into->insert_or_assign(one.name, node); });
    report_.sources[path] = source;
  }

  /// The override as TOML; text where the key wants text or where it is no TOML value.
  static std::optional<toml::table> to_toml(const Field<NodeConfig>& one, const std::string& text) {
    if (!is_utf8(text)) return std::nullopt;
    if (one.form == "boolean") {
      for (const std::string_view yes : {"1", "true", "yes", "on"}) {
        if (lower(trimmed(text)) == yes) return parse_value("true");
      }
      for (const std::string_view no : {"0", "false", "no", "off"}) {
        if (lower(trimmed(text)) == no) return parse_value("false");
      }
    }
    if (one.name == "level" && lower(text) == "warning") return parse_value("\"warn\"");
    auto value = parse_value(text);
    if (value && one.is_list && !value->get("v")->is_array()) value.reset();
    if (value && one.plain_text && !value->get("v")->is_string()) value.reset();
    if (value) return value;
    return parse_value(one.is_list ? comma_list(text) : toml_quote(text));
  }

  const PlainTable* find_table(std::string_view name) const {
    const auto found = std::ranges::find(tables_, name, &PlainTable::name);
    return found == tables_.end() ? nullptr : &*found;
  }

  static const Field<NodeConfig>* find_field(const PlainTable& table, std::string_view key) {
    const auto found = std::ranges::find(table.fields, key, &Field<NodeConfig>::name);
    return found == table.fields.end() ? nullptr : &*found;
  }

  std::vector<std::string> table_names() const {
    std::vector<std::string> names;
    for (const PlainTable& table : tables_) names.push_back(table.name);
    return names;
  }

  void problem(std::string source, std::string key, std::string message) {
    report_.problems.push_back({std::move(source), 0, std::move(key), std::move(message)});
  }

  toml::table& root_;
  const std::vector<PlainTable>& tables_;
  OverrideReport report_;
};

}  // namespace

OverrideReport apply_overrides(toml::table& root, const ConfigInputs& inputs, const std::vector<PlainTable>& tables) {
  Overrides overrides(root, tables);
  overrides.environment(inputs.environment);
  for (const std::string& argument : inputs.sets) overrides.set(argument);
  return overrides.take();
}

}  // namespace legion
