#include "message.hpp"

#include <zmq.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace legion::sim {

struct Body {
  std::uint32_t references = 1;
  std::uint8_t* data = nullptr;
  Msg::Free free = nullptr;  // null: the bytes follow this struct
  void* hint = nullptr;
};

void Msg::release(Body* body) {
  if (--body->references > 0) return;
  if (body->free != nullptr) body->free(body->data, body->hint);
  std::free(body);
}

Msg Msg::copy_of(const void* data, std::size_t size) {
  Msg msg;
  msg.size_ = static_cast<std::uint32_t>(size);
  if (size <= inline_max) {
    if (size > 0) std::memcpy(msg.inline_.data(), data, size);
    return msg;
  }
  void* memory = std::malloc(sizeof(Body) + size);
  if (memory == nullptr) std::abort();
  msg.body_ = new (memory) Body;
  msg.body_->data = static_cast<std::uint8_t*>(memory) + sizeof(Body);
  std::memcpy(msg.body_->data, data, size);
  return msg;
}

Msg Msg::around(void* data, std::size_t size, Free free, void* hint) {
  Msg msg;
  msg.size_ = static_cast<std::uint32_t>(size);
  void* memory = std::malloc(sizeof(Body));
  if (memory == nullptr) std::abort();
  msg.body_ = new (memory) Body{1, static_cast<std::uint8_t*>(data), free, hint};
  return msg;
}

Msg Msg::share() const {
  Msg msg;
  msg.more = more;
  msg.source = source;
  msg.body_ = body_;
  msg.size_ = size_;
  msg.inline_ = inline_;
  if (body_ != nullptr) ++body_->references;
  return msg;
}

void Msg::make_own() {
  if (body_ == nullptr || body_->free == nullptr) return;
  Msg own = copy_of(body_->data, size_);
  own.more = more;
  own.source = source;
  *this = std::move(own);
}

const std::uint8_t* Msg::data() const { return body_ != nullptr ? body_->data : inline_.data(); }

}  // namespace legion::sim

using legion::sim::Msg;

namespace {

Msg& as_ours(zmq_msg_t* msg) { return *reinterpret_cast<Msg*>(msg); }
const Msg& as_ours(const zmq_msg_t* msg) { return *reinterpret_cast<const Msg*>(msg); }

}  // namespace

extern "C" {

int zmq_msg_init(zmq_msg_t* msg) {
  new (msg) Msg;
  return 0;
}

int zmq_msg_init_data(zmq_msg_t* msg, void* data, size_t size, zmq_free_fn* free, void* hint) {
  new (msg) Msg(Msg::around(data, size, free, hint));
  return 0;
}

int zmq_msg_close(zmq_msg_t* msg) {
  as_ours(msg).clear();
  return 0;
}

int zmq_msg_move(zmq_msg_t* to, zmq_msg_t* from) {
  as_ours(to) = std::move(as_ours(from));
  return 0;
}

int zmq_msg_copy(zmq_msg_t* to, zmq_msg_t* from) {
  as_ours(to) = as_ours(from).share();
  return 0;
}

void* zmq_msg_data(zmq_msg_t* msg) { return const_cast<std::uint8_t*>(as_ours(msg).data()); }
size_t zmq_msg_size(const zmq_msg_t* msg) { return as_ours(msg).size(); }
int zmq_msg_more(const zmq_msg_t* msg) { return as_ours(msg).more ? 1 : 0; }

int zmq_msg_get(const zmq_msg_t* msg, int property) {
  switch (property) {
    case ZMQ_MORE: return as_ours(msg).more ? 1 : 0;
    case ZMQ_SRCFD: return as_ours(msg).source;
    default: errno = EINVAL; return -1;
  }
}

}  // extern "C"
