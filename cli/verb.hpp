// A verb of legion-cli. Each lives in a file of its own name.
#pragma once

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
};

std::unique_ptr<Verb> make_tail();
std::unique_ptr<Verb> make_stats();
std::unique_ptr<Verb> make_nodes();
std::unique_ptr<Verb> make_publish();
std::unique_ptr<Verb> make_config();
std::unique_ptr<Verb> make_version();
/// `app` is the whole command line, which the scripts are made from.
std::unique_ptr<Verb> make_completion(const CLI::App& app);

}  // namespace legion::cli
