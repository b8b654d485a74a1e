// One run of a command: its global options, its streams, and the node it talks to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/cli/exit_code.hpp>
#include <legion/cli/paint.hpp>
#include <legion/cli/table.hpp>
#include <legion/cli/world.hpp>

namespace legion::cli {

enum class Output : std::uint8_t { Table, Json, Jsonl, Csv };
enum class ColorMode : std::uint8_t { Auto, Always, Never };

/// What every verb accepts, before and behind the verb.
struct GlobalOptions {
  std::string node;     ///< HOST:PORT or NAME; empty: as the context, the environment or the default say
  std::string context;  ///< empty: none
  Duration timeout = 5s;
  Output output = Output::Table;
  bool output_given = false;   ///< by the user; a verb may have another default
  bool dot = false;            ///< "-o dot"; only of verbs that know it
  ColorMode color = ColorMode::Auto;
  bool quiet = false;
  bool verbose = false;
  bool yes = false;            ///< to every question
  bool timeout_given = false;
};

/// A node address and where it was said.
struct Target {
  Address address;
  std::string origin;
};

enum class Consent : std::uint8_t { Given, Refused, NotAsked };

/// Thread: the command's. Ownership: console and world outlive it.
class Session {
 public:
  Session(Console& console, World& world, GlobalOptions options);

  const GlobalOptions& options() const { return options_; }
  Output output() const { return options_.output; }
  Console& console() { return console_; }
  World& world() { return world_; }
  std::ostream& out() { return console_.out; }
  const Paint& paint() const { return paint_; }
  /// Prints it as wide as the terminal allows and says once which columns found no room.
  void print(const Table& table);
  /// Columns a line may have; 0: any number.
  std::size_t width() const { return console_.out_is_terminal ? console_.columns : 0; }

  /// Lines on standard error: details (with -v), notes (without -q), warnings and problems (always).
  void detail(std::string_view text);
  void note(std::string_view text);
  void warn(std::string_view text);
  void problem(std::string_view text);
  /// Reports the error, with advice where there is some, and returns its exit code.
  int fail(const Error& error);
  /// The same where something was named that may not exist: then nothing_found.
  int fail_to_find(const Error& error);
  int usage(std::string_view text);
  /// Asks on standard error and reads the answer, unless -y says it. NotAsked: nobody sits at a terminal.
  Consent consent(std::string_view question);
  /// For questions that read or write a whole store: --timeout where it was given, else ten minutes.
  Duration long_timeout() const { return options_.timeout_given ? options_.timeout : long_timeout_default; }
  /// Where the mesh writes its own log lines to.
  LogSink log_sink();

  /// The node to talk to. A NAME is looked up in the roster of the node that the context or the environment names.
  Result<Target> target();
  /// The address of a NAME in the roster of target(), or of a HOST:PORT.
  Result<Address> find_node(const std::string& name_or_address);
  /// The members that target() knows.
  Result<std::vector<Member>> roster();
  Result<std::unique_ptr<NodeConnection>> connect(const Address& address);
  Result<std::unique_ptr<NodeConnection>> connect_target();
  /// A call without parameters whose answer is wanted as JSON text. `timeout`: absent: as the user says.
  Result<std::string> call_json(NodeConnection& node, std::string_view method,
                                std::optional<Duration> timeout = std::nullopt);

 private:
  static constexpr Duration long_timeout_default = 10min;

  Result<Target> base_target();
  Result<std::vector<Member>> roster_of(const Address& node);
  Result<Address> look_up(const Target& base, const std::string& name);
  void line(Tint tint, std::string_view label, std::string_view text);

  Console& console_;
  World& world_;
  GlobalOptions options_;
  Paint paint_;
  bool hidden_named_ = false;
};

}  // namespace legion::cli
