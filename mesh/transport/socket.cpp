#include <legion/transport/socket.hpp>

#include <zmq.h>

#include <legion/base/assert.hpp>

namespace legion::transport {
namespace {

int zmq_type(SocketType type) {
  switch (type) {
    case SocketType::Xpub: return ZMQ_XPUB;
    case SocketType::Xsub: return ZMQ_XSUB;
    case SocketType::Router: return ZMQ_ROUTER;
    case SocketType::Dealer: return ZMQ_DEALER;
    case SocketType::Pair: return ZMQ_PAIR;
    case SocketType::Rep: return ZMQ_REP;
  }
  LEGION_UNREACHABLE();
}

ErrorCode code_from_errno(int number) {
  switch (number) {
    case EADDRINUSE: return ErrorCode::AddressInUse;
    case EADDRNOTAVAIL:
    case EHOSTUNREACH: return ErrorCode::Unreachable;
    case EAGAIN: return ErrorCode::WouldBlock;
    case ETERM: return ErrorCode::Closed;
    case EINVAL:
    case ENODEV:
    case EPROTONOSUPPORT:
    case ENOCOMPATPROTO: return ErrorCode::InvalidArgument;
    default: return ErrorCode::Io;
  }
}

SendResult send_result(int rc) {
  if (rc >= 0) return SendResult::Sent;
  switch (zmq_errno()) {
    case EAGAIN: return SendResult::Full;
    case EHOSTUNREACH: return SendResult::Unreachable;
    default: return SendResult::Closed;
  }
}

/// IPv4 addresses keep sockets of their own family, so that monitor events name them as they were given and a kernel
/// without IPv6 serves them. "*" listens on both.
int wants_ipv6(const std::string& uri) { return uri.find_first_of("[*") != std::string::npos ? 1 : 0; }

Result<void> checked(int rc, const std::string& what) {
  if (rc != 0) return std::unexpected(error_from_errno(zmq_errno(), what));
  return {};
}

}  // namespace

Error error_from_errno(int number, const std::string& what) {
  return Error{code_from_errno(number), what + ": " + zmq_strerror(number)};
}

Result<Socket> Socket::open(Context& context, SocketType type) {
  void* handle = zmq_socket(context.handle(), zmq_type(type));
  if (handle == nullptr) return std::unexpected(error_from_errno(zmq_errno(), "cannot open a ZeroMQ socket"));
  Socket socket(handle);
  if (auto done = socket.set(ZMQ_LINGER, 0); !done) return std::unexpected(done.error());
  std::size_t size = sizeof socket.fd_;
  if (zmq_getsockopt(handle, ZMQ_FD, &socket.fd_, &size) != 0) {
    return std::unexpected(error_from_errno(zmq_errno(), "cannot get the descriptor of a ZeroMQ socket"));
  }
  return socket;
}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(fd_, other.fd_);
  std::swap(input_, other.input_);
  return *this;
}

Socket::~Socket() {
  input_.reset();  // out of the poller before the descriptor goes and its number is used again
  if (handle_ != nullptr) zmq_close(handle_);
}

// After every call but a receive: whatever it was, it may have taken in the commands the descriptor told of.
int Socket::touched(int rc) {
  const int number = errno;  // zmq_errno() of the call, to be asked for by the caller
  input_->raise();
  if (rc < 0 && number == ETERM) input_->close();
  errno = number;
  return rc;
}

Result<void> Socket::set(int option, int value) {
  return checked(touched(zmq_setsockopt(handle_, option, &value, sizeof value)),
                 "socket option " + std::to_string(option));
}

Result<void> Socket::set_int64(int option, std::int64_t value) {
  return checked(touched(zmq_setsockopt(handle_, option, &value, sizeof value)),
                 "socket option " + std::to_string(option));
}

Result<void> Socket::set_uint64(int option, std::uint64_t value) {
  return checked(touched(zmq_setsockopt(handle_, option, &value, sizeof value)),
                 "socket option " + std::to_string(option));
}

Result<void> Socket::set_text(int option, const std::string& value) {
  return checked(touched(zmq_setsockopt(handle_, option, value.data(), value.size())),
                 "socket option " + std::to_string(option));
}

