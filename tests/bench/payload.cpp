#include "payload.hpp"

#include <string_view>

#include <legion/base/assert.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::bench {

namespace {

constexpr std::size_t members = 8;
constexpr std::size_t text_members = 4;
constexpr std::string_view filler = "................................";

}  // namespace

Bytes write_payload(const Payload& payload) {
  Bytes room;
  room.reserve(payload_bytes);
  MsgpackWriter out(std::move(room));
  out.map(members);
  out.str("symbol");
  out.str("BTC-USDT");
  out.str("side");
  out.str("buy");
  out.str("venue");
  out.str("spot");
  out.str("number");
  out.fixed_uint64(payload.number);
  out.str("sent_ns");
  out.fixed_uint64(static_cast<std::uint64_t>(payload.sent.ns));
  out.str("price");
  out.float64(payload.price);
  out.str("size");
  out.float64(payload.size);
  out.str("note");
  out.str(filler.substr(0, payload_bytes - out.size() - 1));
  LEGION_ASSERT(out.size() == payload_bytes);
  return out.take();
}

Result<Payload> read_payload(BytesView data) {
  MsgpackReader in(data);
  Payload payload;
  std::size_t texts = 0;
  const auto count = in.read_map();
  if (!count) return std::unexpected(count.error());
  for (std::size_t i = 0; i < *count; ++i) {
    const auto key = in.read_string();
    if (!key) return std::unexpected(key.error());
    if (*key == "number" || *key == "sent_ns") {
      const auto value = in.read_uint();
      if (!value) return std::unexpected(value.error());
      if (*key == "number")
        payload.number = *value;
      else
        payload.sent.ns = static_cast<std::int64_t>(*value);
    } else if (*key == "price" || *key == "size") {
      const auto value = in.read_float();
      if (!value) return std::unexpected(value.error());
      (*key == "price" ? payload.price : payload.size) = *value;
    } else {
      const auto value = in.read_string();
      if (!value) return std::unexpected(value.error());
      texts += value->empty() ? 0 : 1;
    }
  }
  if (texts != text_members) return fail(ErrorCode::BadData, "a text of the payload is empty");
  return payload;
}

}  // namespace legion::bench
