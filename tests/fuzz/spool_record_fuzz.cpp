// Records from anybody. Whatever is accepted has to come out the same after it was written again.
#include <cstddef>
#include <cstdint>

#include <legion/base/assert.hpp>
#include <legion/event/spool_record.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const auto record = decode_spool_record(BytesView(bytes, size));
  if (!record) return 0;
  const auto again = decode_spool_record(encode(*record));
  LEGION_ASSERT(again.has_value());
  LEGION_ASSERT(*again == *record);
  return 0;
}
