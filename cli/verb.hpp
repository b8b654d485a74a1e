// A verb of legion-cli. Each lives in a file of its own name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <legion/cli/session.hpp>

namespace legion::cli {

class Verb {
 public:
  virtual ~Verb() = default;
  /// Adds arguments and flags; they are stored in the verb.
  virtual void declare(CLI::App& app) = 0;
  /// Returns the exit code.
  virtual int run(Session& session) = 0;
  /// Knows "-o dot".
  virtual bool draws() const { return false; }
  /// The words its first argument may be, for completion; none: anything.
  virtual std::vector<std::string> actions() const { return {}; }
};

std::unique_ptr<Verb> make_tail();
std::unique_ptr<Verb> make_replay();
std::unique_ptr<Verb> make_trace();
std::unique_ptr<Verb> make_dlq();
std::unique_ptr<Verb> make_pending();
std::unique_ptr<Verb> make_spool();
std::unique_ptr<Verb> make_stats();
std::unique_ptr<Verb> make_nodes();
std::unique_ptr<Verb> make_publish();
std::unique_ptr<Verb> make_types();
std::unique_ptr<Verb> make_check();
std::unique_ptr<Verb> make_config();
std::unique_ptr<Verb> make_version();
/// Verb::actions() of the verb with this name.
using ActionsOf = std::function<std::vector<std::string>(const std::string& verb)>;
/// `app` is the whole command line, which the scripts are made from.
std::unique_ptr<Verb> make_completion(const CLI::App& app, ActionsOf actions_of);

}  // namespace legion::cli
