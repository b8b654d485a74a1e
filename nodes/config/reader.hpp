// Walks one configuration: reads fields, remembers where every value came from, and collects the problems.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/config/schema.hpp>

namespace legion {

/// A place that a message can point at.
struct SourcePoint {
  std::string file;        ///< or "environment NAME", "--set KEY"
  std::uint32_t line = 0;  ///< 0: the file as a whole, or an override
  std::string text() const { return line == 0 ? file : file + ":" + std::to_string(line); }
};

/// A table of the configuration under two names: its key path and the one that people read.
struct Section {
  std::string path;   ///< "heartbeat", "agent[0]"
  std::string title;  ///< "[heartbeat]", "[[agent]] \"risk\""
  std::string key_path(std::string_view key) const { return path + "." + std::string(key); }
};

struct ReaderPlaces {
  std::string file;
  std::string file_directory;     ///< where relative paths of the file start
  std::string working_directory;  ///< where those of overrides start
  std::map<std::string, std::string, std::less<>> overrides;  ///< key path -> source
};

class Reader {
 public:
  explicit Reader(ReaderPlaces places) : places_(std::move(places)) {}

  /// Reads those of `fields` that `table` has; absent ones keep what `owner` holds. False: a value was refused.
  template <class Owner>
  bool read(const toml::table& table, const Section& section, const std::vector<Field<Owner>>& fields, Owner& owner) {
    bool accepted = true;
    for (const auto& one : fields) {
      const toml::node* node = table.get(one.name);
      if (node == nullptr) continue;
      const std::string path = section.key_path(one.name);
      const bool overridden = mark(path, *node);
      const ValueContext context{overridden ? places_.working_directory : places_.file_directory};
      if (auto fault = one.read(*node, context, owner)) {
        problem(path, section.title + " " + one.name + ": " + fault->message, overridden ? 0 : fault->line);
        accepted = false;
      }
    }
    return accepted;
  }

  /// `unknown key "x" in [t]; did you mean "y"?` for every key of `table` that `known` does not hold. `explain` may
  /// return a better message for a key, or nothing.
  void report_unknown(const toml::table& table, const Section& section, std::span<const std::string> known,
                      const std::function<std::string(std::string_view)>& explain = {});

  /// Remembers where the value at `path` stands. True: it was overridden.
  bool mark(const std::string& path, const toml::node& node);
  void mark_line(const std::string& path, std::uint32_t line);
  /// Records where a value that nobody wrote came from, for printing only.
  void mark_default(const std::string& path, std::string origin) { defaults_[path] = std::move(origin); }

  bool is_set(std::string_view path) const { return sources_.contains(path); }
  /// The value at `path` was refused, so what `owner` holds is not what was meant.
  bool is_refused(std::string_view path) const;
  /// Where `path`, or the innermost table around it that was written, stands.
  SourcePoint source_of(std::string_view path) const;
  /// The first of the paths that was written; the first one when none was.
  std::string first_set(std::initializer_list<std::string> paths) const;

  /// At source_of(path); `line` overrules the line when it is not 0.
  void problem(const std::string& path, std::string message, std::uint32_t line = 0);
  void problem_at(SourcePoint place, std::string path, std::string message);
  /// An accepted setting without effect: "demo.toml:3: MESSAGE".
  void note(const std::string& path, const std::string& message);

  const ReaderPlaces& places() const { return places_; }
  ConfigOrigins origins() const;
  /// By file and line, those of overrides after those of the file.
  std::vector<ConfigProblem> take_problems();
  std::vector<std::string> take_notes() { return std::move(notes_); }

 private:
  ReaderPlaces places_;
  std::map<std::string, SourcePoint, std::less<>> sources_;
  std::map<std::string, std::string, std::less<>> defaults_;
  std::vector<ConfigProblem> problems_;
  std::vector<std::string> notes_;
};

}  // namespace legion
