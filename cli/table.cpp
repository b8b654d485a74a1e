#include <legion/cli/table.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/cli/printable.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t gap = 2;

std::string csv_title(const std::string& title) {
  std::string out;
  for (const char c : title) {
    out += c == ' ' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return csv_field(out);
}

}  // namespace

void Table::row(std::vector<Cell> cells) {
  LEGION_ASSERT(cells.size() == columns_.size());
  for (Cell& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_of(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, columns_of(row[i].text));
    widths.push_back(width);
  }
  return widths;
}

std::vector<bool> Table::shown(const std::vector<std::size_t>& widths, std::size_t width) const {
  std::vector<bool> shown(columns_.size(), true);
  if (width == 0) return shown;
  for (;;) {
    std::size_t total = 0;
    std::size_t candidate = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!shown[i]) continue;
      total += widths[i] + (total == 0 ? 0 : gap);
      if (columns_[i].rank == 0) continue;
      if (candidate == columns_.size() || columns_[i].rank >= columns_[candidate].rank) candidate = i;
    }
    if (total <= width || candidate == columns_.size()) return shown;
    shown[candidate] = false;
  }
}

std::vector<std::string> Table::print(std::ostream& out, const Paint& paint, std::size_t width) const {
  const auto column_widths = widths();
  const auto visible = shown(column_widths, width);
  const auto last = static_cast<std::size_t>(
      visible.rend() - std::find(visible.rbegin(), visible.rend(), true)) - 1;
  const auto append = [&](std::string& line, std::size_t i, std::string_view text, Tint tint) {
    const std::size_t pad = column_widths[i] - columns_of(text);
    if (columns_[i].align == Align::Right) line.append(pad, ' ');
    paint.append(line, tint, text);
    if (columns_[i].align == Align::Left && i != last) line.append(pad, ' ');
    if (i != last) line.append(gap, ' ');
  };
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (visible[i]) append(text, i, columns_[i].title, Tint::Bold);
  }
  text += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (visible[i]) append(text, i, row[i].text, row[i].tint);
    }
    text += '\n';
  }
  out << text;
  std::vector<std::string> hidden;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!visible[i]) hidden.push_back(columns_[i].title);
  }
  return hidden;
}

void Table::print_csv(std::ostream& out) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) out << (i == 0 ? "" : ",") << csv_title(columns_[i].title);
  out << '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) out << (i == 0 ? "" : ",") << csv_field(row[i].text);
    out << '\n';
  }
}

}  // namespace legion::cli
