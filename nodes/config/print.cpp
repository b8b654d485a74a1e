#include <algorithm>
#include <array>
#include <cstdio>

#include <xxhash.h>

#include <legion/config/schema.hpp>

namespace legion {
namespace {

enum class Comments : bool { No, Yes };

class Printer {
 public:
  Printer(const NodeConfig& config, Comments comments) : config_(config), comments_(comments) {}

  std::string print() {
    for (const PlainTable& table : plain_tables()) {
      if (table.is_present != nullptr && !table.is_present(config_)) continue;
      heading("[" + table.name + "]");
      for (const auto& one : table.fields) plain(table.name, one);
    }
    for (std::size_t index = 0; index < config_.topics.size(); ++index) topic(index);
    for (std::size_t index = 0; index < config_.middleware.size(); ++index) middleware(index);
    for (std::size_t index = 0; index < config_.agents.size(); ++index) agent(index);
    return std::move(out_);
  }

 private:
  enum class Unset : bool { Silent, Mentioned };

  void heading(const std::string& title) {
    if (!out_.empty()) out_ += "\n";
    out_ += title + "\n";
  }

  void plain(const std::string& table, const Field<NodeConfig>& one) {
    const std::string path = table + "." + one.name;
    // Copied into another file, a printed default must not pass for the operator's own word.
    const bool only_shown = path == "security.mode" && !config_.origins.contains(path) && comments_ == Comments::Yes;
    if (only_shown) {
      out_ += "#" + one.name + " = " + one.print(config_) + "  # default; has to be written out beyond loopback\n";
      return;
    }
    value(path, one, config_, Unset::Mentioned);
  }

  template <class Owner>
  void value(const std::string& path, const Field<Owner>& one, const Owner& owner, Unset unset) {
    const std::string text = one.print(owner);
    if (text.empty()) {
      if (unset == Unset::Mentioned && comments_ == Comments::Yes) out_ += "# " + one.name + " is not set\n";
      return;
    }
    out_ += one.name + " = " + text;
    if (comments_ == Comments::Yes) out_ += "  # " + origin(path, one.inherits);
    out_ += "\n";
  }

  std::string origin(const std::string& path, const std::string& inherits) const {
    const auto found = config_.origins.find(path);
    if (found != config_.origins.end()) return toml_comment(found->second);
    return inherits.empty() ? "default" : "from " + inherits;
  }

  void topic(std::size_t index) {
    const std::string path = "topic[" + std::to_string(index) + "].";
    heading("[[topic]]");
    for (const auto& one : topic_fields()) value(path + one.name, one, config_.topics[index], Unset::Silent);
  }

  void middleware(std::size_t index) {
    const MiddlewareConfig& step = config_.middleware[index];
    const std::string path = "middleware[" + std::to_string(index) + "].";
    heading("[[middleware]]");
    const std::vector<std::string> keys = keys_of(step.step);
    for (const auto& one : middleware_fields()) {
      if (std::ranges::find(keys, one.name) == keys.end()) continue;
      const bool is_default = (one.name == "name" && step.name.empty()) || (one.name == "agents" && step.agents.empty());
      if (!is_default) value(path + one.name, one, step, Unset::Silent);
    }
  }

  void agent(std::size_t index) {
    const AgentConfig& agent = config_.agents[index];
    const std::string path = "agent[" + std::to_string(index) + "].";
    heading("[[agent]]");
    for (const auto& one : agent_fields()) {
      value(path + one.name, one, agent, Unset::Silent);
      if (one.name == "name") host(path, agent);
    }
    heading("[agent.retry]");
    for (const auto& one : agent_retry_fields()) value(path + "retry." + one.name, one, agent, Unset::Silent);
    for (std::size_t i = 0; i < agent.subscribe.size(); ++i) {
      heading("[[agent.subscribe]]");
      const std::string inner = path + "subscribe[" + std::to_string(i) + "].";
      for (const auto& one : subscribe_fields()) value(inner + one.name, one, agent.subscribe[i], Unset::Silent);
    }
  }

  void host(const std::string& path, const AgentConfig& agent) {
    const std::string_view name = host_name(agent.host);
    const bool is_program = std::holds_alternative<ExecConfig>(agent.host) ||
                            std::holds_alternative<PluginConfig>(agent.host) ||
                            std::holds_alternative<RemoteConfig>(agent.host);
    if (!is_program) {
      out_ += "builtin = " + toml_quote(name);
      if (comments_ == Comments::Yes) out_ += "  # " + origin(path + "builtin", "");
      out_ += "\n";
    }
    for (const AgentKind& kind : agent_kinds()) {
      if (kind.name != name) continue;
      for (const auto& one : kind.fields) value(path + one.name, one, agent, Unset::Silent);
    }
  }

  const NodeConfig& config_;
  Comments comments_;
  std::string out_;
};

}  // namespace

std::string print_effective(const NodeConfig& config) { return Printer(config, Comments::Yes).print(); }

std::string config_digest(const NodeConfig& config) {
  const std::string text = Printer(config, Comments::No).print();
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return digits.data();
}

}  // namespace legion
