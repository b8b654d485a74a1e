// Writes MessagePack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <legion/base/bytes.hpp>

namespace legion {

/// Appends values to a byte sequence, each in its shortest form unless the name says otherwise. The packing itself is
/// msgpack-cxx; only this adapter's source includes it.
///
/// The caller announces the size of an array or map and then writes exactly that many values (pairs).
/// Bounds: strings, binaries and counts fit 32 bits (asserted).
class MsgpackWriter {
 public:
  MsgpackWriter() = default;
  /// Continues behind what is there.
  explicit MsgpackWriter(Bytes bytes) : bytes_(std::move(bytes)) {}

  void array(std::size_t count);
  void map(std::size_t count);
  void uint(std::uint64_t value);
  void integer(std::int64_t value);
  void float64(double value);
  void boolean(bool value);
  void nil();
  void str(std::string_view text);
  void bin(BytesView bytes);
  void ext(std::int8_t type, BytesView bytes);
  /// One value that is already MessagePack (or several, or other bytes: nothing is checked).
  void raw(BytesView bytes);

  /// Fixed-width forms, for fields that are patched later: 0xcc and 1 byte, 0xcf and 8 bytes, 0xdd and 4 bytes,
  /// 0xc6 and 4 bytes and the body.
  void fixed_uint8(std::uint8_t value);
  void fixed_uint64(std::uint64_t value);
  void array32(std::uint32_t count);
  void bin32(BytesView bytes);

  std::size_t size() const { return bytes_.size(); }
  const Bytes& bytes() const { return bytes_; }
  /// What was written; the writer is empty afterwards.
  Bytes take() { return std::exchange(bytes_, {}); }

 private:
  Bytes bytes_;
};

}  // namespace legion
