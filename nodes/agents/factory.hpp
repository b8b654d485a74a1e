#pragma once

#include <memory>
#include <string_view>

#include <legion/base/error.hpp>
#include <legion/config/agent_config.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// The agent that a configuration asks for, on the node of that name. Errors: Configuration for what only shows here; of
/// a plugin as load_plugin().
Result<std::unique_ptr<Agent>> make_agent(const AgentConfig& config, std::string_view node = {});

}  // namespace legion
