// Which dead letters a command is about, and how they look.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>
#include <legion/cli/spool_queries.hpp>

namespace legion::cli {

/// The filters of `dlq`. All that are given have to match.
class LetterChoice {
 public:
  void declare(CLI::App& app);
  /// Errors: InvalidArgument naming the flag. `states` hold where --state says nothing.
  Result<void> check(const std::vector<std::string>& ids, std::vector<LetterState> states, WallTime now);
  /// Something narrows it down.
  bool narrows() const;

  /// False: enough.
  using OnLetter = std::function<bool(LetterRecord&& letter)>;
  /// Every letter that matches, in the order of event id and agent. Bounds: a page at a time. Errors: as SpoolQueries.
  Result<void> each(Session& session, SpoolQueries& spool, LetterQuery::Payload payload, const OnLetter& on_letter) const;

 private:
  Result<void> read_states(std::vector<LetterState> otherwise);
  Result<bool> read_all(Session& session, SpoolQueries& spool, LetterQuery query, const OnLetter& on_letter) const;
  Result<bool> read_pages(Session& session, SpoolQueries& spool, LetterQuery query, const OnLetter& on_letter) const;

  std::string type_, agent_, reason_, state_, since_, until_;
  std::vector<std::string> ids_;
  std::vector<LetterState> states_;
  LetterQuery query_;
};

/// Without the event itself. The type is that of the event id.
JsonTree letter_json(const LetterRecord& letter);
/// The event of a letter as a CloudEvent, or an object with the reason it cannot be shown; null without a frame.
JsonTree event_json(const LetterRecord& letter);
/// The last death, or nothing.
const LetterDeath* last_death(const LetterRecord& letter);

}  // namespace legion::cli
