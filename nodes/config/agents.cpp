#include <legion/config/agents.hpp>

#include <algorithm>
#include <map>

#include <legion/config/agent_checks.hpp>
#include <legion/config/spool_checks.hpp>
#include <legion/config/suggest.hpp>

namespace legion {
namespace {

constexpr std::size_t agents_max = 256;
constexpr std::size_t subscriptions_max = 256;

const AgentKind* find_kind(const std::vector<AgentKind>& kinds, std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &AgentKind::name);
  return found == kinds.end() ? nullptr : &*found;
}

/// The other kinds have a key of their own name.
bool is_builtin(std::string_view kind) { return kind != "exec" && kind != "plugin" && kind != "remote"; }

/// What a kind is called in messages.
std::string kind_title(std::string_view kind) {
  if (kind == "remote") return "remote = true";
  return is_builtin(kind) ? "builtin = " + toml_quote(kind) : std::string(kind);
}

class AgentReader {
 public:
  AgentReader(Reader& reader, const toml::table& table, Section section, const AgentConfig& inherited,
              DurableChecks& durables)
      : reader_(reader),
        table_(table),
        section_(std::move(section)),
        kinds_(agent_kinds()),
        agent_(inherited),
        durables_(durables) {}

  AgentConfig read() {
    const AgentKind* kind = choose_kind();
    if (kind != nullptr) agent_.host = kind->initial;
    if (auto* exec = std::get_if<ExecConfig>(&agent_.host)) exec->working_dir = reader_.places().file_directory;

    reader_.read(table_, section_, agent_fields(), agent_);
    if (table_.get("name") == nullptr) reader_.problem(section_.path, section_.title + " has no name");
    if (kind != nullptr) reader_.read(table_, section_, kind->fields, agent_);
    report_unknown(kind);
    read_retry();
    read_subscriptions();
    if (kind != nullptr) check_agent(reader_, section_, agent_);
    return std::move(agent_);
  }

 private:
  /// Exactly one of exec, builtin, plugin and remote; nullptr when it is not clear which host is meant.
  const AgentKind* choose_kind() {
    std::vector<std::string> there;
    for (const char* key : {"exec", "builtin", "plugin", "remote"}) {
      if (table_.get(key) != nullptr) there.emplace_back(key);
    }
    if (there.size() > 1) {
      reader_.problem(section_.path, section_.title + " has both " + there[0] + " and " + there[1] +
                                         "; it needs exactly one of them");
      return nullptr;
    }
    if (there.empty()) {
      reader_.problem(section_.path,
                      section_.title + " has neither exec nor builtin, plugin or remote; it needs exactly one of them");
      return nullptr;
    }
    if (there[0] != "builtin") return find_kind(kinds_, there[0]);
    const toml::node* builtin = table_.get("builtin");
    reader_.mark(section_.key_path("builtin"), *builtin);
    const auto* name = builtin->as_string();
    const AgentKind* kind = name == nullptr || !is_builtin(name->get()) ? nullptr : find_kind(kinds_, name->get());
    if (kind != nullptr) return kind;
    std::vector<std::string> names;
    for (const AgentKind& one : kinds_) {
      if (is_builtin(one.name)) names.push_back(one.name);
    }
    reader_.problem(section_.key_path("builtin"),
                    section_.title + " builtin: expected \"feed\", \"log\", \"echo\" or \"sink\", found " +
                        describe(*builtin) + (name == nullptr ? "" : suggestion(name->get(), names)));
    return nullptr;
  }

  void report_unknown(const AgentKind* kind) {
    std::vector<std::string> known = names_of(agent_fields());
    known.insert(known.end(), {"exec", "builtin", "plugin", "remote", "retry", "subscribe"});
    for (const AgentKind& one : kinds_) {
      // Without a kind the keys of all are let through: the one mistake is enough.
      if (kind != nullptr && &one != kind) continue;
      for (const auto& key : one.fields) known.push_back(key.name);
    }
    reader_.report_unknown(table_, section_, known, [&](std::string_view key) -> std::string {
      std::string owners;
      for (const AgentKind& one : kinds_) {
        const bool has_it = std::ranges::any_of(one.fields, [&](const auto& field) { return field.name == key; });
        if (has_it) owners += (owners.empty() ? "" : " and ") + kind_title(one.name);
      }
      if (owners.empty() || kind == nullptr) return {};
      return "unknown key " + toml_quote(key) + " in " + section_.title + ": it belongs to " + owners +
             ", this agent is " + kind_title(kind->name);
    });
  }

