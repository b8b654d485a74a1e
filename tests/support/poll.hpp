#pragma once

#include <chrono>
#include <thread>

namespace legion::test {

/// Whether the condition came true before the watchdog ran out. The limit only ends a test that hangs; it says nothing
/// about how long anything may take.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds watchdog = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + watchdog;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace legion::test
