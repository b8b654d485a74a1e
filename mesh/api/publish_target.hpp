// Where the publishers of a node lead to. Internal.
#pragma once

#include <memory>
#include <string_view>

#include <legion/base/log.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>
#include <legion/event/publish.hpp>

namespace legion {

/// Thread: any. Outlives the node as long as somebody has a publisher.
class PublishTarget {
 public:
  virtual ~PublishTarget() = default;

  virtual PublishResult publish(const Event& event, std::string_view as, PublishOptions options) = 0;
  /// Lets time pass before the next attempt. Closed: there is no use in one.
  enum class Waited : std::uint8_t { Passed, Closed };
  virtual Waited wait(Duration time) = 0;
  virtual Now now() const = 0;
};

/// What a callback throws ends in the log from now on, and not the program.
void guard_callbacks(PublishOptions& options, const LogSink& log);

}  // namespace legion
