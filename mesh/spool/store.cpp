#include <legion/spool/store.hpp>

#include <legion/base/assert.hpp>

namespace legion {

std::string_view to_string(Never why) {
  switch (why) {
    case Never::Voided: return "voided";
    case Never::Trimmed: return "trimmed";
    case Never::NotJournalled: return "not_journalled";
    case Never::EndOfLife: return "end_of_life";
  }
  LEGION_UNREACHABLE();
}

}  // namespace legion
