// What one agent's keys have to say together.
#pragma once

#include <legion/config/reader.hpp>

namespace legion {

void check_agent(Reader& reader, const Section& section, const AgentConfig& agent);

}  // namespace legion
