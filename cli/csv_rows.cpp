#include <legion/cli/csv_rows.hpp>

#include <algorithm>
#include <map>
#include <utility>

#include <legion/cli/printable.hpp>

namespace legion::cli {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string value_text(const JsonTree& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return printable(value.get<std::string>());
  if (!value.is_structured()) return value.dump();
  const char separator = value.is_array() ? ';' : '=';
  std::string out;
  bool first = true;
  for (const JsonTree& item : value) {
    if (!std::exchange(first, false)) out += separator;
    out += value_text(item);
  }
  return out;
}

void flatten(const JsonTree& object, const std::string& prefix, Fields& fields) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + printable(key);
    if (value.is_object()) {
      flatten(value, name + '_', fields);
    } else {
      fields.emplace_back(name, value_text(value));
    }
  }
}

Fields fields_of(const JsonTree& row) {
  Fields fields;
  if (row.is_object()) flatten(row, "", fields);
  return fields;
}

}  // namespace

void CsvRows::add_column(const std::string& name, std::string_view value) {
  if (std::ranges::find(columns_, name) != columns_.end()) return;
  // An absent object is null; the columns of its members say so already.
  const bool absent = value.empty() && std::ranges::any_of(columns_, [prefix = name + '_'](const std::string& column) {
                        return column.starts_with(prefix);
                      });
  if (!absent) columns_.push_back(name);
}

void CsvRows::print(std::ostream& out, const JsonTree& rows) {
  std::vector<Fields> lines;
  for (const JsonTree& row : rows) lines.push_back(fields_of(row));
  if (!std::exchange(begun_, true)) {
    for (const Fields& fields : lines) {
      for (const auto& [name, value] : fields) add_column(name, value);
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) out << (i == 0 ? "" : ",") << csv_field(columns_[i]);
    out << '\n';
  }
  for (const Fields& fields : lines) {
    const std::map<std::string_view, std::string_view> values(fields.begin(), fields.end());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto found = values.find(columns_[i]);
      out << (i == 0 ? "" : ",") << (found == values.end() ? "" : csv_field(found->second));
    }
    out << '\n';
  }
}

}  // namespace legion::cli
