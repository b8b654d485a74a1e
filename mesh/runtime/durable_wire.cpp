#include <legion/runtime/durable_wire.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace legion {

namespace {

std::string stream_text(const StreamId& stream) {
  return stream.origin.node + ':' + std::to_string(stream.origin.incarnation) + ':' +
         std::to_string(lane_index(stream.lane)) + ':' + stream.type + ':' + std::to_string(stream.shard);
}

void write(MsgpackWriter& out, const DurableStreamFigures& stream) {
  out.map(6);
  out.str("stream");
  out.str(stream_text(stream.stream));
  out.str("done");
  out.uint(stream.done);
  out.str("next");
  out.uint(stream.next);
  out.str("pending");
  out.uint(stream.pending);
  out.str("under_way");
  out.uint(stream.under_way);
  out.str("stalled");
  out.str(stream.stalled);
}

}  // namespace

void write_durable(MsgpackWriter& out, const DurableFigures& figures, WallTime now) {
  out.map(16);
  const auto text = [&](std::string_view key, std::string_view value) {
    out.str(key);
    out.str(value);
  };
  const auto number = [&](std::string_view key, std::uint64_t value) {
    out.str(key);
    out.uint(value);
  };
  text("name", figures.name);
  text("agent", figures.agent);
  text("filter", figures.filter);
  text("phase", to_string(figures.phase));
  text("trouble", figures.trouble);
  text("generation", figures.generation.counter == 0
                         ? std::string()
                         : std::to_string(figures.generation.counter) + '@' + figures.generation.node);
  number("pending", figures.pending);
  number("under_way", figures.under_way);
  number("held_bytes", figures.held_bytes);
  number("lost", figures.lost);
  number("retrying", figures.retrying);
  number("letters", figures.letters);
  number("repaired", figures.repaired);
  number("streams_total", figures.streams_total);
  out.str("oldest_age_ms");
  if (figures.oldest) {
    out.uint(static_cast<std::uint64_t>(std::max<std::int64_t>(0, (now - *figures.oldest) / 1ms)));
  } else {
    out.nil();
  }
  out.str("streams");
  out.array(figures.streams.size());
  for (const DurableStreamFigures& stream : figures.streams) write(out, stream);
}

}  // namespace legion
