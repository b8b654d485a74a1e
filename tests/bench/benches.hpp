// The benchmarks. Each prints its lines; an error ends it without one.
#pragma once

#include <legion/base/error.hpp>

namespace legion::bench {

/// Events/s through the frame codec, beside msgpack-cxx with the same values.
Result<void> frame_codec();
/// Events/s from a publisher node to a handler in another process, beside PUB/SUB of raw libzmq.
Result<void> mesh_throughput();
/// From publish() to the handler in another process, at 1,000 events/s, beside PUB/SUB of raw libzmq.
Result<void> mesh_latency();

}  // namespace legion::bench
