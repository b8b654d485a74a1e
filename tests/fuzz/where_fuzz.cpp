// A condition and data from anybody: what stands before the first zero byte is the condition, what follows is the data.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <legion/base/assert.hpp>
#include <legion/event/where.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const std::uint8_t* const end = bytes + size;
  const std::uint8_t* const zero = std::find(bytes, end, 0);
  const BytesView text(bytes, zero);
  // In memory of its own, so that a step behind its end is seen.
  const Bytes data(zero == end ? end : zero + 1, end);
  EventView event;
  event.type = "demo.fuzz";
  event.source = "fuzz/where";
  event.key = "k";
  event.data = data;
  const auto where = Where::parse(as_text(text));
  const auto field = WhereField::parse(as_text(text));
  if (where) {
    const auto again = Where::parse(where->text());
    LEGION_ASSERT(again.has_value() && *again == *where);
    LEGION_ASSERT(again->matches(event) == where->matches(event));
    const auto opposite = Where::parse("not (" + where->text() + ")");
    LEGION_ASSERT(!opposite ||
                  opposite->matches(event) != where->matches(event));  // none: that is too deep or too long
  } else {
    LEGION_ASSERT(where.error().code == ErrorCode::InvalidArgument && where.error().message.starts_with("where: "));
  }
  if (field) LEGION_ASSERT(field->hash_of(event) == field->hash_of(event));
  return 0;
}
