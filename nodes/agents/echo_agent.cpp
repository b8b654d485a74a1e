#include <legion/agents/echo_agent.hpp>

#include <utility>

#include <fmt/format.h>

namespace legion {

void EchoAgent::start(AgentServices& services) {
  services_ = &services;
  services.set_state("running");
  services.agent_up();
}

std::optional<Outcome> EchoAgent::deliver(const Delivery& delivery) {
  if (is_answer(*delivery.event)) {
    services_->count("skipped", 1);
    return Outcome::done();
  }
  return answer(*delivery.event);
}

void EchoAgent::stop(Duration) {
  if (services_ != nullptr) services_->set_state("stopped");
}

bool EchoAgent::is_answer(const EventView& event) const {
  if (options_.reply_type) return event.type == *options_.reply_type;
  return event.type.starts_with(options_.prefix);
}

Outcome EchoAgent::answer(const EventView& event) {
  Event reply;
  reply.type = options_.reply_type ? *options_.reply_type : options_.prefix + std::string(event.type);
  reply.causation_id = event.id_string();
  reply.correlation_id = event.correlation();
  reply.traceparent = event.traceparent;
  reply.tracestate = event.tracestate;
  reply.key = event.key;
  reply.data.assign(event.data.begin(), event.data.end());
  const PublishResult result = services_->publish(reply);
  switch (result.status) {
    case PublishStatus::Queued: services_->count("published", 1); return Outcome::done();
    case PublishStatus::WouldBlock:
    case PublishStatus::Closed: return Outcome::retry(std::string(to_string(result.status)));
    case PublishStatus::Filtered: services_->count("filtered", 1); return Outcome::done();
    case PublishStatus::TooBig:
    case PublishStatus::Invalid:
    case PublishStatus::Refused: break;
  }
  services_->count("refused", 1);
  return Outcome::reject(fmt::format("{}: {}", to_string(result.status), result.detail));
}

}  // namespace legion
