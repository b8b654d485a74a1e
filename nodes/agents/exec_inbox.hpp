#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <legion/agents/fd.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// The answer to a publish with a ref.
struct NumberedRef {
  std::uint64_t life = 0;  ///< which process asked, counted from 1
  std::string ref;
  std::string id;
};

/// What other threads hand to the I/O thread of an exec agent.
///
/// Thread: any. Ownership: shared, because the node's callbacks for numbered events may outlive the agent.
/// Bounds: deliveries by the dispatcher (unfinished ones per agent), answers by ExecOptions::pending_refs_max.
class ExecInbox {
 public:
  struct Contents {
    std::vector<Delivery> deliveries;
    std::vector<NumberedRef> numbered;
    std::optional<Duration> stop_within;  ///< set from then on
  };

  ExecInbox();

  void put(Delivery delivery);
  void put(NumberedRef numbered);
  void stop(Duration grace);

  /// Everything since the last call.
  Contents take();
  /// Readable while there is something to take.
  int wake_fd() const { return wake_.get(); }

 private:
  void wake() const;

  Fd wake_;
  std::mutex mutex_;
  Contents contents_;  // guarded by mutex_
};

}  // namespace legion
