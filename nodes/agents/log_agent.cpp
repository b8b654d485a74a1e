#include <legion/agents/log_agent.hpp>

#include <fmt/format.h>

#include <legion/agents/agent_line.hpp>
#include <legion/base/text.hpp>
#include <legion/event/json.hpp>

namespace legion {

void LogAgent::start(AgentServices& services) {
  services_ = &services;
  services.set_state("running");
  services.agent_up();
}

std::optional<Outcome> LogAgent::deliver(const Delivery& delivery) {
  const EventView& event = *delivery.event;
  const auto data = data_to_json(event.data);
  services_->log(level_, fmt::format("{} {} {} {} {}", event.type, to_string(event.lane), event.id_string(),
                                     printable(event.source, limits::source_bytes_max),
                                     printable(data ? *data : "(" + data.error().message + ")", log_text_bytes_max)));
  services_->count("events", 1);
  return Outcome::done();
}

void LogAgent::stop(Duration) {
  if (services_ != nullptr) services_->set_state("stopped");
}

}  // namespace legion
