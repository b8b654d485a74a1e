// An agent of a node whose handlers come from a plugin.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <legion/api/handler_table.hpp>
#include <legion/plugin.hpp>

namespace legion {

class ServicesTarget;

/// Thread: as Agent. Ownership: the plugin stays loaded when this is gone.
class PluginAgent final : public Agent {
 public:
  struct Options {
    std::string name;
    std::string node;
    std::filesystem::path library;
    PluginSettings settings{};
  };
  /// Loads the library and has it add its handlers. Errors: as load_plugin().
  static Result<std::unique_ptr<PluginAgent>> load(Options options);
  ~PluginAgent() override;

  /// What the node subscribes to for it: what the handlers ask for themselves where `configured` is empty; else
  /// `configured`, each for the handler whose filter covers it, the narrowest of them. To be called once, before
  /// bind(). Errors: Configuration naming a filter that no handler covers.
  Result<std::vector<SubscriptionOptions>> subscriptions(std::vector<SubscriptionOptions> configured);
  /// The number of the first of them; the others follow it.
  void bind(SubscriptionId first);

  Answers answers() const override { return host_.answers(); }
  void start(AgentServices& services) override;
  std::optional<Outcome> deliver(const Delivery& delivery) override { return host_.deliver(delivery); }
  void stop(Duration grace) override;

 private:
  PluginAgent(Options options, std::shared_ptr<ServicesTarget> target);

  const Options options_;
  const std::shared_ptr<ServicesTarget> target_;  // shared with publishers of the plugin
  const std::shared_ptr<HandlerTable> table_;     // shared with the plugin
  EmbeddedHost host_{table_};
};

}  // namespace legion
