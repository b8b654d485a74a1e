#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
    for (const auto& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// In single quotes, for any shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

class Completion : public Verb {
 public:
  Completion(const CLI::App& app, ActionsOf actions_of) : app_(app), actions_of_(std::move(actions_of)) {}

  std::vector<std::string> actions() const override { return {"bash", "zsh", "fish"}; }

  void declare(CLI::App& app) override {
    app.add_option("SHELL", shell_, "bash, zsh or fish")->type_name("bash|zsh|fish");
  }

  int run(Session& session) override {
    if (shell_ == "bash") {
      bash(session.out());
    } else if (shell_ == "zsh") {
      session.out() << "#compdef legion-cli\nautoload -U +X bashcompinit && bashcompinit\n";
      bash(session.out());
    } else if (shell_ == "fish") {
      fish(session.out());
    } else {
      return session.usage("completion: say bash, zsh or fish");
    }
    return exit_code::ok;
  }

 private:
  std::vector<const CLI::App*> verbs() const {
    return app_.get_subcommands([](const CLI::App*) { return true; });
  }

  void bash(std::ostream& out) const {
    std::vector<std::string> names;
    for (const CLI::App* verb : verbs()) names.push_back(verb->get_name());
    const std::string globals = joined(flags_of(app_));
    out << "_legion_cli() {\n"
           "  local word=\"${COMP_WORDS[COMP_CWORD]}\" verb= each\n"
           "  for each in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "    case \"$each\" in "
        << joined_by_bar(names)
        << ") verb=\"$each\"; break ;; esac\n"
           "  done\n"
           "  case \"$verb\" in\n";
    for (const CLI::App* verb : verbs()) {
      out << "    " << verb->get_name() << ") COMPREPLY=($(compgen -W \"" << arguments_of(*verb) << joined(flags_of(*verb))
          << " " << globals << "\" -- \"$word\")) ;;\n";
    }
    out << "    *) COMPREPLY=($(compgen -W \"" << joined(names) << " " << globals
        << "\" -- \"$word\")) ;;\n"
           "  esac\n"
           "}\n"
           "complete -o default -F _legion_cli legion-cli\n";
  }

  void fish(std::ostream& out) const {
    for (const CLI::App* verb : verbs()) {
      out << "complete -c legion-cli -n __fish_use_subcommand -a " << verb->get_name() << " -d "
          << quoted(verb->get_description()) << "\n";
      flags(out, *verb, " -n '__fish_seen_subcommand_from " + verb->get_name() + "'");
      if (const std::string words = arguments_of(*verb); !words.empty()) {
        out << "complete -c legion-cli -n '__fish_seen_subcommand_from " << verb->get_name() << "' -a " << quoted(words)
            << "\n";
      }
    }
    flags(out, app_, "");
  }

  static void flags(std::ostream& out, const CLI::App& app, const std::string& condition) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_lnames().empty() && option->get_snames().empty()) continue;
      out << "complete -c legion-cli" << condition;
      for (const auto& name : option->get_lnames()) out << " -l " << name;
      for (const auto& name : option->get_snames()) out << " -s " << name;
      out << (option->get_expected_min() > 0 ? " -r" : "") << " -d " << quoted(option->get_description()) << "\n";
    }
  }

  static std::string joined_by_bar(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : "|") + word;
    return out;
  }

  std::string arguments_of(const CLI::App& verb) const {
    const std::string words = joined(actions_of_(verb.get_name()));
    return words.empty() ? words : words + ' ';
  }

  const CLI::App& app_;
  ActionsOf actions_of_;
  std::string shell_;
};

}  // namespace

std::unique_ptr<Verb> make_completion(const CLI::App& app, ActionsOf actions_of) {
  return std::make_unique<Completion>(app, std::move(actions_of));
}

}  // namespace legion::cli
