// How a message of the spool port is put on a socket and taken from it. For the two ends of spool_sockets.hpp.
#pragma once

#include <memory>
#include <utility>

#include <legion/transport/spool_sockets.hpp>

namespace legion::transport {

/// Up to here a copy costs less than handing over a reference.
inline constexpr std::size_t copied_part_bytes_max = 4096;

inline SendResult send_spool_part(Socket& socket, std::shared_ptr<const Bytes> part, More more) {
  if (part->size() <= copied_part_bytes_max) return socket.send(BytesView(*part), more);
  return socket.send_shared(std::move(part), more);
}

enum class PartsRead : std::uint8_t { Nothing, Malformed, Whole };

/// The parts of the message that begins here, which is read to its end. Malformed: not a head and at most one body.
inline PartsRead receive_spool_parts(Socket& socket, SpoolParts& parts) {
  More more = More::No;
  auto head = socket.receive(more);
  if (!head) return PartsRead::Nothing;
  parts.head = std::move(*head);
  parts.body.reset();
  if (more == More::Yes) parts.body = socket.receive(more);
  const bool whole = more == More::No && parts.head.size() > 0;
  while (more == More::Yes && socket.receive(more)) {
  }
  return whole ? PartsRead::Whole : PartsRead::Malformed;
}

}  // namespace legion::transport
