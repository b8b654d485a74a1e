#include <legion/transport/message.hpp>

#include <zmq.h>

#include <utility>

#include <legion/base/assert.hpp>

namespace legion::transport {

struct Message::Shared {
  Shared() { zmq_msg_init(&message); }
  ~Shared() { zmq_msg_close(&message); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  zmq_msg_t message;
};

Message::Message() {
  static_assert(sizeof(Storage) >= sizeof(zmq_msg_t) && alignof(Storage) >= alignof(zmq_msg_t));
  zmq_msg_init(static_cast<zmq_msg_t*>(handle()));
}

Message::~Message() { zmq_msg_close(reinterpret_cast<zmq_msg_t*>(&storage_)); }

Message::Message(Message&& other) noexcept : Message() { *this = std::move(other); }

Message& Message::operator=(Message&& other) noexcept {
  if (this == &other) return *this;
  const int rc = zmq_msg_move(reinterpret_cast<zmq_msg_t*>(&storage_), reinterpret_cast<zmq_msg_t*>(&other.storage_));
  LEGION_ASSERT(rc == 0);
  shared_ = std::exchange(other.shared_, nullptr);
  return *this;
}

void* Message::handle() const { return shared_ ? static_cast<void*>(&shared_->message) : &storage_; }

const std::uint8_t* Message::data() const {
  return static_cast<const std::uint8_t*>(zmq_msg_data(static_cast<zmq_msg_t*>(handle())));
}

std::size_t Message::size() const { return zmq_msg_size(static_cast<zmq_msg_t*>(handle())); }

std::shared_ptr<const void> Message::share(MessagePool* pool) {
  if (!shared_) {
    auto shared = pool == nullptr
                      ? std::make_shared<Shared>()
                      : std::allocate_shared<Shared>(PoolAllocator<Shared, MessagePool::Blocks>(*pool->blocks_));
    const int rc = zmq_msg_move(&shared->message, reinterpret_cast<zmq_msg_t*>(&storage_));
    LEGION_ASSERT(rc == 0);
    shared_ = std::move(shared);
  }
  return {shared_, data()};
}

}  // namespace legion::transport
