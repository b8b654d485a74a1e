#include <legion/event/journal.hpp>

#include <legion/base/assert.hpp>

namespace legion {

std::string_view to_string(JournalKind kind) {
  switch (kind) {
    case JournalKind::Confirmed: return "confirmed";
    case JournalKind::Captured: return "captured";
  }
  LEGION_UNREACHABLE();
}

std::string StoreId::hex() const { return BootId{bytes}.hex(); }

}  // namespace legion
