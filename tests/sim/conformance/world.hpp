// Where a scenario of this folder happens: with libzmq, real time and processes of the system, or in a simulated
// machine on a simulated network. A scenario cannot tell which.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <legion/base/time.hpp>

namespace legion::conformance {

/// A process of its own. Ownership: the destructor kills it.
class OtherProcess {
 public:
  virtual ~OtherProcess() = default;
  virtual void kill() = 0;  ///< -9
  virtual void stop() = 0;  ///< SIGSTOP
  virtual void go_on() = 0;
};

namespace world {

/// Carries out a scenario: as a test of the real world, or as a simulated process of a machine that begins afresh.
void run(const std::function<void()>& scenario);

/// Lets the world go on until the condition holds; false when a generous watchdog barks first.
bool until(const std::function<bool()>& condition);
SteadyTime now();

/// An address nobody listens on.
std::string free_address();

/// Before the scenario uses ZeroMQ itself. `body` has to end by itself, or be killed.
std::unique_ptr<OtherProcess> start(std::function<void()> body);

}  // namespace world
}  // namespace legion::conformance

/// TEST() whose body happens in the world.
#define SCENARIO(suite, name)                                               \
  static void suite##_##name();                                             \
  TEST(suite, name) { ::legion::conformance::world::run(&suite##_##name); } \
  static void suite##_##name()
