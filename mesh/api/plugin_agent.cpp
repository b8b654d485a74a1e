#include <legion/api/plugin_agent.hpp>

#include <mutex>
#include <shared_mutex>
#include <utility>

#include <legion/api/plugin_library.hpp>

namespace legion {

/// Publishes by the services of the agent, from the start of it to its end.
class ServicesTarget final : public PublishTarget {
 public:
  void connect(AgentServices* services) {
    const std::lock_guard lock(mutex_);
    services_ = services;
    if (services != nullptr) log_ = [services](LogLevel level, std::string_view text) { services->log(level, text); };
  }

  PublishResult publish(const Event& event, std::string_view, PublishOptions options) override {
    const std::shared_lock lock(mutex_);
    if (services_ == nullptr) return {PublishStatus::Closed, "the agent does not run"};
    guard_callbacks(options, log_);
    return services_->publish(event, std::move(options));
  }
  /// A plugin has no thread of its own that could wait for long: the next attempt follows at once.
  Waited wait(Duration) override { return Waited::Closed; }
  Now now() const override {
    const std::shared_lock lock(mutex_);
    return services_ != nullptr ? services_->now() : Now{};
  }

 private:
  mutable std::shared_mutex mutex_;
  AgentServices* services_ = nullptr;
  LogSink log_{};  // of the services, which outlive every callback
};

PluginAgent::PluginAgent(Options options, std::shared_ptr<ServicesTarget> target)
    : options_(std::move(options)),
      target_(std::move(target)),
      table_(std::make_shared<HandlerTable>(options_.node, options_.name, AgentOptions{}, target_, LogSink{})) {}

PluginAgent::~PluginAgent() { table_->end(); }

Result<std::unique_ptr<PluginAgent>> PluginAgent::load(Options options) {
  const auto plugin = load_plugin_library(options.library);
  if (!plugin) return std::unexpected(plugin.error());
  std::unique_ptr<PluginAgent> made(new PluginAgent(std::move(options), std::make_shared<ServicesTarget>()));
  EmbeddedAgent agent(made->table_);
  if (auto done = set_up_plugin(**plugin, made->options_.library, agent, made->options_.settings); !done) {
    return std::unexpected(done.error());
  }
  return made;
}

Result<std::vector<SubscriptionOptions>> PluginAgent::subscriptions(std::vector<SubscriptionOptions> configured) {
  if (configured.empty()) {
    auto own = table_->freeze();
    if (!own.empty()) return own;
    return fail(ErrorCode::Configuration, options_.library.string() + ": the plugin added no handler");
  }
  if (auto chosen = table_->freeze_for(configured); !chosen) {
    return fail(ErrorCode::Configuration, options_.library.string() + ": " + chosen.error().message);
  }
  return configured;
}

void PluginAgent::bind(SubscriptionId first) { table_->bind(first); }

void PluginAgent::start(AgentServices& services) {
  for (const std::string& filter : table_->unused()) {
    services.log(LogLevel::Warn,
                 "the plugin's handler of " + filter + " gets nothing: no [[agent.subscribe]] is for it");
  }
  target_->connect(&services);
  host_.start(services);
}

void PluginAgent::stop(Duration grace) {
  host_.stop(grace);
  target_->connect(nullptr);
}

}  // namespace legion
