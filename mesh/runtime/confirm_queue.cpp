#include <legion/runtime/confirm_queue.hpp>

namespace legion {

void ConfirmQueue::wait(std::uint8_t spools, Waiting waiting) {
  if (waiting.is_held()) held_events_ += waiting.count;
  by_spools_[spools].push_back(std::move(waiting));
}

void ConfirmQueue::on_durable(std::uint8_t spools, Position through, const std::function<void(Waiting&)>& release) {
  const auto found = by_spools_.find(spools);
  if (found == by_spools_.end()) return;
  std::deque<Waiting>& queue = found->second;
  while (!queue.empty() && queue.front().position <= through) release_front(queue, release);
}

void ConfirmQueue::give_up(const std::function<void(Waiting&)>& release) {
  for (auto& [spools, queue] : by_spools_) {
    while (!queue.empty()) release_front(queue, release);
  }
}

// Taken off first: releasing may publish, and so come back here.
void ConfirmQueue::release_front(std::deque<Waiting>& queue, const std::function<void(Waiting&)>& release) {
  Waiting waiting = std::move(queue.front());
  queue.pop_front();
  if (waiting.is_held()) held_events_ -= waiting.count;
  release(waiting);
}

}  // namespace legion
