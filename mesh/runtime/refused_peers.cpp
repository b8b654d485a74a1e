#include <legion/runtime/refused_peers.hpp>

#include <algorithm>

namespace legion {

void RefusedPeers::handshake_ended() {
  if (!under_way_.empty()) under_way_.pop_front();
}

void RefusedPeers::on_event(const transport::MonitorEvent& event) {
  using Kind = transport::MonitorEventKind;
  switch (event.kind) {
    case Kind::Accepted:
      if (under_way_.size() < connections_max) under_way_.push_back(event.value);
      break;
    case Kind::HandshakeSucceeded: handshake_ended(); break;
    case Kind::HandshakeFailed:
    case Kind::HandshakeProtocolError:
    case Kind::HandshakeRefused:
      ++counts_[std::string(to_string(event.kind))];
      handshake_ended();
      break;
    case Kind::AcceptFailed: ++counts_[std::string(to_string(event.kind))]; break;
    case Kind::Disconnected:
      if (const auto found = std::ranges::find(under_way_, event.value); found != under_way_.end()) {
        under_way_.erase(found);
        ++counts_["handshake_aborted"];
      }
      break;
    case Kind::Connected:
    case Kind::ConnectDelayed:
    case Kind::ConnectRetried:
    case Kind::Listening:
    case Kind::BindFailed:
    case Kind::Closed:
    case Kind::CloseFailed: break;
  }
}

}  // namespace legion
