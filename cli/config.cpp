#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/table.hpp>
#include <legion/cli/verb.hpp>
#include <legion/config/config.hpp>

namespace legion::cli {
namespace {

class Config : public Verb {
 public:
  std::vector<std::string> actions() const override { return {"check", "show", "schema"}; }

  void declare(CLI::App& app) override {
    app.add_option("ACTION", action_, "check: mistakes and effective values; show: effective values; schema: every key")
        ->type_name("check|show|schema");
    app.add_option("FILE", file_, "a node's TOML file; show without one: what legion-cli itself uses")->type_name("");
    app.add_option("--set", sets_, "override one value, as legion-node does: --set heartbeat.interval=250ms")
        ->allow_extra_args(false)
        ->type_name("TABLE.KEY=VALUE");
  }

  int run(Session& session) override {
    if (action_ == "check") return file_.empty() ? session.usage("config check: a FILE is needed") : check(session);
    if (action_ == "show") return file_.empty() ? show_own(session) : show_file(session);
    if (action_ == "schema") return file_.empty() ? schema(session) : session.usage("config schema takes no FILE");
    constexpr std::array<std::string_view, 3> actions{"check", "show", "schema"};
    if (action_.empty()) return session.usage("config: say check, show or schema");
    const auto meant = did_you_mean(action_, actions);
    return session.usage("config: unknown action '" + action_ + "'" +
                         (meant ? "; did you mean '" + *meant + "'?" : "; there are check, show and schema"));
  }

 private:
  std::expected<NodeConfig, std::vector<ConfigProblem>> load(Session& session) const {
    ConfigInputs inputs;
    inputs.sets = sets_;
    inputs.environment = session.world().environment();
    return load_config(file_, inputs);
  }

  int check(Session& session) {
    const auto config = load(session);
    const std::vector<ConfigProblem> problems = config ? std::vector<ConfigProblem>{} : config.error();
    const int code = config ? exit_code::ok : exit_code::configuration;
    switch (session.output()) {
      case Output::Table: break;
      case Output::Json:
        session.out() << to_json(config ? config->notes : std::vector<std::string>{}, problems).dump(2, ' ', false, JsonTree::error_handler_t::replace) << '\n';
        return code;
      case Output::Jsonl:
        session.out() << to_json(config ? config->notes : std::vector<std::string>{}, problems).dump(-1, ' ', false, JsonTree::error_handler_t::replace) << '\n';
        return code;
      case Output::Csv: print_csv(session, problems); return code;
    }
    if (!config) return report(session, problems);
    session.out() << print_effective(*config);
    for (const auto& note : config->notes) session.warn(note);
    session.note(file_ + ": ok");
    return exit_code::ok;
  }

  int report(Session& session, const std::vector<ConfigProblem>& problems) {
    for (const auto& problem : problems) session.console().err << to_string(problem) << '\n';
    session.note(file_ + ": " + std::to_string(problems.size()) + (problems.size() == 1 ? " problem" : " problems"));
    return exit_code::configuration;
  }

  JsonTree to_json(const std::vector<std::string>& notes, const std::vector<ConfigProblem>& problems) const {
    JsonTree json;
    json["file"] = file_;
    json["ok"] = problems.empty();
    json["problems"] = JsonTree::array();
    for (const auto& problem : problems) {
      json["problems"].push_back(
          {{"file", problem.file}, {"line", problem.line}, {"key", problem.key}, {"message", problem.message}});
    }
    json["notes"] = notes;
    return json;
  }

  static void print_csv(Session& session, const std::vector<ConfigProblem>& problems) {
    Table table({{"FILE"}, {"LINE", Align::Right}, {"KEY"}, {"MESSAGE"}});
    for (const auto& problem : problems) {
      table.row({{problem.file}, {std::to_string(problem.line)}, {problem.key}, {problem.message}});
    }
    table.print_csv(session.out());
  }

  int show_file(Session& session) {
    if (session.output() != Output::Table) return session.usage("config show FILE prints TOML; -o has no other form of it");
    const auto config = load(session);
    if (!config) return report(session, config.error());
    session.out() << print_effective(*config);
    return exit_code::ok;
  }

  int show_own(Session& session) {
    if (!sets_.empty()) return session.usage("--set needs a FILE");
    const auto target = session.target();
    if (!target) return session.fail(target.error());
    const std::vector<std::pair<std::string, std::string>> values{
        {"node", target->address.host_port()},
        {"node_from", target->origin},
        {"timeout", format_duration(session.options().timeout)}};
    JsonTree json;
    Table table({{"SETTING"}, {"VALUE"}});
    for (const auto& [name, value] : values) {
      json[name] = value;
      table.row({{name}, {value}});
    }
    switch (session.output()) {
      case Output::Table: session.print(table); break;
      case Output::Csv: table.print_csv(session.out()); break;
      case Output::Json: session.out() << json.dump(2, ' ', false, JsonTree::error_handler_t::replace) << '\n'; break;
      case Output::Jsonl: session.out() << json.dump(-1, ' ', false, JsonTree::error_handler_t::replace) << '\n'; break;
    }
    return exit_code::ok;
  }

  int schema(Session& session) {
    if (!sets_.empty()) return session.usage("--set needs a FILE");
    Table table({{"KEY"}, {"FORM"}, {"DEFAULT"}, {"MEANING", Align::Left, 1}});
    auto json = JsonTree::array();
    for (const ConfigKey& key : config_keys()) {
      table.row({{key.path}, {key.form}, {key.default_value}, {key.summary}});
      json.push_back({{"key", key.path}, {"form", key.form}, {"default", key.default_value}, {"meaning", key.summary}});
    }
    switch (session.output()) {
      case Output::Table: table.print(session.out(), session.paint(), 0); break;
      case Output::Csv: table.print_csv(session.out()); break;
      case Output::Json: session.out() << json.dump(2, ' ', false, JsonTree::error_handler_t::replace) << '\n'; break;
      case Output::Jsonl:
        for (const auto& key : json) session.out() << key.dump(-1, ' ', false, JsonTree::error_handler_t::replace) << '\n';
        break;
    }
    return exit_code::ok;
  }

  std::string action_;
  std::string file_;
  std::vector<std::string> sets_;
};

}  // namespace

std::unique_ptr<Verb> make_config() { return std::make_unique<Config>(); }

}  // namespace legion::cli
