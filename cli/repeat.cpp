#include <legion/cli/repeat.hpp>

#include <ostream>

namespace legion::cli {

int repeat(Session& session, const RepeatOptions& options, const std::function<int(std::uint64_t turn)>& look) {
  if (!options.interval) return look(0);
  World& world = session.world();
  world.take_interrupts();
  SteadyTime next = world.now().steady;
  for (std::uint64_t turn = 0;; ++turn) {
    const int code = look(turn);
    session.out().flush();
    if (!session.out()) return exit_code::ok;
    if (world.interrupted()) return exit_code::interrupted;
    const bool hopeless = turn == 0 && (code == exit_code::unreachable || code == exit_code::timed_out ||
                                        code == exit_code::usage || code == exit_code::configuration);
    if (hopeless || (options.count && turn + 1 >= *options.count)) return code;
    // After a look that took longer than the interval the missed ones are left out.
    const SteadyTime now = world.now().steady;
    next = std::max(next + *options.interval, now);
    world.wait(next - now);
    if (world.interrupted()) return exit_code::interrupted;
  }
}

void begin_screen(Session& session, std::uint64_t turn) {
  if (session.console().out_is_terminal) {
    session.out() << "\033[H\033[J";
  } else if (turn > 0) {
    session.out() << '\n';
  }
}

}  // namespace legion::cli
