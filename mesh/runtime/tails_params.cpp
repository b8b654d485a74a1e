#include <legion/runtime/tails_params.hpp>

#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {
namespace {

constexpr std::size_t answer_bytes_max = limits::message_bytes_max - 1024;  // the rest is for what surrounds it

Bytes encode_lanes(const LaneTails& tails) {
  MsgpackWriter out;
  out.array(tails.size());
  for (const std::vector<Tail>& lane : tails) out.raw(encode(lane));
  return out.take();
}

}  // namespace

Bytes tails_params(const Origin& origin, Priority lane) {
  MsgpackWriter params;
  params.map(3);
  params.str("origin");
  params.str(origin.node);
  params.str("incarnation");
  params.uint(origin.incarnation);
  params.str("lane");
  params.uint(lane_index(lane));
  return params.take();
}

Bytes tails_params(const std::vector<Origin>& origins) {
  MsgpackWriter params;
  params.map(1);
  params.str("origins");
  params.array(origins.size());
  for (const Origin& origin : origins) {
    params.array(2);
    params.str(origin.node);
    params.uint(origin.incarnation);
  }
  return params.take();
}

bool TailsAnswer::add(LaneTails tails) {
  Bytes encoded = encode_lanes(tails);
  while (origins_.empty() && encoded.size() > answer_bytes_max) {
    for (std::vector<Tail>& lane : tails) lane.resize(lane.size() * 3 / 4);
    encoded = encode_lanes(tails);
  }
  if (bytes_ + encoded.size() > answer_bytes_max) return false;
  bytes_ += encoded.size();
  origins_.push_back(std::move(encoded));
  return true;
}

Bytes TailsAnswer::take() const {
  MsgpackWriter out;
  out.array(origins_.size());
  for (const Bytes& origin : origins_) out.raw(origin);
  return out.take();
}

Result<std::vector<LaneTails>> decode_tails_answer(BytesView bytes) {
  MsgpackReader in(bytes);
  const auto count = in.read_array();
  if (!count) return std::unexpected(count.error());
  if (*count > limits::tails_origins_max) return fail(ErrorCode::BadData, "tails of too many origins");
  std::vector<LaneTails> origins(*count);
  for (LaneTails& lanes : origins) {
    if (const auto shape = in.expect_array(lanes.size()); !shape) return std::unexpected(shape.error());
    for (std::vector<Tail>& lane : lanes) {
      const auto raw = in.read_raw();
      if (!raw) return std::unexpected(raw.error());
      auto tails = decode_tails(*raw);
      if (!tails) return std::unexpected(tails.error());
      lane = *std::move(tails);
    }
  }
  if (const auto end = in.expect_end(); !end) return std::unexpected(end.error());
  return origins;
}

}  // namespace legion
