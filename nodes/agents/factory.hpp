#pragma once

#include <memory>

#include <legion/base/error.hpp>
#include <legion/config/agent_config.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// The agent that a configuration asks for. Errors: Configuration for what only shows here.
Result<std::unique_ptr<Agent>> make_agent(const AgentConfig& config);

}  // namespace legion
