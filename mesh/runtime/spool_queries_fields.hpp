// Reading and writing of the maps of spool queries: named members, any of them absent, unknown ones skipped.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <legion/base/text.hpp>
#include <legion/base/time.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion {

/// A map that is written member by member.
class FieldsWriter {
 public:
  /// The caller writes one value behind it.
  MsgpackWriter& member(std::string_view key) {
    ++count_;
    pairs_.str(key);
    return pairs_;
  }
  void number(std::string_view key, std::uint64_t value) { member(key).uint(value); }
  void number_if(std::string_view key, std::optional<std::uint64_t> value) {
    if (value) number(key, *value);
  }
  void text(std::string_view key, std::string_view value) { member(key).str(value); }
  void text_if(std::string_view key, const std::optional<std::string>& value) {
    if (value) text(key, *value);
  }
  void time(std::string_view key, WallTime value) { member(key).integer(value.ns); }
  void time_if(std::string_view key, std::optional<WallTime> value) {
    if (value) time(key, *value);
  }
  void flag(std::string_view key, bool value) { member(key).boolean(value); }
  Bytes take() {
    MsgpackWriter out;
    out.map(std::exchange(count_, 0));
    out.raw(pairs_.take());
    return out.take();
  }

 private:
  MsgpackWriter pairs_;
  std::size_t count_ = 0;
};

/// A map that is read member by member: what is absent leaves its target as it is. The first error stays, and names its
/// member. Views point into the bytes given.
class FieldsReader {
 public:
  explicit FieldsReader(BytesView map) {
    if (const auto read = read_all(map); !read) note("params", read.error());
  }

  bool has(std::string_view key) const { return find(key) != nullptr; }
  FieldsReader& need(std::string_view key) {
    if (error_.message.empty() && !has(key)) error_ = {ErrorCode::BadData, std::string(key) + ": missing"};
    return *this;
  }

  /// `read(reader)` takes the value in and answers Result<void>.
  template <class Read>
  FieldsReader& value(std::string_view key, Read read) {
    const BytesView* bytes = find(key);
    if (bytes == nullptr || !error_.message.empty()) return *this;
    MsgpackReader in(*bytes);
    if (const Result<void> done = read(in); !done) note(key, done.error());
    return *this;
  }
  /// An array of at most `count_max`: `read(reader)` for each entry.
  template <class Read>
  FieldsReader& each(std::string_view key, std::size_t count_max, Read read) {
    return value(key, [&](MsgpackReader& in) -> Result<void> {
      const auto count = in.read_array();
      if (!count) return std::unexpected(count.error());
      if (*count > count_max) return fail(ErrorCode::BadData, "more than " + std::to_string(count_max) + " entries");
      for (std::size_t i = 0; i < *count; ++i) {
        if (const Result<void> done = read(in); !done) return done;
      }
      return {};
    });
  }
  template <class Number>
  FieldsReader& number(std::string_view key, Number& target, std::uint64_t max = UINT64_MAX) {
    return value(key, [&](MsgpackReader& in) -> Result<void> {
      const auto read = in.read_uint();
      if (!read) return std::unexpected(read.error());
      if (*read > max) return fail(ErrorCode::BadData, std::to_string(*read) + " is too large");
      target = static_cast<plain_t<Number>>(*read);
      return {};
    });
  }
  template <class Text>
  FieldsReader& text(std::string_view key, Text& target, std::size_t bytes_max) {
    return value(key, [&](MsgpackReader& in) -> Result<void> {
      const auto read = in.read_string(bytes_max);
      if (!read) return std::unexpected(read.error());
      if (!is_utf8(*read)) return fail(ErrorCode::BadData, "not UTF-8");
      target = std::string(*read);
      return {};
    });
  }
  template <class Time>
  FieldsReader& time(std::string_view key, Time& target) {
    return value(key, [&](MsgpackReader& in) -> Result<void> {
      const auto read = in.read_int();
      if (!read) return std::unexpected(read.error());
      target = WallTime{*read};
      return {};
    });
  }
  FieldsReader& flag(std::string_view key, bool& target) {
    return value(key, [&](MsgpackReader& in) -> Result<void> {
      const auto read = in.read_bool();
      if (!read) return std::unexpected(read.error());
      target = *read;
      return {};
    });
  }
  /// Exactly as many bytes as the target has.
  template <std::size_t size>
  FieldsReader& bytes(std::string_view key, std::array<std::uint8_t, size>& target) {
    return value(key, [&](MsgpackReader& in) -> Result<void> {
      const auto read = in.read_bin(size);
      if (!read) return std::unexpected(read.error());
      if (read->size() != size) return fail(ErrorCode::BadData, "not " + std::to_string(size) + " bytes");
      std::copy(read->begin(), read->end(), target.begin());
      return {};
    });
  }

  /// `read`, unless something was wrong.
  template <class Value>
  Result<Value> finish(Value read) {
    if (!error_.message.empty()) return std::unexpected(error_);
    return read;
  }
  Result<void> finish() const {
    if (!error_.message.empty()) return std::unexpected(error_);
    return {};
  }

 private:
  static constexpr std::size_t key_bytes_max = 64;

  template <class T>
  struct Plain {
    using type = T;
  };
  template <class T>
  struct Plain<std::optional<T>> {
    using type = T;
  };
  template <class T>
  using plain_t = typename Plain<T>::type;

  Result<void> read_all(BytesView map) {
    MsgpackReader in(map);
    if (const auto kind = in.peek(); kind && *kind == MsgpackKind::Nil) return {};  // as good as an empty map
    const auto count = in.read_map();
    if (!count) return std::unexpected(count.error());
    for (std::size_t i = 0; i < *count; ++i) {
      const auto key = in.read_string(key_bytes_max);
      if (!key) return std::unexpected(key.error());
      const auto value = in.read_raw();
      if (!value) return std::unexpected(value.error());
      values_.emplace_back(*key, *value);
    }
    return in.expect_end();
  }
  const BytesView* find(std::string_view key) const {
    const auto found = std::ranges::find(values_, key, &std::pair<std::string_view, BytesView>::first);
    return found == values_.end() ? nullptr : &found->second;
  }
  void note(std::string_view key, const Error& error) {
    if (error_.message.empty()) error_ = {error.code, printable(key, 64) + ": " + error.message};
  }

  std::vector<std::pair<std::string_view, BytesView>> values_;  // a handful
  Error error_;
};

}  // namespace legion
