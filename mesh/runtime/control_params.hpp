// The params of a control request.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <legion/base/error.hpp>
#include <legion/event/msgpack_reader.hpp>

namespace legion {

/// The named members of a params map, as raw values. Unknown ones are skipped by never being asked for.
class ControlParams {
 public:
  static Result<ControlParams> read(BytesView bytes) {
    ControlParams params;
    MsgpackReader reader(bytes);
    const auto count = reader.read_map();
    if (!count) return std::unexpected(count.error());
    for (std::size_t i = 0; i < *count; ++i) {
      const auto key = reader.read_string();
      if (!key) return std::unexpected(key.error());
      const auto value = reader.read_raw();
      if (!value) return std::unexpected(value.error());
      params.values_[std::string(*key)] = *value;
    }
    return params;
  }

  Result<std::string> text(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return fail(ErrorCode::BadData, "params: " + key + " is missing");
    const auto value = MsgpackReader(found->second).read_string();
    if (!value) return fail(ErrorCode::BadData, "params." + key + ": " + value.error().message);
    return std::string(*value);
  }

  /// Empty where it is absent.
  Result<std::string> text_if_any(const std::string& key) const {
    return values_.contains(key) ? text(key) : Result<std::string>(std::string());
  }

  bool has(const std::string& key) const { return values_.contains(key); }

  Result<std::uint64_t> number(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return fail(ErrorCode::BadData, "params: " + key + " is missing");
    const auto value = MsgpackReader(found->second).read_uint();
    if (!value) return fail(ErrorCode::BadData, "params." + key + ": " + value.error().message);
    return *value;
  }

  /// False where it is absent.
  Result<bool> flag(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return false;
    const auto value = MsgpackReader(found->second).read_bool();
    if (!value) return fail(ErrorCode::BadData, "params." + key + ": " + value.error().message);
    return *value;
  }

  Result<BytesView> raw(const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return fail(ErrorCode::BadData, "params: " + key + " is missing");
    return found->second;
  }

 private:
  std::map<std::string, BytesView> values_;
};

}  // namespace legion
