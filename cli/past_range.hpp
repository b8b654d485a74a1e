// From when to when a command reads the past: the flags of tail and replay.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <legion/cli/past_reader.hpp>
#include <legion/cli/spool_choice.hpp>

namespace legion::cli {

class PastRange {
 public:
  /// --since, --from, --mark and --spool.
  void declare_begin(CLI::App& app);
  /// --until and --until-mark.
  void declare_end(CLI::App& app);

  bool has_begin() const { return !since_.empty() || !from_.empty() || !mark_.empty(); }
  const std::string& spool_name() const { return spool_; }

  /// Reads the texts. Errors: InvalidArgument naming the flag.
  Result<void> check(WallTime now);
  /// Finds the spool, and in it the id and the marks that were named, and enters them into the question.
  /// Errors: as choose_spool(); NotFound naming what no spool has.
  Result<ChosenSpool> open(Session& session, PastQuestion& question) const;

 private:
  Result<std::optional<CommitNumber>> begin_in(SpoolQueries& spool) const;

  std::string since_, until_, from_, mark_, until_mark_, spool_;
  std::optional<WallTime> since_time_, until_time_;
  std::optional<EventId> from_id_;
};

}  // namespace legion::cli
