#include <legion/transport/poller.hpp>

#include <zmq.h>

#include <legion/base/assert.hpp>

namespace legion::transport {

struct Poller::Items {
  std::vector<zmq_pollitem_t> all;
};

Poller::Poller() : items_(std::make_unique<Items>()) {}
Poller::~Poller() = default;

void Poller::clear() { items_->all.clear(); }

std::size_t Poller::add(Pollable what) {
  items_->all.push_back(zmq_pollitem_t{what.socket, what.fd, ZMQ_POLLIN, 0});
  return items_->all.size() - 1;
}

void Poller::add(const std::vector<Pollable>& all) {
  for (const Pollable& what : all) add(what);
}

std::size_t Poller::size() const { return items_->all.size(); }

PollOutcome Poller::wait(Duration timeout) {
  using std::chrono::ceil;
  using std::chrono::milliseconds;
  const long limit = timeout < Duration::zero() ? -1L : static_cast<long>(ceil<milliseconds>(timeout).count());
  auto& all = items_->all;
  for (zmq_pollitem_t& item : all) item.revents = 0;
  const int rc = zmq_poll(all.data(), static_cast<int>(all.size()), limit);
  if (rc > 0) return PollOutcome::Ready;
  if (rc == 0 || zmq_errno() == EINTR) return PollOutcome::TimedOut;
  LEGION_ASSERT(zmq_errno() == ETERM);
  return PollOutcome::Closed;
}

bool Poller::readable(std::size_t index) const {
  LEGION_ASSERT(index < size());
  return (items_->all[index].revents & (ZMQ_POLLIN | ZMQ_POLLERR)) != 0;
}

}  // namespace legion::transport
