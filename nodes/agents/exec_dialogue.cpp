#include <legion/agents/exec_dialogue.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <legion/base/text.hpp>

namespace legion {
namespace {

std::string reason_of(const PublishResult& result) {
  if (result.detail.empty()) return std::string(to_string(result.status));
  return fmt::format("{}: {}", to_string(result.status), result.detail);
}

}  // namespace

ExecDialogue::ExecDialogue(const ExecOptions& options, AgentServices& services, std::shared_ptr<ExecInbox> inbox,
                           std::uint64_t life)
    : options_(options),
      services_(services),
      inbox_(std::move(inbox)),
      life_(life),
      logged_(options.log_lines_per_second, 1s),
      reported_(options.report_lines_per_second, 1s) {}

void ExecDialogue::hand_over(Delivery delivery) {
  if (!input_closed_.empty()) {
    services_.complete(delivery.task, Outcome::retry(input_closed_));
    return;
  }
  // Beyond the bound are only deliveries that timed out or were deferred and never answered.
  if (open_.size() >= options_.open_deliveries_max + 4 * std::size_t{options_.concurrency}) {
    finish(open_.begin(), Outcome::retry("the agent leaves too many events unanswered"));
  }
  const std::uint64_t number = ++last_delivery_;
  open_.emplace(number, Open{delivery.task, std::move(delivery.event), delivery.attempt});
  unencoded_.push_back(number);
  fill_output();
}

void ExecDialogue::fill_output() {
  while (!unencoded_.empty() && listening()) {
    const std::uint64_t number = unencoded_.front();
    unencoded_.pop_front();
    const auto open = open_.find(number);
    if (open == open_.end()) continue;
    const DeliveryAttributes attributes{.delivery = number, .attempt = open->second.attempt};
    auto line = to_cloudevent_json(*open->second.event, &attributes);
    if (!line) {
      finish(open, Outcome::reject("cannot be written as JSON: " + line.error().message));
      continue;
    }
    line->push_back('\n');
    output_.push(std::move(*line), number);
  }
}

void ExecDialogue::on_line(SteadyTime now, const StreamLine& line) {
  if (line.kind == StreamLine::Kind::TooLong) {
    return report_invalid(now, line.number, fmt::format("longer than {} bytes", options_.line_bytes_max));
  }
  if (line.text.find_first_not_of(" \t") == std::string_view::npos) return;
  auto parsed = parse_agent_line(line.text);
  if (!parsed) {
    report_invalid(now, line.number, parsed.error().message);
    if (parsed.error().ref) refuse(now, line.number, parsed.error().ref, "invalid: " + parsed.error().message);
    return;
  }
  if (auto* outcome = std::get_if<OutcomeLine>(&*parsed)) return on_outcome_line(now, line.number, std::move(*outcome));
  if (auto* publish = std::get_if<PublishLine>(&*parsed)) return on_publish_line(now, line.number, std::move(*publish));
  on_log_line(now, std::get<LogTextLine>(*parsed));
}

void ExecDialogue::on_outcome_line(SteadyTime now, std::uint64_t number, OutcomeLine line) {
  const auto open = open_.find(line.delivery);
  if (open == open_.end()) {
    return report_invalid(now, number, fmt::format("delivery {} is not open", line.delivery));
  }
  if (line.outcome.kind == OutcomeKind::Deferred) {
    services_.complete(open->second.task, std::move(line.outcome));
    return;
  }
  finish(open, std::move(line.outcome));
}

void ExecDialogue::on_publish_line(SteadyTime now, std::uint64_t number, PublishLine line) {
  Event event = std::move(line.event.event);
  if (line.cause && !inherit_from_cause(*line.cause, event)) {
    const std::string message = fmt::format("\"cause\": delivery {} is not open", *line.cause);
    report_invalid(now, number, message);
    if (line.ref) refuse(now, number, line.ref, "invalid: " + message);
    return;
  }
  if (line.ref && pending_refs_ >= options_.pending_refs_max) {
    return refuse(now, number, line.ref, to_string(PublishStatus::WouldBlock));
  }
  PublishOptions options;
  if (line.event.has_priority) options.priority_from = PublishOptions::PriorityFrom::Event;
  if (line.ref) {
    options.on_settled = [inbox = inbox_, life = life_, ref = *line.ref](std::string id) {
      inbox->put(NumberedRef{life, ref, std::move(id)});
    };
  }
  const PublishResult result = services_.publish(event, std::move(options));
  if (!result) return refuse(now, number, line.ref, reason_of(result));
  services_.count("published", 1);
  if (line.ref) ++pending_refs_;
}

void ExecDialogue::on_log_line(SteadyTime now, const LogTextLine& line) {
  services_.count("log_lines", 1);
  if (logged_.allow(now)) services_.log(line.level, printable(line.text, log_text_bytes_max));
}

void ExecDialogue::refuse(SteadyTime now, std::uint64_t number, const std::optional<std::string>& ref,
                          std::string_view reason) {
  services_.count("refused", 1);
  if (ref) {
    if (input_closed_.empty()) output_.push(refused_answer(*ref, reason), 0);
    return;
  }
  if (!reported_.allow(now)) return;
  services_.log(LogLevel::Warn, fmt::format("line {}: publish refused: {}", number, printable(reason, 512)));
}

void ExecDialogue::report_invalid(SteadyTime now, std::uint64_t number, std::string_view message) {
  services_.count("invalid_lines", 1);
  if (!reported_.allow(now)) return;
  services_.log(LogLevel::Warn, fmt::format("line {} ignored: {}", number, printable(message, 512)));
}

bool ExecDialogue::inherit_from_cause(std::uint64_t cause, Event& event) const {
  const auto open = open_.find(cause);
  if (open == open_.end()) return false;
  const EventView& source = *open->second.event;
  if (event.causation_id.empty()) event.causation_id = source.id_string();
  if (event.correlation_id.empty()) event.correlation_id = source.correlation();
  if (event.traceparent.empty()) {
    event.traceparent = source.traceparent;
    if (event.tracestate.empty()) event.tracestate = source.tracestate;
  }
  return true;
}

void ExecDialogue::on_numbered(const NumberedRef& numbered) {
  if (numbered.life != life_) return;
  --pending_refs_;
  if (!input_closed_.empty()) return;
  // Without an id the event was accepted and then not sent: the node has more streams than it may have.
  const bool refused = numbered.id.empty();
  if (refused) services_.count("refused", 1);
  output_.push(refused ? refused_answer(numbered.ref, "too many streams") : published_answer(numbered.ref, numbered.id), 0);
}

void ExecDialogue::on_input_closed(std::string_view why) {
  input_closed_ = why;
  const Outcome outcome = Outcome::retry(input_closed_);
  for (const std::uint64_t number : output_.discard()) {
    if (const auto open = open_.find(number); open != open_.end()) finish(open, outcome);
  }
  for (const std::uint64_t number : std::exchange(unencoded_, {})) {
    if (const auto open = open_.find(number); open != open_.end()) finish(open, outcome);
  }
}

void ExecDialogue::finish(OpenMap::iterator open, Outcome outcome) {
  const TaskId task = open->second.task;
  open_.erase(open);
  services_.complete(task, std::move(outcome));
}

void ExecDialogue::on_time(SteadyTime now) {
  if (const auto lines = logged_.take_suppressed(now)) tell_suppressed(*lines, "log");
  if (const auto lines = reported_.take_suppressed(now)) tell_suppressed(*lines, "invalid or refused");
}

void ExecDialogue::end() {
  if (const auto lines = logged_.take_suppressed()) tell_suppressed(*lines, "log");
  if (const auto lines = reported_.take_suppressed()) tell_suppressed(*lines, "invalid or refused");
}

std::optional<SteadyTime> ExecDialogue::deadline() const {
  const auto a = logged_.deadline();
  const auto b = reported_.deadline();
  return a && b ? std::min(*a, *b) : (a ? a : b);
}

void ExecDialogue::tell_suppressed(std::uint64_t lines, std::string_view kind) {
  services_.log(LogLevel::Warn, fmt::format("{} {} lines suppressed", lines, kind));
}

}  // namespace legion
