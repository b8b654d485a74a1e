#include <legion/cli/app.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/base/version.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/session.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr std::string_view exit_codes =
    "Exit codes: 0 ok, 1 failed, 3 partial success, 64 usage, 65 bad data, 66 nothing found, 69 node unreachable,\n"
    "70 internal, 75 timed out, 77 not permitted, 78 bad configuration, 130 interrupted.";

/// `value` takes a T.
template <class T, class Value>
CLI::Option* add_choice(CLI::App& app, const std::string& names, Value& value,
                        std::vector<std::pair<std::string, T>> choices, const std::string& help) {
  std::string type;
  for (const auto& [name, each] : choices) type += (type.empty() ? "" : "|") + name;
  return app
      .add_option_function<std::string>(
          names,
          [&value, names, type, choices = std::move(choices)](const std::string& text) {
            const auto found = std::ranges::find(choices, text, [](const auto& choice) { return choice.first; });
            if (found == choices.end()) throw CLI::ValidationError(names, "'" + text + "' is not one of " + type);
            value = found->second;
          },
          help)
      ->type_name(type);
}

/// What -o accepts.
enum class Form : std::uint8_t { Table, Json, Jsonl, Csv, Dot };

Output output_of(Form form) {
  switch (form) {
    case Form::Json: return Output::Json;
    case Form::Jsonl: return Output::Jsonl;
    case Form::Csv: return Output::Csv;
    case Form::Table:
    case Form::Dot: break;
  }
  return Output::Table;
}

/// `--watch` may stand without its duration, which the parser does not know how to tell from an argument.
std::vector<std::string> with_watch_durations(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--") {
      out.insert(out.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    const bool bare = arguments[i] == "--watch" && (i + 1 == arguments.size() || !parse_duration(arguments[i + 1]));
    out.push_back(bare ? "--watch=1s" : arguments[i]);
  }
  return out;
}

class CommandLine {
 public:
  CommandLine() {
    app_.fallthrough(false);
    app_.require_subcommand(0, 1);
    app_.allow_extras();
    app_.footer(std::string(exit_codes));
    declare_globals();
    add("tail", "Show the events of the mesh as they happen, or as they happened", make_tail());
    add("replay", "Read events back from a spool: to a file, an agent or the mesh", make_replay());
    add("trace", "Show what an event led to, across types and nodes", make_trace());
    add("stats", "Show what nodes have done: lanes, subscriptions, handlers, agents", make_stats());
    add("nodes", "Show the nodes of the mesh", make_nodes());
    add("publish", "Publish one event, or a stream of JSON lines", make_publish());
    add("types", "Show the event types of the catalog and the fields of their data", make_types());
    add("dlq", "Show, requeue, purge or export dead letters", make_dlq());
    add("pending", "Show how far durable subscriptions are; rm, reset or skip one", make_pending());
    add("spool", "Show, check, back up or mark spools", make_spool());
    add("check", "Check that the books of the mesh balance once nothing moves", make_check());
    add("config", "Check or show a node's configuration file", make_config());
    add("version", "Show versions", make_version());
    add("completion", "Print a completion script for a shell", make_completion(app_, [this](const std::string& verb) { return verbs_.at(verb)->actions(); }));
  }

  int run(const std::vector<std::string>& arguments, Console& console, World& world) {
    auto reversed = with_watch_durations(arguments);
    std::ranges::reverse(reversed);
    try {
      app_.parse(reversed);
    } catch (const CLI::CallForHelp&) {
      return help(console.out);
    } catch (const CLI::CallForAllHelp&) {
      return help(console.out);
    } catch (const CLI::CallForVersion&) {
      console.out << "legion-cli " << product_version() << '\n';
      return exit_code::ok;
    } catch (const CLI::ParseError& error) {
      return usage(console, error.what());
    }
    const auto parsed = app_.get_subcommands();
    const auto extra = app_.remaining(true);
    if (!extra.empty()) return refuse(console, parsed, extra.front());
    if (parsed.empty()) {
      console.err << app_.help();
      return exit_code::usage;
    }
    Verb& verb = *verbs_.at(parsed.front()->get_name());
    take_globals();
    if (globals_.dot && !verb.draws()) return usage(console, "-o dot is a form of trace only");
    Session session(console, world, globals_);
    return verb.run(session);
  }

