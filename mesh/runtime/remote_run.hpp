// Events on their way to an agent outside the process. docs/protocol.md, "Remote agents".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// One hand-over, encoded but for its delivery numbers: consecutive events of one stream for one subscription. Owns its
/// bytes, so the frame can go.
struct RemoteRun {
  enum class Kind : std::uint8_t {
    Single,  ///< one event, answered with complete()
    Run,  ///< answered with complete_run()
  } kind = Kind::Single;
  TaskId task = 0;
  SubscriptionId subscription{};
  std::uint32_t attempt = 1;
  Priority lane = Priority::Normal;
  std::string id_prefix{};  ///< of the event ids: everything before the last colon
  std::string type{};  ///< as handlers see it
  std::uint64_t first_sequence = 0;  ///< of the first event in `events`
  std::vector<Answered> passed_over{};  ///< in front of it: expired or undecodable, so nobody is given them
  std::vector<Duration> ages{};  ///< of each event in `events`: event time to hand-over
  Bytes events{};  ///< encoded one behind the other
  std::vector<std::uint32_t> ends{};  ///< in `events`, of each event

  std::uint32_t count() const { return static_cast<std::uint32_t>(ends.size()); }
  std::size_t begin_of(std::uint32_t index) const { return index == 0 ? 0 : ends[index - 1]; }
  /// Bytes of events first .. first + count - 1.
  BytesView slice(std::uint32_t first, std::uint32_t count) const {
    return BytesView(events).subspan(begin_of(first), ends[first + count - 1] - begin_of(first));
  }
  std::size_t bytes_of(std::uint32_t index) const { return ends[index] - begin_of(index); }
};

/// Of a run only what comes before the first event that may not be handled, and what may not be handled in front of
/// that. Nothing to send when all of it is passed over.
RemoteRun encode_run(const Task& task, Now now);
RemoteRun encode_single(const Delivery& delivery, Now now);

}  // namespace legion
