#include "payload.hpp"

#include <bit>
#include <cstring>
#include <string_view>

#include <legion/base/assert.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::bench {

namespace {

constexpr std::size_t members = 8;
constexpr std::size_t text_members = 4;
constexpr std::string_view filler = "................................";
constexpr unsigned flow_shift = 56;  // the flow travels in the first byte of the number

// Where the eight bytes of a number begin, behind its key and its type byte.
constexpr std::size_t number_at = 45;
constexpr std::size_t sent_at = 62;
constexpr std::size_t price_at = 77;

void store(std::span<std::uint8_t> data, std::size_t at, std::uint64_t value) {
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t big_endian = std::byteswap(value);
  std::memcpy(data.data() + at, &big_endian, sizeof big_endian);
}

std::uint64_t flow_and_number(const Payload& payload) {
  return std::uint64_t{payload.flow} << flow_shift | payload.number;
}

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
  LEGION_ASSERT(out.size() + 1 == number_at);
  out.fixed_uint64(flow_and_number(payload));
  out.str("sent_ns");
  LEGION_ASSERT(out.size() + 1 == sent_at);
  out.fixed_uint64(static_cast<std::uint64_t>(payload.sent.ns));
  out.str("price");
  LEGION_ASSERT(out.size() + 1 == price_at);
  out.float64(payload.price);
  out.str("size");
  out.float64(payload.size);
  out.str("note");
  out.str(filler.substr(0, payload_bytes - out.size() - 1));
  LEGION_ASSERT(out.size() == payload_bytes);
  return out.take();
}

void rewrite_payload(std::span<std::uint8_t> data, const Payload& payload) {
  LEGION_ASSERT(data.size() == payload_bytes);
  store(data, number_at, flow_and_number(payload));
  store(data, sent_at, static_cast<std::uint64_t>(payload.sent.ns));
  store(data, price_at, std::bit_cast<std::uint64_t>(payload.price));
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
      if (*key == "number") {
        payload.flow = static_cast<std::uint8_t>(*value >> flow_shift);
        payload.number = *value & ((std::uint64_t{1} << flow_shift) - 1);
      } else {
        payload.sent.ns = static_cast<std::int64_t>(*value);
      }
    } else if (*key == "price" || *key == "size") {
      const auto value = in.read_float();
      if (!value) return std::unexpected(value.error());
      (*key == "price" ? payload.price : payload.size) = *value;
    } else {
      const auto value = in.read_string();
      if (!value) return std::unexpected(value.error());
      texts += value->empty() ? 0 : 1;
      payload.text_bytes += value->size();
    }
  }
  if (texts != text_members) return fail(ErrorCode::BadData, "a text of the payload is empty");
  if (payload.flow >= flows_max) return fail(ErrorCode::BadData, "there is no such flow");
  return payload;
}

}  // namespace legion::bench
