#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <legion/base/text.hpp>
#include <legion/config/agents.hpp>
#include <legion/config/checks.hpp>
#include <legion/config/middleware.hpp>
#include <legion/config/overrides.hpp>
#include <legion/config/spool_checks.hpp>
#include <legion/config/suggest.hpp>

namespace legion {
namespace {

using Problems = std::vector<ConfigProblem>;

constexpr std::size_t topics_max = 1024;
constexpr std::size_t file_bytes_max = 1024 * 1024;
constexpr std::uint32_t workers_max = 256;

std::string working_directory() {
  std::error_code error;
  const auto path = std::filesystem::current_path(error);
  return error ? "/" : path.string();
}

std::string directory_of(const std::string& file, const std::string& working) {
  return (std::filesystem::path(working) / file).parent_path().lexically_normal().string();
}

void read_topics(Reader& reader, const toml::table& root, NodeConfig& config) {
  const auto tables = tables_of(reader, root, "topic");
  if (tables.size() > topics_max) {
    reader.problem("topic", "[[topic]] is there " + std::to_string(tables.size()) + " times, at most " +
                                std::to_string(topics_max) + " are accepted");
    return;
  }
  const auto fields = topic_fields();
  for (std::size_t index = 0; index < tables.size(); ++index) {
    const auto* prefix = tables[index]->get_as<std::string>("prefix");
    const Section section{
        "topic[" + std::to_string(index) + "]",
        "[[topic]] " + (prefix == nullptr ? "#" + std::to_string(index + 1) : toml_quote(prefix->get()))};
    reader.mark(section.path, *tables[index]);
    TopicRule rule;
    reader.read(*tables[index], section, fields, rule);
    if (tables[index]->get("prefix") == nullptr) reader.problem(section.path, section.title + " has no prefix");
    reader.report_unknown(*tables[index], section, names_of(fields));
    config.topics.push_back(std::move(rule));
  }
}

void report_unknown_tables(Reader& reader, const toml::table& root, const std::vector<PlainTable>& tables) {
  std::vector<std::string> known{"topic", "agent", "middleware"};
  for (const PlainTable& table : tables) known.push_back(table.name);
  reader.report_unknown(root, {"", "the file"}, known, [&](std::string_view name) -> std::string {
    const toml::node* node = root.get(name);
    const bool is_table = node->is_table() || node->is_array_of_tables();
    if (name == "metrics") return "[metrics]: this version serves no metrics; remove the table";
    if (is_table) return "unknown table [" + std::string(name) + "]" + suggestion(name, known);
    for (const PlainTable& table : tables) {
      const auto names = names_of(table.fields);
      if (std::ranges::find(names, name) == names.end()) continue;
      return "unknown key " + toml_quote(name) + " outside any table; did you mean [" + table.name + "] " +
             std::string(name) + "?";
    }
    return "unknown key " + toml_quote(name) + " outside any table";
  });
}

/// A hint for keys that stand in the wrong table.
std::string explain_key(std::string_view table, std::string_view key, const toml::node* value,
                        const std::vector<PlainTable>& tables) {
  if (table == "security" && value != nullptr) {
    return "unknown key " + toml_quote(key) +
           " in [security]: this version has no authentication and no encryption; the only "
           "key is mode = \"none\"";
  }
  std::vector<std::string> own;
  std::string other;
  for (const PlainTable& one : tables) {
    const auto names = names_of(one.fields);
    if (one.name == table) {
      own = names;
    } else if (other.empty() && std::ranges::find(names, key) != names.end()) {
      other = one.name;
    }
  }
  if (other.empty() || !suggestion(key, own).empty()) return {};
  return "unknown key " + toml_quote(key) + " in [" + std::string(table) + "]; it belongs to [" + other + "]";
}

void read_plain_tables(Reader& reader, const toml::table& root, const std::vector<PlainTable>& tables,
                       NodeConfig& config) {
  for (const PlainTable& known : tables) {
    const toml::node* node = root.get(known.name);
    if (node == nullptr) continue;
    const Section section{known.name, "[" + known.name + "]"};
    if (node->source().begin.line != 0) reader.mark_line(section.path, node->source().begin.line);
    const auto* table = node->as_table();
    if (table == nullptr) {
      const std::string hint = node->is_array_of_tables() ? " with single brackets, it is there once" : "";
      reader.problem(section.path, section.title + ": expected a table" + hint + ", found " + describe(*node));
      continue;
    }
    if (known.make_present != nullptr) known.make_present(config);
    reader.read(*table, section, known.fields, config);
    reader.report_unknown(*table, section, names_of(known.fields), [&](std::string_view key) {
      return explain_key(known.name, key, table->get(key), tables);
    });
  }
}

const std::string* find_variable(const ConfigInputs& inputs, std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [variable, value] : inputs.environment) {
    if (variable == name && !value.empty()) found = &value;
  }
  return found;
}

void choose_state_dir(Reader& reader, const ConfigInputs& inputs, NodeConfig& config) {
  if (reader.is_set("node.state_dir")) return;
  std::string source;
  if (const auto* given = find_variable(inputs, "STATE_DIRECTORY")) {
    config.node.state_dir = given->substr(0, given->find(':'));  // systemd lists several with colons
    source = "STATE_DIRECTORY";
  } else if (const auto* state = find_variable(inputs, "XDG_STATE_HOME"); state != nullptr && state->starts_with('/')) {
    config.node.state_dir = *state + "/legion/" + config.node.name;
    source = "XDG_STATE_HOME";
  } else if (const auto* home = find_variable(inputs, "HOME"); home != nullptr && home->starts_with('/')) {
    config.node.state_dir = *home + "/.local/state/legion/" + config.node.name;
    source = "HOME";
  }
  if (source.empty()) {
    reader.problem("node.state_dir",
                   "[node] state_dir is not set, and neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME says "
                   "where it could be");
    return;
  }
  if (!config.node.state_dir.starts_with('/') || !is_utf8(config.node.state_dir)) {
    reader.problem_at({"environment " + source, 0}, "node.state_dir",
                      "[node] state_dir: " + toml_quote(config.node.state_dir) + " is not an absolute path in UTF-8");
    return;
  }
  config.node.state_dir = std::filesystem::path(config.node.state_dir).lexically_normal().string();
  reader.mark_default("node.state_dir", "default, from environment " + source);
}

/// Next to the rest of the node's state, unless it is said otherwise.
void choose_spool_path(Reader& reader, NodeConfig& config) {
  if (!config.spool || config.node.state_dir.empty()) return;
  if (!reader.is_set("spool.path")) {
    config.spool->path = "spool.db";
    reader.mark_default("spool.path", "default, in state_dir");
  }
  config.spool->path =
      (std::filesystem::path(config.node.state_dir) / config.spool->path).lexically_normal().string();
}

void choose_workers(Reader& reader, const ConfigInputs& inputs, NodeConfig& config) {
  if (reader.is_set("dispatch.workers")) return;
  const std::uint32_t cores = inputs.cores != 0 ? inputs.cores : std::thread::hardware_concurrency();
  config.dispatch.workers = std::clamp<std::uint32_t>(cores, 2, workers_max);
  reader.mark_default("dispatch.workers", "default, from the number of cores");
}

ConfigProblem whole_file(const std::string& name, std::string message) { return {name, 0, "", std::move(message)}; }

}  // namespace

