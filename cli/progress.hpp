// How far something long has come, on standard error.
#pragma once

#include <functional>
#include <string>

#include <legion/cli/session.hpp>

namespace legion::cli {

/// On a terminal one line that is written over, twice a second; elsewhere, only with -v, a line every five seconds.
/// Thread: the command's.
class Progress {
 public:
  explicit Progress(Session& session);
  /// `text` is asked for what to show only when it is time to.
  void show(const std::function<std::string(Duration elapsed)>& text);
  /// Takes the line away, so that what follows begins a line of its own.
  void end();

 private:
  bool on_terminal() const;

  Session& session_;
  SteadyTime begin_;
  SteadyTime next_;
  bool shown_ = false;
};

/// "52 %" of the way from `first` to `last`, or "" when there is no way.
std::string percent_of_way(std::uint64_t first, std::uint64_t now, std::uint64_t last);

}  // namespace legion::cli
