#include <legion/agents/csv_source.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include <legion/base/text.hpp>
#include <legion/base/text.hpp>

namespace legion {
namespace {

constexpr std::string_view time_column = "time";

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<FieldValue> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (const auto integer = whole<std::int64_t>(text)) return *integer;
  if (const auto real = whole<double>(text); real && std::isfinite(*real)) return *real;
  return std::nullopt;
}

std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<std::vector<std::string>> split_csv(std::string_view line) {
  std::vector<std::string> cells;
  std::size_t at = 0;
  while (true) {
    const std::size_t column = cells.size() + 1;
    std::string cell;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at == line.size()) {
          return fail(ErrorCode::BadData, fmt::format("column {}: the quote does not end", column));
        }
        if (line[at] != '"') {
          cell += line[at];
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
          cell += line[at++];
        } else {
          ++at;
          break;
        }
      }
      if (at < line.size() && line[at] != ',') {
        return fail(ErrorCode::BadData, fmt::format("column {}: text after the closing quote", column));
      }
    } else {
      const std::size_t end = std::min(line.find(',', at), line.size());
      cell = line.substr(at, end - at);
      at = end;
    }
    cells.push_back(std::move(cell));
    if (at == line.size()) return cells;
    ++at;
  }
}

Result<void> CsvSource::rewind() {
  file_ = std::ifstream(path_);
  if (!file_) return fail(ErrorCode::Io, fmt::format("{}: {}", path_, ::strerror(errno)));
  line_ = 1;
  std::string text;
  if (!std::getline(file_, text)) {
    return fail(ErrorCode::BadData, at_line("a header line with column names is missing"));
  }
  std::string_view header = without_return(text);
  if (header.starts_with("\xEF\xBB\xBF")) header.remove_prefix(3);
  auto names = split_csv(header);
  if (!names) return fail(ErrorCode::BadData, at_line(names.error().message));
  std::vector<Column> columns;
  for (const std::string& name : *names) {
    if (name.empty() || !is_utf8(name)) {
      return fail(ErrorCode::BadData, at_line(fmt::format("column {} has no usable name", columns.size() + 1)));
    }
    if (std::ranges::any_of(columns, [&](const Column& column) { return column.name == name; })) {
      return fail(ErrorCode::BadData, at_line(fmt::format("two columns named \"{}\"", name)));
    }
    columns.push_back({name, name == time_column ? Kind::Number : Kind::Unknown});
  }
  columns_ = std::move(columns);
  return {};
}

std::variant<FeedRow, RowDefect, FeedEnd> CsvSource::next() {
  std::string text;
  while (std::getline(file_, text)) {
    ++line_;
    const std::string_view line = without_return(text);
    if (line.empty()) continue;
    auto row = read_row(line);
    if (!row) return RowDefect{at_line(row.error().message)};
    return std::move(*row);
  }
  return FeedEnd{};
}

Result<FeedRow> CsvSource::read_row(std::string_view line) {
  auto cells = split_csv(line);
  if (!cells) return std::unexpected(cells.error());
  if (cells->size() != columns_.size()) {
    return fail(ErrorCode::BadData, fmt::format("{} columns, the header has {}", cells->size(), columns_.size()));
  }
  FeedRow row;
  row.fields.reserve(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    Column& column = columns_[i];
    std::string& cell = (*cells)[i];
    if (cell.empty()) continue;
    const auto value = column.kind == Kind::Text ? std::nullopt : number(cell);
    if (column.kind == Kind::Unknown) column.kind = value ? Kind::Number : Kind::Text;
    if (column.kind == Kind::Number && !value) {
      return fail(ErrorCode::BadData,
                  fmt::format("column {} \"{}\": not a number: {}", i + 1, column.name, printable(cell, 64)));
    }
    if (column.kind == Kind::Text && !is_utf8(cell)) {
      return fail(ErrorCode::BadData, fmt::format("column {} \"{}\": not UTF-8", i + 1, column.name));
    }
    if (column.name == time_column) {
      const auto* integer = std::get_if<std::int64_t>(&*value);
      row.seconds = integer ? static_cast<double>(*integer) : std::get<double>(*value);
      row.fields.emplace_back(column.name, *row.seconds);
    } else {
      row.fields.emplace_back(column.name, value ? *value : FieldValue(std::move(cell)));
    }
  }
  return row;
}

std::string CsvSource::at_line(std::string_view what) const { return fmt::format("{}:{}: {}", path_, line_, what); }

}  // namespace legion
