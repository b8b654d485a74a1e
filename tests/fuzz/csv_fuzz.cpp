// A CSV file that a feed reads: rows or defects, and an end, the same again after rewinding.
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <legion/agents/csv_source.hpp>
#include <legion/base/assert.hpp>

namespace {

using namespace legion;

/// Of each row whether it is one, up to the end or the bound.
std::vector<bool> rows_of(CsvSource& source, std::size_t bound) {
  std::vector<bool> rows;
  if (!source.rewind()) return rows;
  while (rows.size() <= bound) {
    const auto row = source.next();
    if (std::holds_alternative<FeedEnd>(row)) return rows;
    if (const auto* defect = std::get_if<RowDefect>(&row)) LEGION_ASSERT(!defect->message.empty());
    rows.push_back(std::holds_alternative<FeedRow>(row));
  }
  LEGION_ASSERT(!"more rows than bytes");
  return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto cells = split_csv(text.substr(0, text.find('\n')))) {
    std::size_t all = 0;
    for (const std::string& cell : *cells) all += cell.size();
    LEGION_ASSERT(all <= size);
  }
  const int file = memfd_create("csv", MFD_CLOEXEC);
  LEGION_ASSERT(file >= 0);
  LEGION_ASSERT(write(file, bytes, size) == static_cast<ssize_t>(size));
  CsvSource source("/proc/self/fd/" + std::to_string(file));
  const auto first = rows_of(source, size);
  LEGION_ASSERT(first == rows_of(source, size));
  close(file);
  return 0;
}
