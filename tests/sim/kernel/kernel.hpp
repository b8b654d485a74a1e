// The machine under the simulator: processes, threads, clocks, descriptors and chance, all of them simulated.
//
// legion-sim links the libraries of the product as they are. What they ask of the system (threads, mutexes, condition
// variables, clocks, eventfd, epoll, random bytes) is answered by tests/sim/kernel, what they ask of ZeroMQ by
// tests/sim/zmq: the program defines those functions itself. Threads are fibers of one thread, time passes only when
// nobody can run, and everything follows from one seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <legion/base/rng.hpp>
#include <legion/base/time.hpp>

namespace legion::sim {

class Disk;

/// What becomes of writes to real files; null members: the system's calls.
struct FileHooks {
  std::int64_t (*write)(int fd, const void* from, std::uint64_t bytes) = nullptr;
  void (*before_close)(int fd) = nullptr;
};
FileHooks& file_hooks();

/// One life of a simulated process. Its threads are fibers; its memory is given back when legion-sim's worker ends.
/// Objects of the network and the disk refer to it to learn whether it lives.
struct Process {
  std::string name;                ///< for traces
  std::uint64_t id = 0;            ///< of this life; never used again
  Duration wall_offset{};          ///< of its wall clock from the simulation's
  Disk* disk = nullptr;            ///< of its host; null: its files are as the system's
  enum class State : std::uint8_t { Running, Paused, Dead } state = State::Running;
  std::function<void()> on_death;  ///< network and disk let go of it; runs in the scheduler, once
  std::function<void()> on_resume; ///< it goes on after a pause; in the scheduler
};

/// Thread: everything runs on one real thread. "The scheduler" is the context outside all fibers.
class Kernel {
 public:
  static Kernel& get();

  /// Begins afresh. No fiber of an earlier run is run again.
  void reset(std::uint64_t seed);

  /// The steady clock of everybody, and what the wall clock of a process without an offset shows.
  SteadyTime now() const;
  WallTime wall() const { return {wall_at_begin.ns + (now() - begins_at).count()}; }
  static constexpr SteadyTime begins_at{1'000'000'000'000};
  static constexpr WallTime wall_at_begin{1'767'225'600'000'000'000};  ///< 2026-01-01
  Rng& rng();  ///< for the schedule, the network and the disk; not for the workload
  /// Runs `call` in the scheduler at `at` (now at the earliest), in the order of time, then of the calls. It must not
  /// block.
  void at(SteadyTime at, std::function<void()> call);
  void after(Duration delay, std::function<void()> call) { this->at(now() + delay, std::move(call)); }

  /// The process whose fiber runs; null in the scheduler.
  Process* current();
  std::shared_ptr<Process> spawn(std::string name, std::function<void()> main);
  /// kill -9: none of its fibers runs again, nothing is destroyed. May be called by a fiber of the process itself, and
  /// does not return then.
  void kill(Process& process);
  /// SIGSTOP and SIGCONT: its timers go on, its fibers do not.
  void pause(Process& process);
  void resume(Process& process);

  /// Of the fiber that runs: lets others run for so long.
  void sleep(Duration duration);
  /// Lets the others that can run go first.
  void yield();

  /// Runs fibers and events until `until` (time stands there then) or until stop().
  void run_until(SteadyTime until);
  void stop();

  /// A descriptor that epoll understands, of the present process; level-triggered. Numbers begin at `first_fd`.
  int open_fd();
  void close_fd(int fd);
  void set_readable(int fd, bool readable);
  static constexpr int first_fd = 1 << 20;

  /// A line of the trace on standard output, when it is wanted: "12.345678 who what", in seconds since the beginning.
  enum class Trace : std::uint8_t { Off, On };
  void want_trace(Trace trace);
  bool traced() const;
  void trace(std::string_view who, std::string_view what);
  /// Everything that was traced or scheduled so far, as a number: equal runs have equal ones.
  std::uint64_t digest() const;
};

}  // namespace legion::sim
