// Agents that no configuration declares: they come with their first client.
#include <algorithm>

#include <legion/runtime/remote_hub.hpp>

namespace legion {

namespace {

Result<void> check_no_gates(const std::vector<SubscriptionOptions>& wanted) {
  for (const SubscriptionOptions& one : wanted) {
    if (one.spec.tier != Priority::Critical) continue;
    return fail(ErrorCode::Refused,
                "params.subscriptions: " + describe(one) +
                    ": a gate has to be declared in the configuration of its node, because it holds "
                    "also while nobody serves it");
  }
  return {};
}

}  // namespace

void RemoteHub::grow_by(RemoteGrowth growth, AgentSpec defaults) {
  growth_ = std::move(growth);
  defaults_ = std::move(defaults);
}

Result<RemoteHub::Served*> RemoteHub::find_or_add(const RemoteAttach& attach) {
  const auto found = std::ranges::find_if(agents_, [&](const auto& one) { return one->name == attach.name; });
  if (found != agents_.end()) {
    Served& served = **found;
    if (served.declared == Served::Declared::No && !attach.subscriptions) {
      return fail(ErrorCode::InvalidArgument,
                  "params.subscriptions: the configuration of node " + node_ + " says nothing of agent " + attach.name);
    }
    return &served;
  }
  return add_undeclared(attach);
}

std::size_t RemoteHub::undeclared() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(agents_, [](const auto& one) { return one->declared == Served::Declared::No; }));
}

Result<RemoteHub::Served*> RemoteHub::add_undeclared(const RemoteAttach& attach) {
  if (!attach.subscriptions || !growth_.add) {
    return fail(ErrorCode::NotFound, "node " + node_ + " has no [[agent]] \"" + attach.name +
                                         "\" with remote = true, and the client says no subscriptions of its own");
  }
  if (const auto allowed = check_no_gates(*attach.subscriptions); !allowed) return std::unexpected(allowed.error());
  if (undeclared() >= undeclared_max) {
    return fail(ErrorCode::Refused, "node " + node_ + " has " + std::to_string(undeclared_max) +
                                        " agents that are not in its configuration already");
  }
  AgentSpec spec = defaults_;
  spec.name = attach.name;
  spec.concurrency = attach.concurrency.value_or(1);
  if (attach.max_attempts) spec.retry.max_attempts = *attach.max_attempts;
  if (attach.retry_delay) spec.retry.delay = *attach.retry_delay;
  if (attach.backoff) spec.retry.backoff = *attach.backoff;
  RemoteOptions options;
  if (attach.credit) options.terms.credit = *attach.credit;
  if (attach.lease) options.terms.lease = *attach.lease;
  if (attach.handler_timeout) options.terms.handler_timeout = *attach.handler_timeout;
  const std::uint32_t concurrency = spec.concurrency;
  auto agent = make_agent(spec, options, {});
  Served& served = *agents_.back();
  auto added = growth_.add(std::move(spec), std::move(agent));
  if (!added) {
    agents_.pop_back();
    return std::unexpected(added.error());
  }
  served.id = *added;
  served.concurrency = concurrency;
  served.declared = Served::Declared::No;
  served.stage = Served::Stage::Started;
  return &served;
}

/// What is wanted and not there begins, what is there and not wanted any more ends.
Result<void> RemoteHub::change_subscriptions(Served& served, const std::vector<SubscriptionOptions>& wanted) {
  if (const auto allowed = check_no_gates(wanted); !allowed) return allowed;
  for (const SubscriptionOptions& one : served.subscriptions) {
    const auto is_wanted = [&](const SubscriptionOptions& other) { return same_subscription(one, other); };
    if (!one.is_remembered() || std::ranges::any_of(wanted, is_wanted)) continue;
    return fail(ErrorCode::Refused, "params.subscriptions: " + describe(one) +
                                        " stays with this node until it is started again; it cannot be left out");
  }
  end_subscriptions(served, wanted);
  for (const SubscriptionOptions& one : wanted) {
    const auto is_there = [&](const SubscriptionOptions& other) { return same_subscription(one, other); };
    if (std::ranges::any_of(served.subscriptions, is_there)) continue;
    if (const auto begun = begin_subscription(served, one); !begun) return begun;
  }
  return {};
}

Result<void> RemoteHub::begin_subscription(Served& served, const SubscriptionOptions& wanted) {
  const auto before = std::ranges::find_if(served.ended, [&](const auto& one) { return same_subscription(one.first, wanted); });
  if (before != served.ended.end()) {
    growth_.subscribe_again(before->second);
    served.numbers.push_back(before->second);
    served.ended.erase(before);
  } else {
    const auto number = growth_.subscribe(served.id, wanted);
    if (!number) return std::unexpected(number.error());
    served.numbers.push_back(*number);
  }
  served.subscriptions.push_back(wanted);
  return {};
}

void RemoteHub::end_subscriptions(Served& served, const std::vector<SubscriptionOptions>& wanted) {
  for (std::size_t i = 0; i < served.subscriptions.size();) {
    const auto is_wanted = [&](const SubscriptionOptions& other) { return same_subscription(served.subscriptions[i], other); };
    if (std::ranges::any_of(wanted, is_wanted)) {
      ++i;
      continue;
    }
    growth_.unsubscribe(served.numbers[i]);
    served.ended.emplace_back(std::move(served.subscriptions[i]), served.numbers[i]);
    served.subscriptions.erase(served.subscriptions.begin() + static_cast<std::ptrdiff_t>(i));
    served.numbers.erase(served.numbers.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

/// One with a durable subscription stays, because its cursor waits for it, and so does a member of a group; any other loses what it holds.
void RemoteHub::remove_undeclared(Served& served) {
  served.away_since.reset();
  if (std::ranges::any_of(served.subscriptions, &SubscriptionOptions::is_remembered)) return;
  end_subscriptions(served, {});
  pool_.remove_agent(served.id, "the client has gone");
  served.agent->services()->set_state("gone");
}

}  // namespace legion
