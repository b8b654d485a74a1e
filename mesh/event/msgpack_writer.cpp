#include <legion/event/msgpack_writer.hpp>

#include <bit>
#include <limits>

#include <msgpack.hpp>

#include <legion/base/assert.hpp>

namespace legion {
namespace {

// What msgpack::packer writes to.
struct Appender {
  Bytes& out;
  void write(const char* bytes, std::size_t count) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(bytes);
    out.insert(out.end(), first, first + count);
  }
};

// Packs into `out`. Both objects live for one call: they hold a reference and nothing else.
template <class Action>
void pack(Bytes& out, Action action) {
  Appender appender{out};
  msgpack::packer<Appender> packer(appender);
  action(packer);
}

std::uint32_t count32(std::size_t count) {
  LEGION_ASSERT(count <= std::numeric_limits<std::uint32_t>::max());
  return static_cast<std::uint32_t>(count);
}

const char* chars(BytesView bytes) { return reinterpret_cast<const char*>(bytes.data()); }

void append_head32(Bytes& out, std::uint8_t tag, std::uint32_t count) {
  out.push_back(tag);
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(count >> shift));
}

}  // namespace

void MsgpackWriter::array(std::size_t count) {
  pack(bytes_, [&](auto& packer) { packer.pack_array(count32(count)); });
}

void MsgpackWriter::map(std::size_t count) {
  pack(bytes_, [&](auto& packer) { packer.pack_map(count32(count)); });
}

void MsgpackWriter::uint(std::uint64_t value) {
  pack(bytes_, [&](auto& packer) { packer.pack_uint64(value); });
}

void MsgpackWriter::integer(std::int64_t value) {
  pack(bytes_, [&](auto& packer) { packer.pack_int64(value); });
}

void MsgpackWriter::float64(double value) {
  // Not pack_double: it turns a whole number into an integer, and integers and floats keep their kind.
  std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
  bytes_.push_back(0xcb);
  for (int shift = 56; shift >= 0; shift -= 8) bytes_.push_back(static_cast<std::uint8_t>(bits >> shift));
}

void MsgpackWriter::boolean(bool value) {
  pack(bytes_, [&](auto& packer) { value ? packer.pack_true() : packer.pack_false(); });
}

void MsgpackWriter::nil() {
  pack(bytes_, [](auto& packer) { packer.pack_nil(); });
}

void MsgpackWriter::str(std::string_view text) {
  pack(bytes_, [&](auto& packer) {
    packer.pack_str(count32(text.size()));
    packer.pack_str_body(text.data(), count32(text.size()));
  });
}

void MsgpackWriter::bin(BytesView bytes) {
  pack(bytes_, [&](auto& packer) {
    packer.pack_bin(count32(bytes.size()));
    packer.pack_bin_body(chars(bytes), count32(bytes.size()));
  });
}

void MsgpackWriter::ext(std::int8_t type, BytesView bytes) {
  pack(bytes_, [&](auto& packer) {
    packer.pack_ext(bytes.size(), type);
    packer.pack_ext_body(chars(bytes), count32(bytes.size()));
  });
}

void MsgpackWriter::raw(BytesView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

void MsgpackWriter::fixed_uint8(std::uint8_t value) {
  pack(bytes_, [&](auto& packer) { packer.pack_fix_uint8(value); });
}

void MsgpackWriter::fixed_uint64(std::uint64_t value) {
  pack(bytes_, [&](auto& packer) { packer.pack_fix_uint64(value); });
}

void MsgpackWriter::array32(std::uint32_t count) { append_head32(bytes_, 0xdd, count); }

void MsgpackWriter::bin32(BytesView bytes) {
  append_head32(bytes_, 0xc6, count32(bytes.size()));
  raw(bytes);
}

}  // namespace legion
