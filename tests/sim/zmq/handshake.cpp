// The part of a session that is ZMTP's handshake (mechanism NULL) and the question to the ZAP handler.
#include <zmq.h>

#include <cerrno>

#include "context.hpp"
#include "network.hpp"
#include "session.hpp"

namespace legion::sim {
namespace {

constexpr const char* zap_address = "inproc://zeromq.zap.01";
constexpr int zap_ok = 200;

bool either() { return Kernel::get().rng().chance(0.5); }
bool rarely() { return Kernel::get().rng().chance(0.05); }

}  // namespace

bool Session::speaks_with_us(int type) const {
  switch (socket_type_) {
    case ZMQ_XPUB: return type == ZMQ_XSUB;
    case ZMQ_XSUB: return type == ZMQ_XPUB;
    case ZMQ_ROUTER: return type == ZMQ_DEALER || type == ZMQ_ROUTER;
    case ZMQ_DEALER: return type == ZMQ_ROUTER || type == ZMQ_DEALER;
    default: return false;
  }
}

// libzmq has no event for a wrong type of socket.
void Session::end_handshake() {
  state_ = State::GivenUp;
  lose(Loss::Protocol);
}

// The accepting end comes up half a round trip before the dialling one, whose messages it can take from then on.
void Session::take_handshake(SegmentKind kind) {
  if (state_ != State::Handshaking) return;
  switch (kind) {
    case SegmentKind::Greeting: connection_->from(1).put(SegmentKind::GreetingBack); break;
    case SegmentKind::GreetingBack: connection_->from(0).put(SegmentKind::Ready); break;
    case SegmentKind::Ready:
      if (speaks_with_us(connection_->dialler_type())) {
        ask_zap();
      } else {
        // It is a race which end sees the other's type first. Without a handler to ask, our READY is out early.
        if (!options_.zap_domain.empty() && either()) {
          connection_->from(1).put(SegmentKind::ReadyBack);
          break;
        }
        if (options_.zap_domain.empty() && !rarely()) connection_->from(1).put(SegmentKind::ReadyBack);
        end_handshake();
      }
      break;
    case SegmentKind::ReadyBack:
      if (speaks_with_us(connection_->accepted_type())) {
        come_up();
      } else {
        end_handshake();
      }
      break;
    case SegmentKind::Data:
    case SegmentKind::End: break;
  }
}

// RFC 27, without the parts that only mechanisms with keys have. The request id is ours: it names the session.
void Session::ask_zap() {
  if (options_.zap_domain.empty()) return answer_ready();
  const auto handler = context_.inproc.find(zap_address);
  if (handler == context_.inproc.end()) {
    if (options_.zap_enforce_domain == 0) return answer_ready();
    return fail_handshake(ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, EFAULT);
  }
  const std::string parts[] = {"1.0", std::to_string(id_), options_.zap_domain, connection_->host(0).ip, "", "NULL"};
  for (const std::string& text : parts) {
    Msg part = Msg::copy_of(text);
    part.more = &text != &parts[5];
    handler->second->put(std::move(part));
  }
}

void Session::on_zap_status(int status) {
  if (state_ != State::Handshaking) return;
  if (status == zap_ok) return answer_ready();
  report(ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, status);
  // The same race: libzmq ends the connection, or is silent until one of the two sides has waited long enough.
  if (either()) end_handshake();
}

void Session::answer_ready() {
  connection_->from(1).put(SegmentKind::ReadyBack);
  come_up();
}

void Session::come_up() {
  state_ = State::Up;
  ++attempt_;
  if (role_ == Role::Accepted) {
    pipe_ = &socket_->make_pipe(*this);
    socket_->post(Command::Attach, *pipe_);
  } else {
    ++Network::get().count().connections;
  }
  report(ZMQ_EVENT_HANDSHAKE_SUCCEEDED, 0);
  put_out();
}

}  // namespace legion::sim
