#include <legion/cli/progress.hpp>

#include <algorithm>
#include <ostream>

#include <legion/cli/printable.hpp>

namespace legion::cli {
namespace {

constexpr Duration terminal_interval = 500ms;
constexpr Duration line_interval = 5s;

}  // namespace

Progress::Progress(Session& session) : session_(session), begin_(session.world().now().steady) {
  next_ = begin_ + (on_terminal() ? terminal_interval : line_interval);
}

bool Progress::on_terminal() const {
  // Beside data on the same terminal a line that is written over would tear it.
  return session_.console().err_is_terminal && !session_.console().out_is_terminal && !session_.options().quiet;
}

void Progress::show(const std::function<std::string(Duration elapsed)>& text) {
  if (!on_terminal() && !session_.options().verbose) return;
  const SteadyTime now = session_.world().now().steady;
  if (now < next_) return;
  next_ = now + (on_terminal() ? terminal_interval : line_interval);
  if (!on_terminal()) {
    session_.detail(text(now - begin_));
    return;
  }
  session_.console().err << '\r' << printable(text(now - begin_)) << "\033[K";
  session_.console().err.flush();
  shown_ = true;
}

void Progress::end() {
  if (!std::exchange(shown_, false)) return;
  session_.console().err << "\r\033[K";
  session_.console().err.flush();
}

std::string percent_of_way(std::uint64_t first, std::uint64_t now, std::uint64_t last) {
  if (last <= first) return {};
  const double share = static_cast<double>(std::clamp(now, first, last) - first) / static_cast<double>(last - first);
  return std::to_string(static_cast<int>(share * 100)) + " %";
}

}  // namespace legion::cli
