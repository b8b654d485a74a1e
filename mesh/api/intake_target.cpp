#include <legion/api/intake_target.hpp>

#include <legion/runtime/clock.hpp>

namespace legion {

PublishResult IntakeTarget::publish(const Event& event, std::string_view as, PublishOptions options) {
  guard_callbacks(options, log_);
  const WallTime time = event.time.ns == 0 ? read_wall_clock() : event.time;
  return intake_->publish(event, as, PublishedBy::Agent, options.priority_from, askers_of(options), time);
}

PublishTarget::Waited IntakeTarget::wait(Duration time) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, time, [this] { return closed_; }) ? Waited::Closed : Waited::Passed;
}

Now IntakeTarget::now() const { return read_clocks(); }

void IntakeTarget::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
}

}  // namespace legion
