// legion-cli: how operators watch and use a mesh.
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>

#include <legion/cli/app.hpp>
#include <legion/cli/exit_code.hpp>
#include <legion/cli/fd_stream.hpp>
#include <legion/cli/interrupts.hpp>
#include <legion/cli/process_world.hpp>
#include <legion/cli/standard_descriptors.hpp>

namespace {

std::size_t terminal_columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

int run(const std::vector<std::string>& arguments) {
  using namespace legion::cli;
  Interrupts interrupts;
  ProcessWorld world(interrupts);
  FdOutput output(STDOUT_FILENO);
  FdInput input(STDIN_FILENO, interrupts.stop_fd());
  std::istream in(&input);
  std::ostream out(&output);
  Console console{in, out, std::cerr, isatty(STDOUT_FILENO) == 1, terminal_columns(),
                  isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1};
  const int code = run_cli(arguments, console, world);
  // A reader that closed the pipe has seen what it wanted.
  if (output.error() == 0 || output.error() == EPIPE) return code;
  std::cerr << "legion-cli: error: standard output: " << std::strerror(output.error()) << '\n';
  return code == exit_code::ok ? exit_code::failed : code;
}

}  // namespace

int main(int argc, char** argv) {
  if (!legion::cli::occupy_standard_descriptors()) return legion::cli::exit_code::internal;
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::cerr << "legion-cli: internal error: " << error.what() << '\n';
    return legion::cli::exit_code::internal;
  }
}
