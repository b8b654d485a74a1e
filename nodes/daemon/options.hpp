#pragma once

#include <string>

#include <legion/config/config.hpp>
#include <legion/runtime/node_host.hpp>

namespace legion {

/// What the configuration means to the runtime. `version` is the product's.
NodeHostOptions node_options(const NodeConfig& config, std::string version);
AgentSpec agent_spec(const AgentConfig& agent);
RemoteOptions remote_options(const RemoteConfig& remote);
std::vector<SubscriptionOptions> subscription_options(const AgentConfig& agent);

/// One sentence for the first log line: what a confirm is worth with these settings.
std::string confirm_meaning(const NodeConfig& config);

}  // namespace legion
