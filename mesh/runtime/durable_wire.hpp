// The figures of a durable subscription as nodes tell them: in "pending" and in "stats".
#pragma once

#include <cstddef>

#include <legion/base/time.hpp>
#include <legion/core/durable_types.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {

/// Streams of a subscription that are told of.
inline constexpr std::size_t durable_streams_told_max = 64;

/// A map; `now` for ages.
void write_durable(MsgpackWriter& out, const DurableFigures& figures, WallTime now);

}  // namespace legion
