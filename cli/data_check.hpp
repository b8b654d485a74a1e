// What `publish` says of data that is not what its type declares, before it asks a node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <legion/cli/session.hpp>
#include <legion/event/event.hpp>
#include <legion/event/schema.hpp>

namespace legion::cli {

enum class CheckMode : std::uint8_t { Strict, Warn, Off };
/// "strict", "warn", "off"
std::optional<CheckMode> parse_check_mode(std::string_view text);

/// Strict turns an event away; Warn says so on standard error, of the first `warnings_max` events, and lets it pass.
class DataCheck {
 public:
  static constexpr std::uint64_t warnings_max = 20;

  DataCheck(Session& session, CheckMode mode) : session_(session), mode_(mode) {}

  /// `where` stands before a warning: "EV.jsonl:17: ". Errors: BadData naming the field, in mode Strict only.
  Result<void> look(const Event& event, const std::string& where);
  /// Says how many warnings were not shown.
  void finish();

 private:
  Session& session_;
  CheckMode mode_;
  const SchemaTable table_ = SchemaTable::built_in();
  std::uint64_t warned_ = 0;
};

}  // namespace legion::cli
