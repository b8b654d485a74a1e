// The MessagePack maps of questions.
#pragma once

#include <cstdint>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::cli {

/// Collects the members of a map, whose number has to be known before the first.
class MapWriter {
 public:
  void text(std::string_view name, std::string_view value);
  /// As text(), but leaves out what is empty.
  void text_if_any(std::string_view name, std::string_view value);
  void integer(std::string_view name, std::int64_t value);
  void uint(std::string_view name, std::uint64_t value);
  void boolean(std::string_view name, bool value);
  /// One value that is already MessagePack.
  void raw(std::string_view name, BytesView value);
  Bytes take();

 private:
  void begin(std::string_view name);
  MsgpackWriter entries_;
  std::size_t count_ = 0;
};

}  // namespace legion::cli