std::expected<NodeConfig, Problems> parse_config(std::string_view text, const std::string& name,
                                                 const ConfigInputs& inputs) {
  auto root = parse_toml(text);
  if (!root) return std::unexpected(Problems{{name, root.error().line, "", "not TOML: " + root.error().message}});

  const std::vector<PlainTable> tables = plain_tables();
  OverrideReport overrides = apply_overrides(*root, inputs, tables);
  const std::string working = working_directory();
  Reader reader({name, directory_of(name, working), working, std::move(overrides.sources)});
  for (ConfigProblem& problem : overrides.problems) {
    reader.problem_at({problem.file, problem.line}, problem.key, std::move(problem.message));
  }

  NodeConfig config;
  read_plain_tables(reader, *root, tables, config);
  report_unknown_tables(reader, *root, tables);
  read_topics(reader, *root, config);
  read_agents(reader, *root, config);
  read_middleware(reader, *root, config);
  choose_state_dir(reader, inputs, config);
  choose_spool_path(reader, config);
  choose_workers(reader, inputs, config);
  check_node(reader, config);
  check_topics(reader, config);
  check_spool(reader, config);
  check_journal(reader, config);
  note_settings_without_effect(reader, config);

  Problems problems = reader.take_problems();
  if (!problems.empty()) return std::unexpected(std::move(problems));
  config.origins = reader.origins();
  config.notes = reader.take_notes();
  return config;
}

std::expected<NodeConfig, Problems> load_config(const std::string& path, const ConfigInputs& inputs) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return std::unexpected(Problems{whole_file(path, "is a directory")});
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(Problems{whole_file(path, "cannot be opened")});
  std::string text(file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (file.bad()) return std::unexpected(Problems{whole_file(path, "cannot be read")});
  return parse_config(text, path, inputs);
}

}  // namespace legion
