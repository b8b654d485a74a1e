#include <legion/runtime/remote_session.hpp>

#include <algorithm>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/remote_methods.hpp>

namespace legion {

namespace {

constexpr std::size_t message_bytes_max = 256 * 1024;
constexpr std::size_t deferred_max = 4096;
/// What is more urgent waits for at most this much work, once the pace of the handler is known.
constexpr Duration slice_time_max = 5ms;
constexpr Duration slice_time_unpaced_max = 20ms;
constexpr std::uint32_t window_max = 4096;

Outcome outcome_of(RemoteVerb verb, std::string error) {
  switch (verb) {
    case RemoteVerb::Ack: return Outcome::done();
    case RemoteVerb::Nack: return Outcome::retry(std::move(error));
    case RemoteVerb::Stop: return Outcome::stop();
    case RemoteVerb::Reject: return Outcome::reject(std::move(error));
    case RemoteVerb::Defer: return Outcome::deferred();
  }
  return Outcome::done();
}

}  // namespace

RemoteSession::RemoteSession(Setup setup, SteadyTime now) : setup_(std::move(setup)), last_heard_(now) {}

void RemoteSession::take(SteadyTime now, RemoteRun run) {
  auto open = std::make_unique<Open>(Open{.run = std::move(run)});
  if (open->run.count() == 0) {  // nothing of it may be handled
    const OutcomeKind last = open->run.passed_over.back().kind;
    return setup_.pool.complete_run(report_of(*open, {.kind = last}));
  }
  open->last_progress = now;
  waiting_.push_back(std::move(open));
}

// --- answers ---------------------------------------------------------------------------------------------------------

void RemoteSession::on_answer(SteadyTime now, std::string_view method, BytesView params) {
  const auto answers = decode_remote_answers(method, params);
  if (!answers) return report_invalid(now, std::string(method) + ": " + answers.error().message);
  for (const RemoteAnswer& answer : *answers) {
    settle(now, answer.first, answer.last, outcome_of(answer.verb, answer.error));
  }
}

void RemoteSession::settle(SteadyTime now, std::uint64_t first, std::uint64_t last, const Outcome& outcome) {
  if (last > last_delivery_ || first == 0) {
    return report_invalid(now, "delivery " + std::to_string(last) + " was never given");
  }
  bool meant_any = false;
  if (first == last) {
    meant_any = settle_one(now, first, outcome);
  } else {
    for (const std::uint64_t delivery : open_between(first, last)) meant_any |= settle_one(now, delivery, outcome);
  }
  if (!meant_any) setup_.services.count("stale_answers", 1);
}

/// By what is open, not by what a client writes. Deferred ones are answered one by one.
std::vector<std::uint64_t> RemoteSession::open_between(std::uint64_t first, std::uint64_t last) const {
  std::vector<std::uint64_t> found;
  auto entry = open_.upper_bound(first);
  if (entry != open_.begin()) --entry;
  for (; entry != open_.end() && entry->first <= last; ++entry) {
    for (std::uint64_t k = 0; k < entry->second->outcomes.size(); ++k) {
      const std::uint64_t delivery = entry->first + k;
      if (delivery >= first && delivery <= last) found.push_back(delivery);
    }
  }
  return found;
}

RemoteSession::OpenMap::iterator RemoteSession::find(std::uint64_t delivery) {
  auto entry = open_.upper_bound(delivery);
  if (entry == open_.begin()) return open_.end();
  --entry;
  return delivery - entry->first < entry->second->outcomes.size() ? entry : open_.end();
}

bool RemoteSession::settle_one(SteadyTime now, std::uint64_t delivery, const Outcome& outcome) {
  if (const auto deferred = deferred_.find(delivery); deferred != deferred_.end()) {
    if (outcome.kind == OutcomeKind::Deferred) return true;
    const TaskId task = deferred->second;
    deferred_.erase(deferred);
    setup_.services.complete(task, outcome);
    return true;
  }
  const auto entry = find(delivery);
  if (entry == open_.end()) return false;
  auto& slot = entry->second->outcomes[delivery - entry->first];
  if (slot) return false;
  slot = outcome;
  advance(now, entry);
  return true;
}

/// Takes in the answers up to the first that is missing.
void RemoteSession::advance(SteadyTime now, OpenMap::iterator entry) {
  Open& open = *entry->second;
  const std::size_t before = open.answered.size();
  std::size_t answered = before;
  while (answered < open.sent && open.outcomes[answered - open.slice_first]) ++answered;
  if (answered == before) return;
  const Duration each = (now - open.last_progress) / static_cast<std::int64_t>(answered - before);
  open.last_progress = now;
  if (before == open.slice_first) {
    open.first_answer = now;
    open.paced = 0;
  } else {
    open.paced += static_cast<std::uint32_t>(answered - before);
  }
  for (std::size_t at = before; at < answered; ++at) {
    Outcome& outcome = *open.outcomes[at - open.slice_first];
    open.answered.push_back({.kind = outcome.kind, .age = open.run.ages[at], .handler_time = each});
    --outstanding_;
    if (outcome.kind == OutcomeKind::Done || outcome.kind == OutcomeKind::Stop) continue;
    // What was sent behind it is void; it comes again.
    Outcome last = std::move(outcome);
    if (last.kind == OutcomeKind::Deferred) {
      const auto place = static_cast<std::uint32_t>(open.run.passed_over.size() + at);
      keep_deferred(entry->first + (at - open.slice_first),
                    open.run.kind == RemoteRun::Kind::Run ? task_of(open.run.task, place) : open.run.task);
    }
    return finish(entry, std::move(last));
  }
  if (open.outstanding() == 0) return end_slice(now, entry);
  if (open.run.kind == RemoteRun::Kind::Run) {
    setup_.pool.run_progress(open.run.task, static_cast<std::uint32_t>(open.run.passed_over.size() + answered));
  }
}

void RemoteSession::end_slice(SteadyTime now, OpenMap::iterator entry) {
  Open& open = *entry->second;
  adapt_window(now, open);
  const bool all = open.sent == open.run.count();
  if (all || setup_.terms.credit == 0 || setup_.pool.waits_above(setup_.agent, open.run.lane)) {
    return finish(entry, {.kind = open.answered.back().kind});
  }
  waiting_.push_front(std::move(entry->second));
  open_.erase(entry);
}

/// By the pace of the answers, which does not contain the way to the client. One that answers all at once shows only
/// how long everything took, on a busy machine mostly waiting, so that may be longer.
void RemoteSession::adapt_window(SteadyTime now, const Open& open) {
  const auto count = static_cast<std::uint32_t>(open.outcomes.size());
  const bool has_pace = open.paced > 0 && now > open.first_answer;
  const Duration took = has_pace ? (now - open.first_answer) * count / open.paced : now - open.slice_sent;
  const Duration most = has_pace ? slice_time_max : slice_time_unpaced_max;
  if (took > most) {
    const auto fits = static_cast<std::uint32_t>(most * count / took);
    window_ = std::max<std::uint32_t>(1, std::min(window_, fits));
  } else if (count == window_ && took < most / 2) {
    window_ = std::min<std::uint32_t>(window_ * 2, window_max);
  }
}

DispatchPool::RunReport RemoteSession::report_of(Open& open, Outcome last) const {
  std::vector<Answered> all = open.run.passed_over;
  all.insert(all.end(), open.answered.begin(), open.answered.end());
  return {.task = open.run.task, .answered = std::move(all), .last = std::move(last)};
}

void RemoteSession::finish(OpenMap::iterator entry, Outcome last) {
  const OpenPtr open = std::move(entry->second);
  open_.erase(entry);
  outstanding_ -= open->outstanding();
  if (open->run.kind == RemoteRun::Kind::Run) {
    setup_.pool.complete_run(report_of(*open, std::move(last)));
  } else {
    setup_.services.complete(open->run.task, std::move(last));
  }
}

void RemoteSession::keep_deferred(std::uint64_t delivery, TaskId task) {
  if (deferred_.size() >= deferred_max) {
    const TaskId oldest = deferred_.begin()->second;
    deferred_.erase(deferred_.begin());
    setup_.services.complete(oldest, Outcome::retry("the agent leaves too many events unanswered"));
  }
  deferred_.emplace(delivery, task);
}

// --- sending ---------------------------------------------------------------------------------------------------------

std::uint32_t RemoteSession::slice_size(const Open& open, std::size_t bytes_left) const {
  const std::uint32_t room = setup_.terms.credit > outstanding_ ? setup_.terms.credit - outstanding_ : 0;
  const std::uint32_t most = std::min({room, window_, open.run.count() - open.sent});
  std::uint32_t count = 0;
  std::size_t bytes = 0;
  while (count < most && bytes + open.run.bytes_of(open.sent + count) <= bytes_left) {
    bytes += open.run.bytes_of(open.sent + count++);
  }
  return count;
}

void RemoteSession::write_slice(SteadyTime now, Open& open, std::uint32_t count, MsgpackWriter& out) {
  const RemoteRun& run = open.run;
  open.slice_first = open.sent;
  open.slice_number = last_delivery_ + 1;
  open.outcomes.assign(count, std::nullopt);
  open.slice_sent = now;
  open.last_progress = now;
  last_delivery_ += count;
  outstanding_ += count;
  open.sent += count;
  const auto is_of = [&](const Numbers& numbers) { return numbers.contains(run.subscription); };
  const auto place = std::ranges::find_if(setup_.subscriptions, is_of) - setup_.subscriptions.begin();
  out.array(8);
  out.uint(open.slice_number);
  out.uint(static_cast<std::uint64_t>(place));
  out.uint(run.attempt);
  out.str(run.id_prefix);
  out.str(run.type);
  out.str(to_string(run.lane));
  out.uint(run.first_sequence + open.slice_first);
  out.array(count);
  out.raw(run.slice(open.slice_first, count));
}

// A single event may be larger than a message is meant to be: then it travels alone.
void RemoteSession::pump(SteadyTime now) {
  while (!waiting_.empty() && lost_.empty() && setup_.terms.credit > outstanding_) {
    MsgpackWriter runs;
    std::size_t count = 0;
    while (!waiting_.empty() && runs.size() < message_bytes_max) {
      Open& open = *waiting_.front();
      std::uint32_t events = slice_size(open, message_bytes_max - runs.size());
      if (events == 0 && count == 0 && setup_.terms.credit > outstanding_) events = 1;
      if (events == 0) break;
      write_slice(now, open, events, runs);
      ++count;
      const std::uint64_t number = open.slice_number;
      open_.emplace(number, std::move(waiting_.front()));
      waiting_.pop_front();
    }
    if (count == 0) return;
    MsgpackWriter params;
    params.array(2);
    params.uint(setup_.number);
    params.array(count);
    params.raw(runs.bytes());
    tell("agent.deliver", params.bytes());
  }
}

void RemoteSession::tell(std::string_view method, BytesView params) {
  send(encode(RpcNotification{std::string(method), Bytes(params.begin(), params.end())}));
}

void RemoteSession::send(BytesView message) {
  if (!lost_.empty()) return;
  switch (setup_.send(message)) {
    case transport::SendResult::Sent: return;
    case transport::SendResult::Full: lost_ = "the client does not read what it is sent"; return;
    case transport::SendResult::Unreachable: lost_ = "the client's connection is gone"; return;
    case transport::SendResult::Closed: lost_ = "the node is stopping"; return;
  }
}

bool RemoteSession::probe() {
  MsgpackWriter params;
  params.array(1);
  params.uint(setup_.number);
  tell("agent.ping", params.bytes());
  return lost_.empty();
}

// --- time and the end ------------------------------------------------------------------------------------------------

void RemoteSession::on_tick(SteadyTime now) {
  if (now - last_heard_ > setup_.terms.lease && lost_.empty()) {
    lost_ = "the client has been silent for " + format_duration(setup_.terms.lease);
  }
  if (setup_.terms.handler_timeout > Duration{0}) time_out(now);
  if (const auto suppressed = reported_.take_suppressed(now)) {
    setup_.services.log(LogLevel::Warn, std::to_string(*suppressed) + " wrong messages not shown");
  }
}

/// The event in hands failed. What was sent behind it is void, and the client is told so: it would handle it twice.
void RemoteSession::time_out(SteadyTime now) {
  const std::string error = "no answer within " + format_duration(setup_.terms.handler_timeout);
  for (auto entry = open_.begin(); entry != open_.end();) {
    const auto current = entry++;
    Open& open = *current->second;
    if (now - open.last_progress < setup_.terms.handler_timeout) continue;
    const std::uint64_t in_hands = current->first + (open.answered.size() - open.slice_first);
    setup_.services.count("timeouts", 1);
    MsgpackWriter params;
    params.array(3);
    params.uint(setup_.number);
    params.uint(in_hands);
    params.uint(in_hands + open.outstanding() - 1);
    open.answered.push_back({.kind = OutcomeKind::Retry,
                             .age = open.run.ages[open.answered.size()],
                             .handler_time = now - open.last_progress});
    --outstanding_;
    finish(current, Outcome::retry(error));
    tell("agent.void", params.bytes());
  }
}

void RemoteSession::end(std::string_view error, Blame blame) {
  std::vector<DispatchPool::RunReport> reports;
  for (auto& [number, open] : open_) {
    if (open->run.kind == RemoteRun::Kind::Single) continue;  // counted with the agent's end
    if (blame == Blame::InHands) {
      open->answered.push_back({.kind = OutcomeKind::Retry, .age = open->run.ages[open->answered.size()]});
      reports.push_back(report_of(*open, Outcome::retry(std::string(error))));
    } else {
      reports.push_back(untouched_rest(*open));
    }
  }
  for (OpenPtr& open : waiting_) {
    if (open->run.kind == RemoteRun::Kind::Run) reports.push_back(untouched_rest(*open));
  }
  open_.clear();
  waiting_.clear();
  deferred_.clear();
  outstanding_ = 0;
  setup_.pool.complete_and_down(setup_.agent, std::move(reports), error);
  if (lost_.empty()) lost_ = std::string(error);
}

/// What was answered is answered; everything behind it comes again.
DispatchPool::RunReport RemoteSession::untouched_rest(Open& open) const {
  const OutcomeKind last = open.answered.empty() ? OutcomeKind::Done : open.answered.back().kind;
  return report_of(open, {.kind = last});
}

void RemoteSession::report_invalid(SteadyTime now, std::string_view what) {
  setup_.services.count("invalid_messages", 1);
  if (reported_.allow(now)) setup_.services.log(LogLevel::Warn, "ignored: " + printable(what, 512));
}

}  // namespace legion
