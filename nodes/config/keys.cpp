#include <legion/config/schema.hpp>

namespace legion {
namespace {

template <class Owner>
void list(std::vector<ConfigKey>& keys, const std::string& prefix, const std::vector<Field<Owner>>& fields,
          const Owner& defaults) {
  for (const auto& one : fields) {
    const bool has_default = one.has_default && one.inherits.empty();
    keys.push_back({prefix + one.name, one.form, has_default ? one.print(defaults) : std::string(), one.summary});
  }
}

}  // namespace

std::vector<ConfigKey> config_keys() {
  std::vector<ConfigKey> keys;
  for (const PlainTable& table : plain_tables()) {
    NodeConfig defaults;
    if (table.make_present != nullptr) table.make_present(defaults);
    list(keys, table.name + ".", table.fields, defaults);
  }
  list(keys, "topic.", topic_fields(), TopicRule{});
  list(keys, "agent.", agent_fields(), AgentConfig{});
  list(keys, "agent.retry.", agent_retry_fields(), AgentConfig{});
  for (const AgentKind& kind : agent_kinds()) {
    AgentConfig defaults;
    defaults.host = kind.initial;
    list(keys, "agent(" + kind.name + ").", kind.fields, defaults);
  }
  keys.push_back({"agent.builtin", "\"feed\", \"log\", \"echo\", \"sink\"", "",
                  "agent that comes with the node; instead of exec and plugin"});
  list(keys, "agent.subscribe.", subscribe_fields(), SubscribeConfig{});
  list(keys, "middleware.", middleware_fields(), MiddlewareConfig{});
  return keys;
}

}  // namespace legion
