#include <legion/cli/data_check.hpp>

namespace legion::cli {

std::optional<CheckMode> parse_check_mode(std::string_view text) {
  if (text == "strict") return CheckMode::Strict;
  if (text == "warn") return CheckMode::Warn;
  if (text == "off") return CheckMode::Off;
  return std::nullopt;
}

Result<void> DataCheck::look(const Event& event, const std::string& where) {
  if (mode_ == CheckMode::Off) return {};
  const EventSchema* schema = table_.find(event.type);
  if (schema == nullptr) return {};
  if (fit_of(*schema, event.schema_version, event.data) == SchemaFit::Newer) {
    session_.detail(where + event.type + " (version " + std::to_string(event.schema_version) +
                    "): newer than the version " + std::to_string(schema->version) + " known here; not checked");
    return {};
  }
  auto checked = check_data(*schema, event.schema_version, event.data);
  if (checked || mode_ == CheckMode::Strict) return checked;
  if (++warned_ <= warnings_max) session_.warn(where + checked.error().message + "; published all the same");
  return {};
}

void DataCheck::finish() {
  if (warned_ <= warnings_max) return;
  session_.warn(std::to_string(warned_ - warnings_max) + " further events do not fit their types either");
}

}  // namespace legion::cli
