// The fields of an event as a condition sees them. Internal to this layer.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/event/event.hpp>
#include <legion/event/where_program.hpp>

namespace legion::where {

/// An event, encoded or not.
struct Subject {
  const EventView& event;
  std::span<const std::pair<std::string, std::string>> extensions;  ///< of one that is not encoded
};

/// The value at the end of `steps` in MessagePack data; Missing where there is none, and where bytes are not what they
/// claim to be. Of equal keys in one map the first counts. Never reads outside `data`; costs one walk over what stands
/// before the value.
Value find_in_data(BytesView data, std::span<const Step> steps);

/// Bytes first .. end - 1.
struct Place {
  std::size_t first = 0;
  std::size_t end = 0;
};
/// Appends where values at the end of `steps` are; of equal keys in one map every one. Whole values only, and nothing
/// behind the first bytes that are not what they claim to be.
void find_places(BytesView data, std::span<const Step> steps, std::vector<Place>& places);

Value value_of(const Operand& operand, const Program& program, const Subject& subject);

}  // namespace legion::where
