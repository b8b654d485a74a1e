// What keys of different tables have to say together, and settings that are accepted without effect.
#pragma once

#include <legion/config/reader.hpp>

namespace legion {

void check_node(Reader& reader, const NodeConfig& config);
void check_topics(Reader& reader, const NodeConfig& config);
void note_settings_without_effect(Reader& reader, const NodeConfig& config);

}  // namespace legion