Result<std::string> Socket::bind(const std::string& uri) {
  if (auto done = set(ZMQ_IPV6, wants_ipv6(uri)); !done) return std::unexpected(done.error());
  if (touched(zmq_bind(handle_, uri.c_str())) != 0) {
    return std::unexpected(error_from_errno(zmq_errno(), "cannot listen on " + uri));
  }
  char endpoint[512] = {};
  std::size_t size = sizeof endpoint;
  if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
    return std::unexpected(error_from_errno(zmq_errno(), "cannot read the endpoint of " + uri));
  }
  return std::string(endpoint);
}

Result<void> Socket::connect(const std::string& uri) {
  if (auto done = set(ZMQ_IPV6, wants_ipv6(uri)); !done) return done;
  return checked(touched(zmq_connect(handle_, uri.c_str())), "cannot connect to " + uri);
}

Result<void> Socket::disconnect(const std::string& uri) {
  if (touched(zmq_disconnect(handle_, uri.c_str())) == 0 || zmq_errno() == ENOENT) return {};
  return std::unexpected(error_from_errno(zmq_errno(), "cannot disconnect from " + uri));
}

SendResult Socket::send(BytesView bytes, More more) {
  const int flags = ZMQ_DONTWAIT | (more == More::Yes ? ZMQ_SNDMORE : 0);
  int rc = 0;
  do {
    rc = touched(zmq_send(handle_, bytes.data(), bytes.size(), flags));
  } while (rc < 0 && zmq_errno() == EINTR);
  return send_result(rc);
}

SendResult Socket::send(const Message& message) {
  zmq_msg_t copy;
  zmq_msg_init(&copy);
  if (zmq_msg_copy(&copy, static_cast<zmq_msg_t*>(message.handle())) != 0) return SendResult::Closed;
  int rc = 0;
  do {
    rc = touched(zmq_msg_send(&copy, handle_, ZMQ_DONTWAIT));
  } while (rc < 0 && zmq_errno() == EINTR);
  const SendResult result = send_result(rc);
  if (rc < 0) zmq_msg_close(&copy);
  return result;
}

SendResult Socket::send_shared(std::shared_ptr<const Bytes> bytes, More more) {
  using Owner = std::shared_ptr<const Bytes>;
  auto owner = std::make_unique<Owner>(std::move(bytes));
  const Bytes& body = **owner;
  zmq_msg_t message;
  const auto let_go = [](void*, void* hint) { delete static_cast<Owner*>(hint); };
  auto* start = const_cast<std::uint8_t*>(body.data());  // ZeroMQ's signature; a message that is sent is only read
  if (zmq_msg_init_data(&message, start, body.size(), let_go, owner.get()) != 0) return SendResult::Closed;
  owner.release();  // NOLINT: let_go has it now
  const int flags = ZMQ_DONTWAIT | (more == More::Yes ? ZMQ_SNDMORE : 0);
  int rc = 0;
  do {
    rc = touched(zmq_msg_send(&message, handle_, flags));
  } while (rc < 0 && zmq_errno() == EINTR);
  const SendResult result = send_result(rc);
  if (rc < 0) zmq_msg_close(&message);
  return result;
}

std::optional<Message> Socket::receive(More& more) {
  std::optional<Message> message;
  if (!input_->raised()) return message;
  auto* raw = static_cast<zmq_msg_t*>(message.emplace().handle());
  int rc = 0;
  do {
    rc = zmq_msg_recv(raw, handle_, ZMQ_DONTWAIT);
  } while (rc < 0 && zmq_errno() == EINTR);
  if (rc >= 0) {
    more = zmq_msg_more(raw) != 0 ? More::Yes : More::No;
    return message;
  }
  // A receive that finds nothing has carried out every command first, without ZeroMQ's throttle on sends.
  if (zmq_errno() == ETERM) {
    input_->close();
  } else {
    input_->lower();
  }
  message.reset();
  return message;
}

void Socket::process_commands() {
  int events = 0;
  std::size_t size = sizeof events;
  touched(zmq_getsockopt(handle_, ZMQ_EVENTS, &events, &size));
}

}  // namespace legion::transport
