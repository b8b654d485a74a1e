#include "world.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include <legion/transport/free_ports.hpp>

#include "support/poll.hpp"

namespace legion::conformance {
namespace {

class ForkedProcess final : public OtherProcess {
 public:
  explicit ForkedProcess(pid_t pid) : pid_(pid) {}
  ~ForkedProcess() override { kill(); }
  void kill() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void stop() override {
    ::kill(pid_, SIGSTOP);
    ::waitpid(pid_, nullptr, WUNTRACED);
  }
  void go_on() override { ::kill(pid_, SIGCONT); }

 private:
  pid_t pid_;
};

}  // namespace

namespace world {

void run(const std::function<void()>& scenario) { scenario(); }

SteadyTime now() {
  return {std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

bool until(const std::function<bool()>& condition) { return test::eventually(condition); }

std::string free_address() {
  return "tcp://127.0.0.1:" + std::to_string(transport::find_free_ports("127.0.0.1", 1).value());
}

std::unique_ptr<OtherProcess> start(std::function<void()> body) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return std::make_unique<ForkedProcess>(pid);
  // A scenario that is killed takes its processes with it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(1);
  body();
  ::_exit(0);
}

}  // namespace world
}  // namespace legion::conformance
