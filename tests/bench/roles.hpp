// The processes a benchmark consists of. The publisher and the subscriber each exist as a node of a mesh and as a bare
// socket; both kinds are driven, paced, counted and timed by the same code, so that they differ in nothing else.
//
// Lines a role writes:  {"ready":PORT}; the subscriber {"heard":true} at the first arrival; the publisher, when done,
//                       {"published":N,"elapsed_ns":N,"blocked":N}
// Lines a role reads:   "go" (publisher: the measurement begins), "report" (subscriber: say what arrived). The end of
//                       input ends the role.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include <legion/base/error.hpp>
#include <legion/base/histogram.hpp>
#include <legion/base/time.hpp>

#include "payload.hpp"

namespace legion::bench {

struct Pace {
  Duration length = 2s;
  std::uint32_t per_second = 0;  ///< 0: as fast as it goes
};

enum class Sent : std::uint8_t { Yes, TryAgain, Failed };

/// Sends warm-ups until "go", then numbered payloads at `pace`, reports and waits for the end of its input. Returns the
/// exit code.
int drive_publisher(Pace pace, const std::function<Sent(const Payload& payload)>& send);

/// What arrived. Thread: any.
class Meter {
 public:
  void on_arrival(BytesView data, SteadyTime now);
  /// {"delivered","first_ns","last_ns","p50_ns","p99_ns","max_ns","bad"}
  std::string report() const;

 private:
  mutable std::mutex mutex_;
  bool heard_ = false;
  std::uint64_t delivered_ = 0;
  std::uint64_t bad_ = 0;
  SteadyTime first_;
  SteadyTime last_;
  LatencyHistogram latency_;
};

/// Answers "report" until the end of input. Returns the exit code.
int answer_reports(const Meter& meter);

void say_ready(std::uint16_t port);
int complain(const Error& error);

inline constexpr const char* loopback = "127.0.0.1";
inline constexpr const char* event_type = "market.data_received";  ///< normal lane

int mesh_publisher(Pace pace, const std::string& state_dir, std::uint16_t join_port);
int mesh_subscriber(const std::string& state_dir);
int raw_publisher(Pace pace);
int raw_subscriber(std::uint16_t port);

}  // namespace legion::bench