  void read_retry() {
    const toml::node* node = table_.get("retry");
    if (node == nullptr) return;
    const Section retry{section_.key_path("retry"), section_.title + " retry"};
    reader_.mark(retry.path, *node);
    const auto* table = node->as_table();
    if (table == nullptr) {
      reader_.problem(retry.path,
                      retry.title + ": " + wrong_type("a table such as { max_attempts = 5 }", *node).message);
      return;
    }
    const auto fields = agent_retry_fields();
    reader_.read(*table, retry, fields, agent_);
    reader_.report_unknown(*table, retry, names_of(fields));
  }

  void read_subscriptions() {
    const toml::node* node = table_.get("subscribe");
    if (node == nullptr) return;
    reader_.mark(section_.key_path("subscribe"), *node);
    const auto* array = node->as_array();
    if (array == nullptr || array->size() > subscriptions_max) {
      reader_.problem(section_.key_path("subscribe"),
                      section_.title + " subscribe: expected [[agent.subscribe]] tables, at most " +
                          std::to_string(subscriptions_max));
      return;
    }
    std::size_t index = 0;
    for (const auto& element : *array) read_subscription(element, index++);
  }

  void read_subscription(const toml::node& element, std::size_t index) {
    const Section section{section_.key_path("subscribe") + "[" + std::to_string(index) + "]",
                          "[[agent.subscribe]] of " + section_.title};
    reader_.mark(section.path, element);
    const auto* table = element.as_table();
    if (table == nullptr)
      return reader_.problem(section.path, section.title + ": " + wrong_type("a table", element).message);

    SubscribeConfig subscription;
    const auto fields = subscribe_fields();
    const bool accepted = reader_.read(*table, section, fields, subscription);
    if (table->get("type") == nullptr) return reader_.problem(section.path, section.title + " has no type");
    reader_.report_unknown(*table, section, names_of(fields));
    if (!accepted) return;
    const auto same = [&](const SubscribeConfig& other) { return other.type == subscription.type; };
    if (std::ranges::any_of(agent_.subscribe, same)) {
      reader_.problem(section.key_path("type"),
                      section.title + " type: " + toml_quote(subscription.type.text()) + " is subscribed twice");
    }
    durables_.check(section, subscription);
    agent_.subscribe.push_back(std::move(subscription));
  }

  Reader& reader_;
  const toml::table& table_;
  Section section_;
  std::vector<AgentKind> kinds_;
  AgentConfig agent_;
  DurableChecks& durables_;
};

}  // namespace

std::vector<const toml::table*> tables_of(Reader& reader, const toml::table& root, const std::string& name) {
  std::vector<const toml::table*> tables;
  const toml::node* node = root.get(name);
  if (node == nullptr) return tables;
  reader.mark(name, *node);
  const auto* array = node->as_array();
  if (array == nullptr) {
    reader.problem(name, "[" + name + "] may be there several times: write [[" + name + "]] with two brackets");
    return tables;
  }
  for (const auto& element : *array) {
    const auto* table = element.as_table();
    if (table == nullptr) {
      reader.problem(name, "[[" + name + "]]: " + wrong_type("a table", element).message, element.source().begin.line);
      continue;
    }
    tables.push_back(table);
  }
  return tables;
}

void read_agents(Reader& reader, const toml::table& root, NodeConfig& config) {
  const auto tables = tables_of(reader, root, "agent");
  if (tables.size() > agents_max) {
    reader.problem("agent", "[[agent]] is there " + std::to_string(tables.size()) + " times, at most " +
                                std::to_string(agents_max) + " are accepted");
    return;
  }
  AgentConfig inherited;
  inherited.mailbox = config.dispatch.mailbox;
  inherited.retry = config.retry;
  DurableChecks durables(reader, config);
  std::map<std::string, std::string> lines;  // name -> where it was used first
  for (std::size_t index = 0; index < tables.size(); ++index) {
    const auto* name = tables[index]->get_as<std::string>("name");
    const Section section{"agent[" + std::to_string(index) + "]",
                          "[[agent]] " + (name == nullptr ? "#" + std::to_string(index + 1) : toml_quote(name->get()))};
    reader.mark(section.path, *tables[index]);
    config.agents.push_back(AgentReader(reader, *tables[index], section, inherited, durables).read());
    if (name == nullptr) continue;
    const auto [first, is_new] = lines.emplace(name->get(), reader.source_of(section.key_path("name")).text());
    if (!is_new) {
      reader.problem(section.key_path("name"), section.title + " name: already used by the agent at " + first->second);
    }
  }
}

}  // namespace legion