 private:
  void add(const std::string& name, const std::string& summary, std::unique_ptr<Verb> verb) {
    CLI::App* sub = app_.add_subcommand(name, summary);
    sub->fallthrough();
    verb->declare(*sub);
    verbs_.emplace(name, std::move(verb));
  }

  void declare_globals() {
    app_.set_version_flag("--version", "legion-cli " + std::string(product_version()));
    add_text(app_, "--node", globals_.node, "HOST:PORT|NAME", "the node to talk to (LEGION_NODE; default 127.0.0.1:7400)");
    add_text(app_, "--context", globals_.context, "NAME", "take the node from ~/.config/legion/contexts/NAME.toml");
    add_duration(app_, "--timeout", timeout_, "longest wait for an answer (default 5s)");
    auto* output = add_choice<Form>(app_, "-o,--output", form_,
                                      {{"table", Form::Table}, {"json", Form::Json}, {"jsonl", Form::Jsonl},
                                       {"csv", Form::Csv}, {"dot", Form::Dot}},
                                      "form of the data; dot: a drawing, of trace");
    app_.add_flag("-j", json_, "the same as -o json")->excludes(output);
    add_choice<ColorMode>(app_, "--color", globals_.color,
                          {{"auto", ColorMode::Auto}, {"always", ColorMode::Always}, {"never", ColorMode::Never}},
                          "colours (default auto: on a terminal, unless NO_COLOR is set)");
    app_.add_flag("-q", globals_.quiet, "no notes on standard error, only warnings and errors");
    app_.add_flag("-v", globals_.verbose, "details on standard error");
    app_.add_flag("-y", globals_.yes, "yes to every question; needed where nobody sits at a terminal");
  }

  void take_globals() {
    globals_.timeout_given = timeout_.has_value();
    if (timeout_) globals_.timeout = *timeout_;
    const Form form = json_ ? Form::Json : form_.value_or(Form::Table);
    globals_.output_given = json_ || form_.has_value();
    globals_.dot = form == Form::Dot;
    globals_.output = output_of(form);
  }

  int help(std::ostream& out) {
    out << app_.help();
    return exit_code::ok;
  }

  int usage(Console& console, const std::string& text) {
    console.err << "legion-cli: error: " << printable(text) << '\n';
    return exit_code::usage;
  }

  /// Something is neither a verb nor a flag nor an argument of the verb.
  int refuse(Console& console, const std::vector<CLI::App*>& parsed, const std::string& word) {
    const bool flag = word.size() > 1 && word.front() == '-';
    std::vector<std::string> known;
    if (flag) {
      known = flag_names(app_);
      if (!parsed.empty()) std::ranges::copy(flag_names(*parsed.front()), std::back_inserter(known));
    } else if (parsed.empty()) {
      for (const auto& [name, verb] : verbs_) known.push_back(name);
    }
    const std::string name = flag ? word.substr(0, word.find('=')) : word;
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    const auto meant = did_you_mean(name, candidates);
    const std::string where = parsed.empty() ? "legion-cli" : "legion-cli " + parsed.front()->get_name();
    std::string text = flag              ? "unknown flag '" + name + "'"
                       : parsed.empty() ? "unknown verb '" + name + "'"
                                         : "unexpected argument '" + name + "'";
    if (meant) text += "; did you mean '" + *meant + "'?";
    return usage(console, text + " (" + where + " --help shows what there is)");
  }

  static std::vector<std::string> flag_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  }

  CLI::App app_{"Watch and use a legion mesh.", "legion-cli"};
  GlobalOptions globals_;
  std::optional<Duration> timeout_;
  std::optional<Form> form_;
  bool json_ = false;
  std::map<std::string, std::unique_ptr<Verb>> verbs_;
};

}  // namespace

int run_cli(const std::vector<std::string>& arguments, Console& console, World& world) {
  const int code = CommandLine().run(arguments, console, world);
  console.out.flush();
  console.err.flush();
  return code;
}

}  // namespace legion::cli
