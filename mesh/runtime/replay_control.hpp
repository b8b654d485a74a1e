// The control method `replay`: stored events go out again. docs/protocol.md, "Replay".
#pragma once

#include <functional>
#include <string>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/local_replay.hpp>

namespace legion {

/// Thread: the loop's. Order: events of one lane go in the order they are given; after the first of a lane that finds no
/// room every later one of this call and lane is answered would_block too.
class ReplayControl {
 public:
  using Answer = std::function<void(Result<Bytes>)>;
  /// `local` is null before the node has joined.
  ReplayControl(std::string node, Intake& intake, LocalReplay* local)
      : node_(std::move(node)), intake_(intake), local_(local) {}

  /// Errors: BadData (params), TooBig (too many events), NotFound (no such agent here), Closed (not joined yet). What is
  /// wrong with one event is said in its entry.
  void handle(Now now, BytesView params, const Answer& answer);

 private:
  std::string node_;
  Intake& intake_;
  LocalReplay* local_;
};

}  // namespace legion
