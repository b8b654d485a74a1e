// Publishes into a node of this process by its intake. Internal.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include <legion/api/publish_target.hpp>
#include <legion/runtime/intake.hpp>

namespace legion {

/// By the clocks of the machine.
class IntakeTarget final : public PublishTarget {
 public:
  IntakeTarget(std::shared_ptr<Intake> intake, LogSink log) : intake_(std::move(intake)), log_(std::move(log)) {}

  PublishResult publish(const Event& event, std::string_view as, PublishOptions options) override;
  Waited wait(Duration time) override;
  Now now() const override;
  /// Ends every wait.
  void close();

 private:
  const std::shared_ptr<Intake> intake_;  // shared with the node, which may be gone before
  const LogSink log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace legion
