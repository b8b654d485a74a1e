#include <legion/runtime/middleware_chains.hpp>

#include <algorithm>
#include <bit>
#include <span>

#include <legion/base/assert.hpp>

namespace legion {

namespace {

using On = MiddlewareSpec::On;

void add(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

template <class Call>
auto called(const ChainLink& link, Call call) {
  if (!link.mutex) return call(*link.step);
  const std::lock_guard lock(*link.mutex);
  return call(*link.step);
}

void count(StepCounters& counters, PublishVerdict::Kind kind) {
  switch (kind) {
    case PublishVerdict::Kind::Pass: return;
    case PublishVerdict::Kind::Filtered: return add(counters.filtered);
    case PublishVerdict::Kind::WouldBlock: return add(counters.limited);
    case PublishVerdict::Kind::Invalid: return add(counters.rejected);
  }
  LEGION_UNREACHABLE();
}

void count(StepCounters& counters, DispatchVerdict::Kind kind) {
  switch (kind) {
    case DispatchVerdict::Kind::Pass: return;
    case DispatchVerdict::Kind::FilteredWhere:
    case DispatchVerdict::Kind::FilteredDuplicate: return add(counters.filtered);
    case DispatchVerdict::Kind::FilteredLimited: return add(counters.limited);
    case DispatchVerdict::Kind::Expired: return add(counters.expired);
    case DispatchVerdict::Kind::Reject:
    case DispatchVerdict::Kind::Unfit: return add(counters.rejected);
  }
  LEGION_UNREACHABLE();
}

bool is_filtered(DispatchVerdict::Kind kind) {
  return kind == DispatchVerdict::Kind::FilteredWhere || kind == DispatchVerdict::Kind::FilteredDuplicate ||
         kind == DispatchVerdict::Kind::FilteredLimited;
}

}  // namespace

// --- publish ---------------------------------------------------------------------------------------------------------

bool PublishChain::concerns(const ChainLink& link, std::string_view type, std::string_view agent) {
  return link.spec->type.matches(type) && link.spec->concerns(agent);
}

bool PublishChain::concerns(std::string_view type, std::string_view agent) const {
  return std::ranges::any_of(links_, [&](const ChainLink& link) { return concerns(link, type, agent); });
}

PublishChain::Passage PublishChain::run(PublishedEvent& event) const {
  Passage passage;
  for (; passage.passed < links_.size(); ++passage.passed) {
    const ChainLink& link = links_[passage.passed];
    if (!concerns(link, event.type(), event.agent())) continue;
    add(link.counters->seen);
    const std::uint32_t changes = event.changes();
    passage.verdict = called(link, [&](Middleware& step) { return step.on_publish(event); });
    if (event.changes() != changes) add(link.counters->changed);
    if (passage.verdict.kind == PublishVerdict::Kind::Pass) continue;
    count(*link.counters, passage.verdict.kind);
    passage.verdict.detail = link.spec->name + ": " + passage.verdict.detail;
    break;
  }
  return passage;
}

void PublishChain::answer(const PublishedEvent& event, std::size_t passed, Middleware::Taken taken) const {
  for (const ChainLink& link : std::span(links_).first(passed)) {
    if (!concerns(link, event.type(), event.agent())) continue;
    called(link, [&](Middleware& step) {
      step.on_answer(event, taken);
      return 0;
    });
  }
}

std::optional<std::size_t> PublishChain::compress_from(std::string_view type) const {
  for (const Zstd& one : zstd_) {
    if (one.spec->type.matches(type)) return std::get<ZstdStep>(one.spec->settings).min_bytes;
  }
  return std::nullopt;
}

void PublishChain::count_frame(std::string_view type, Compressed compressed) const {
  for (const Zstd& one : zstd_) {
    if (!one.spec->type.matches(type)) continue;
    add(one.counters->seen);
    if (compressed == Compressed::Yes) add(one.counters->changed);
    return;
  }
}

// --- dispatch --------------------------------------------------------------------------------------------------------

DispatchChain::Passage DispatchChain::run(DispatchedEvent& event) const {
  Passage passage;
  for (std::size_t at = 0; at < links_.size(); ++at) {
    const ChainLink& link = links_[at];
    if (!link.spec->type.matches(event.view().type)) continue;
    const std::uint64_t bit = std::uint64_t{1} << at;
    passage.seen |= bit;
    const EventView* const before = event.event().get();
    DispatchVerdict verdict = called(link, [&](Middleware& step) { return step.on_dispatch(event); });
    if (event.event().get() != before) passage.changed |= bit;
    if (is_gate_ && is_filtered(verdict.kind)) continue;  // nothing takes an event past a gate
    if (verdict.kind == DispatchVerdict::Kind::Pass) continue;
    if (!verdict.error.empty()) verdict.error = link.spec->name + ": " + verdict.error;
    passage.verdict = std::move(verdict);
    passage.decided = at;
    break;
  }
  return passage;
}

void DispatchChain::count(const Passage& passage) const {
  for (std::uint64_t seen = passage.seen; seen != 0; seen &= seen - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(seen));
    add(links_[at].counters->seen);
    if ((passage.changed >> at & 1) != 0) add(links_[at].counters->changed);
  }
  if (passage.seen != 0) legion::count(*links_[passage.decided].counters, passage.verdict.kind);
}

std::optional<Outcome> gone_through(const DispatchChain& steps, const Task& task, EventPtr& event, Now now) {
  DispatchChain::Passage passage;
  auto outcome = gone_through(steps, task, event, now, passage);
  steps.count(passage);
  return outcome;
}

std::optional<Outcome> gone_through(const DispatchChain& steps, const Task& task, EventPtr& event, Now now,
                                    DispatchChain::Passage& passage) {
  using Again = DispatchedEvent::Again;
  const bool is_requeued = (task.path && task.path->round > 0) || is_asked_for(*event);
  const Again again = is_requeued ? Again::AskedFor : task.attempt > 1 ? Again::Yes : Again::No;
  DispatchedEvent handed(std::move(event), steps.agent(), again, now);
  passage = steps.run(handed);
  event = handed.event();
  switch (passage.verdict.kind) {
    case DispatchVerdict::Kind::Pass: return std::nullopt;
    case DispatchVerdict::Kind::FilteredWhere: return Outcome{OutcomeKind::FilteredWhere};
    case DispatchVerdict::Kind::FilteredDuplicate: return Outcome{OutcomeKind::FilteredDuplicate};
    case DispatchVerdict::Kind::FilteredLimited: return Outcome{OutcomeKind::FilteredLimited};
    case DispatchVerdict::Kind::Expired: return Outcome{OutcomeKind::Expired};
    case DispatchVerdict::Kind::Reject: return Outcome::reject(passage.verdict.error);
    case DispatchVerdict::Kind::Unfit: return Outcome::unfit(passage.verdict.error);
  }
  LEGION_UNREACHABLE();
}

// --- all of them -----------------------------------------------------------------------------------------------------

MiddlewareChains::MiddlewareChains(std::vector<MiddlewareSpec> specs, SchemaHooks hooks)
    : specs_(std::move(specs)), hooks_(std::move(hooks)) {
  for (MiddlewareSpec& spec : specs_) {
    if (spec.name.empty()) spec.name = std::string(to_string(spec.settings));
    counters_.emplace_back();
  }
}

ChainLink MiddlewareChains::make_link(std::size_t index) {
  ChainLink link{make_step(specs_[index], hooks_), nullptr, &specs_[index], &counters_[index]};
  if (!link.step) link.step = std::make_unique<Middleware>();  // an own one that is none: everything passes
  if (link.step->calls() == Middleware::Calls::Serialised) link.mutex = std::make_unique<std::mutex>();
  return link;
}

std::unique_ptr<PublishChain> MiddlewareChains::for_publish() {
  auto chain = std::make_unique<PublishChain>();
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].on != On::Publish) continue;
    if (std::holds_alternative<ZstdStep>(specs_[i].settings)) {
      chain->zstd_.push_back({&specs_[i], &counters_[i]});
    } else {
      chain->links_.push_back(make_link(i));
    }
  }
  return chain->links_.empty() && chain->zstd_.empty() ? nullptr : std::move(chain);
}

std::unique_ptr<DispatchChain> MiddlewareChains::for_subscription(std::string_view agent, Priority tier) {
  auto chain = std::make_unique<DispatchChain>();
  chain->agent_ = std::string(agent);
  chain->is_gate_ = tier == Priority::Critical;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].on != On::Dispatch || !specs_[i].concerns(agent)) continue;
    if (chain->is_gate_ && may_filter(specs_[i].settings)) continue;
    chain->links_.push_back(make_link(i));
  }
  return chain->links_.empty() ? nullptr : std::move(chain);
}

std::vector<StepFigures> MiddlewareChains::figures() const {
  const auto read = [](const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); };
  std::vector<StepFigures> all;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const StepCounters& counters = counters_[i];
    all.push_back({.name = specs_[i].name,
                   .step = std::string(to_string(specs_[i].settings)),
                   .on = specs_[i].on,
                   .type = specs_[i].type.text(),
                   .seen = read(counters.seen),
                   .changed = read(counters.changed),
                   .filtered = read(counters.filtered),
                   .limited = read(counters.limited),
                   .expired = read(counters.expired),
                   .rejected = read(counters.rejected)});
  }
  return all;
}

}  // namespace legion
