// The functions of libzmq that mesh/transport calls, for the simulated network. message.cpp has those of messages.
#include <zmq.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "context.hpp"
#include "network.hpp"

using legion::sim::Context;
using legion::sim::Kernel;
using legion::sim::Msg;
using legion::sim::Network;
using legion::sim::Socket;

namespace {

constexpr int version[] = {4, 3, 4};
constexpr legion::Duration term_look_interval = std::chrono::milliseconds(2);

Context& as_context(void* context) { return *static_cast<Context*>(context); }
Socket& as_socket(void* socket) { return *static_cast<Socket*>(socket); }
Msg& as_msg(zmq_msg_t* msg) { return *reinterpret_cast<Msg*>(msg); }

}  // namespace

extern "C" {

int zmq_errno(void) { return errno; }

const char* zmq_strerror(int number) {
  switch (number) {
    case ETERM: return "Context was terminated";
    case EFSM: return "Operation cannot be accomplished in current state";
    case ENOCOMPATPROTO: return "The protocol is not compatible with the socket type";
    case EMTHREAD: return "No thread available";
    default: return std::strerror(number);
  }
}

void zmq_version(int* major, int* minor, int* patch) {
  *major = version[0];
  *minor = version[1];
  *patch = version[2];
}

void* zmq_ctx_new(void) { return &Network::get().make_context(); }
int zmq_ctx_set(void*, int, int) { return 0; }

int zmq_ctx_shutdown(void* context) {
  as_context(context).shut_down();
  return 0;
}

int zmq_ctx_term(void* context) {
  Context& ours = as_context(context);
  ours.shut_down();
  while (!ours.is_empty()) Kernel::get().sleep(term_look_interval);
  return 0;
}

void* zmq_socket(void* context, int type) {
  Context& ours = as_context(context);
  Socket* socket = ours.is_shut_down() ? nullptr : ours.open(type);
  if (socket == nullptr) errno = ours.is_shut_down() ? ETERM : EINVAL;
  return socket;
}

int zmq_close(void* socket) {
  as_socket(socket).context().close(as_socket(socket));
  return 0;
}

int zmq_setsockopt(void* socket, int option, const void* value, size_t size) {
  return as_socket(socket).set(option, value, size);
}
int zmq_getsockopt(void* socket, int option, void* value, size_t* size) {
  return as_socket(socket).get(option, value, size);
}
int zmq_bind(void* socket, const char* uri) { return as_socket(socket).bind(uri); }
int zmq_connect(void* socket, const char* uri) { return as_socket(socket).connect(uri); }
int zmq_disconnect(void* socket, const char* uri) { return as_socket(socket).disconnect(uri); }
int zmq_socket_monitor(void* socket, const char* address, int) { return as_socket(socket).watch(address); }

int zmq_send(void* socket, const void* data, size_t size, int flags) {
  Msg msg = Msg::copy_of(data, size);
  return as_socket(socket).send(msg, flags);
}

// As in libzmq, the message is empty once it was sent, and stays as it was when it was not.
int zmq_msg_send(zmq_msg_t* msg, void* socket, int flags) {
  const int sent = as_socket(socket).send(as_msg(msg), flags);
  if (sent >= 0) as_msg(msg) = Msg{};
  return sent;
}

int zmq_msg_recv(zmq_msg_t* msg, void* socket, int flags) { return as_socket(socket).receive(as_msg(msg), flags); }

}  // extern "C"
