#include <legion/runtime/remote_methods.hpp>

#include <array>
#include <cmath>

#include <legion/base/ids.hpp>
#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/core/durable_types.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/share.hpp>
#include <legion/runtime/control_params.hpp>

namespace legion {

namespace {

constexpr std::size_t ranges_max = 10000;
constexpr std::size_t shown_bytes_max = 64;
constexpr std::uint64_t attempts_max = 1000;
constexpr double backoff_max = 100.0;
constexpr Duration retry_delay_max = 1h;

struct Verb {
  std::string_view method;
  RemoteVerb verb;
};
constexpr std::array<Verb, 5> verbs{{{"agent.ack", RemoteVerb::Ack},
                                     {"agent.nack", RemoteVerb::Nack},
                                     {"agent.stop", RemoteVerb::Stop},
                                     {"agent.reject", RemoteVerb::Reject},
                                     {"agent.defer", RemoteVerb::Defer}}};

std::unexpected<Error> wrong(const std::string& key, const std::string& what) {
  return fail(ErrorCode::InvalidArgument, "params." + key + ": " + what);
}

/// n, or [first, last].
Result<RemoteAnswer> read_range(MsgpackReader& in) {
  RemoteAnswer answer;
  const auto kind = in.peek();
  if (kind && *kind == MsgpackKind::Array) {
    if (const auto shape = in.expect_array(2); !shape) return std::unexpected(shape.error());
    const auto first = in.read_uint();
    if (!first) return std::unexpected(first.error());
    const auto last = in.read_uint();
    if (!last) return std::unexpected(last.error());
    if (*last < *first) return fail(ErrorCode::BadData, "a range ends before it begins");
    answer.first = *first;
    answer.last = *last;
    return answer;
  }
  const auto number = in.read_uint();
  if (!number) return std::unexpected(number.error());
  answer.first = answer.last = *number;
  return answer;
}

Result<SubscriptionStart> parse_start(const std::string& text) {
  SubscriptionStart start;
  if (text.empty() || text == "now") return start;
  if (text == "beginning") {
    start.kind = SubscriptionStart::Kind::Beginning;
  } else if (auto id = EventId::parse(text)) {
    start.kind = SubscriptionStart::Kind::Event;
    start.event = std::move(*id);
  } else if (const auto time = parse_time(text)) {
    start.kind = SubscriptionStart::Kind::Time;
    start.time = *time;
  } else {
    return wrong("subscriptions",
                 "start: '" + text.substr(0, shown_bytes_max) + "' is neither now, beginning, a time nor an event id");
  }
  return start;
}

/// As `[[agent.subscribe]]` has them.
Result<std::optional<GroupOptions>> read_group(const ControlParams& params, const SubscriptionOptions& subscription,
                                               const std::string& start) {
  const auto group = params.text_if_any("group");
  const auto home = params.text_if_any("home");
  for (const auto* text : {&group, &home}) {
    if (!*text) return std::unexpected(text->error());
  }
  if (group->empty()) {
    for (const char* key : {"home", "shares"}) {
      if (params.has(key)) return wrong("subscriptions", std::string(key) + ": only a group has it");
    }
    return std::nullopt;
  }
  if (!is_group_name(*group)) return wrong("subscriptions", "group: it cannot name a group");
  if (!is_node_name(*home)) return wrong("subscriptions", "home: expected a node, the spool that says who has which share");
  if (subscription.durable) return wrong("subscriptions", "durable: a group is durable under its own name");
  if (subscription.spec.tier == Priority::Critical) {
    return wrong("subscriptions", "tier: a gate is asked on every node, so it cannot be shared by a group");
  }
  if (subscription.replays == SubscriptionOptions::Replays::Yes) {
    return wrong("subscriptions", "replay: replays reach every member, so a group cannot take them");
  }
  GroupOptions options{.name = *group, .home = *home, .start = {}};
  if (params.has("shares")) {
    const auto shares = params.number("shares");
    if (!shares) return std::unexpected(shares.error());
    if (*shares < 1 || *shares > group_shares_max) {
      return wrong("subscriptions", "shares: expected 1 to " + std::to_string(group_shares_max));
    }
    options.shares = static_cast<std::uint32_t>(*shares);
  }
  auto begins = parse_start(start);
  if (!begins) return std::unexpected(begins.error());
  options.start = std::move(*begins);
  return options;
}

Result<SubscriptionOptions> read_subscription(BytesView bytes) {
  const auto params = ControlParams::read(bytes);
  if (!params) return std::unexpected(params.error());
  const auto type = params->text("type");
  if (!type) return std::unexpected(type.error());
  const auto tier = params->text_if_any("tier");
  const auto durable = params->text_if_any("durable");
  const auto start = params->text_if_any("start");
  const auto where = params->text_if_any("where");
  const auto replay = params->flag("replay");
  for (const auto* text : {&tier, &durable, &start, &where}) {
    if (!*text) return std::unexpected(text->error());
  }
  if (!replay) return std::unexpected(replay.error());
  SubscriptionOptions subscription;
  auto filter = Filter::parse(canonical_type(*type));
  if (!filter) return wrong("subscriptions", "type: " + filter.error().message);
  subscription.spec.filter = std::move(*filter);
  if (!tier->empty()) {
    const auto priority = parse_priority(*tier);
    if (!priority) return wrong("subscriptions", "tier: expected critical, high, normal or low");
    subscription.spec.tier = *priority;
  }
  if (!where->empty()) {
    auto condition = Where::parse(*where);
    if (!condition) return wrong("subscriptions", condition.error().message);
    subscription.spec.where = std::move(*condition);
  }
  if (!durable->empty()) {
    if (!is_subscription_name(*durable))
      return wrong("subscriptions", "durable: it cannot name a durable subscription");
    auto begins = parse_start(*start);
    if (!begins) return std::unexpected(begins.error());
    subscription.durable = DurableOptions{*durable, std::move(*begins)};
  }
  subscription.replays = *replay ? SubscriptionOptions::Replays::Yes : SubscriptionOptions::Replays::No;
  auto group = read_group(*params, subscription, *start);
  if (!group) return std::unexpected(group.error());
  subscription.group = std::move(*group);
  return subscription;
}

Result<std::vector<SubscriptionOptions>> read_subscriptions(BytesView bytes) {
  MsgpackReader in(bytes);
  const auto count = in.read_array();
  if (!count) return fail(ErrorCode::BadData, "params.subscriptions: " + count.error().message);
  if (*count > remote_limits::subscriptions_max) {
    return wrong("subscriptions", "at most " + std::to_string(remote_limits::subscriptions_max));
  }
  std::vector<SubscriptionOptions> all;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto raw = in.read_raw();
    if (!raw) return std::unexpected(raw.error());
    auto one = read_subscription(*raw);
    if (!one) return std::unexpected(one.error());
    for (const SubscriptionOptions& other : all) {
      if (other.spec.filter == one->spec.filter) {
        return wrong("subscriptions", "'" + one->spec.filter.text() + "' is subscribed twice");
      }
    }
    all.push_back(std::move(*one));
  }
  return all;
}

Result<std::uint64_t> number_within(const ControlParams& params, const std::string& key, std::uint64_t low,
                                    std::uint64_t high) {
  const auto number = params.number(key);
  if (!number) return number;
  if (*number < low || *number > high) {
    return wrong(key, "expected " + std::to_string(low) + " to " + std::to_string(high));
  }
  return number;
}

Result<Duration> milliseconds_within(const ControlParams& params, const std::string& key, Duration low, Duration high) {
  const auto in_ms = [](Duration d) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
  };
  const auto number = number_within(params, key, in_ms(low), in_ms(high));
  if (!number) return std::unexpected(number.error());
  return Duration(std::chrono::milliseconds(*number));
}

Result<void> read_terms(const ControlParams& params, RemoteAttach& attach) {
  if (params.has("concurrency")) {
    const auto number = number_within(params, "concurrency", 1, remote_limits::concurrency_max);
    if (!number) return std::unexpected(number.error());
    attach.concurrency = static_cast<std::uint32_t>(*number);
  }
  if (params.has("credit")) {
    const auto number = number_within(params, "credit", 1, remote_limits::credit_max);
    if (!number) return std::unexpected(number.error());
    attach.credit = static_cast<std::uint32_t>(*number);
  }
  if (params.has("lease_ms")) {
    const auto lease = milliseconds_within(params, "lease_ms", remote_limits::lease_min, remote_limits::lease_max);
    if (!lease) return std::unexpected(lease.error());
    attach.lease = *lease;
  }
  if (params.has("handler_timeout_ms")) {
    const auto limit = milliseconds_within(params, "handler_timeout_ms", 0ms, remote_limits::handler_timeout_max);
    if (!limit) return std::unexpected(limit.error());
    attach.handler_timeout = *limit;
  }
  return {};
}

Result<void> read_retry(BytesView bytes, RemoteAttach& attach) {
  const auto retry = ControlParams::read(bytes);
  if (!retry) return fail(ErrorCode::BadData, "params.retry: " + retry.error().message);
  if (retry->has("max_attempts")) {
    const auto attempts = number_within(*retry, "max_attempts", 1, attempts_max);
    if (!attempts) return std::unexpected(attempts.error());
    attach.max_attempts = static_cast<std::uint32_t>(*attempts);
  }
  if (retry->has("delay_ms")) {
    const auto delay = milliseconds_within(*retry, "delay_ms", 0ms, retry_delay_max);
    if (!delay) return std::unexpected(delay.error());
    attach.retry_delay = *delay;
  }
  if (const auto raw = retry->raw("backoff")) {
    const auto whole = MsgpackReader(*raw).read_uint();
    const auto real = whole ? Result<double>(static_cast<double>(*whole)) : MsgpackReader(*raw).read_float();
    if (!real || !std::isfinite(*real) || *real < 1.0 || *real > backoff_max) {
      return wrong("retry.backoff", "expected 1 to 100");
    }
    attach.backoff = *real;
  }
  return {};
}

}  // namespace

Result<RemoteAddressed> decode_remote_addressed(BytesView params) {
  MsgpackReader in(params);
  const auto count = in.read_array();
  if (!count) return std::unexpected(count.error());
  if (*count == 0) return fail(ErrorCode::BadData, "the number of the session is missing");
  const auto session = in.read_uint();
  if (!session) return std::unexpected(session.error());
  return RemoteAddressed{*session, *count - 1, params.subspan(in.offset())};
}

Result<std::vector<RemoteAnswer>> decode_remote_answers(std::string_view method, BytesView params) {
  const Verb* verb = nullptr;
  for (const Verb& one : verbs) {
    if (one.method == method) verb = &one;
  }
  if (verb == nullptr) return fail(ErrorCode::NotFound, "no such method");
  std::vector<RemoteAnswer> answers;
  MsgpackReader in(params);
  if (verb->verb != RemoteVerb::Ack) {
    auto one = read_range(in);
    if (!one) return std::unexpected(one.error());
    one->verb = verb->verb;
    if (!in.at_end()) {
      const auto error = in.read_string();
      if (!error) return std::unexpected(error.error());
      one->error = is_utf8(*error) ? std::string(*error) : printable(*error, limits::error_text_bytes_max);
    }
    if (const auto end = in.expect_end(); !end) return std::unexpected(end.error());
    answers.push_back(std::move(*one));
    return answers;
  }
  while (!in.at_end()) {
    const auto one = read_range(in);
    if (!one) return std::unexpected(one.error());
    if (answers.size() == ranges_max) return fail(ErrorCode::TooBig, "too many ranges in one message");
    answers.push_back(*one);
  }
  return answers;
}

Result<RemoteAttach> decode_remote_attach(BytesView bytes) {
  const auto params = ControlParams::read(bytes);
  if (!params) return std::unexpected(params.error());
  auto name = params->text("name");
  if (!name) return std::unexpected(name.error());
  if (!is_node_name(*name)) return wrong("name", "expected 1 to 64 of a-z, 0-9 and '-'");
  RemoteAttach attach{.name = std::move(*name)};
  if (const auto raw = params->raw("subscriptions")) {
    auto all = read_subscriptions(*raw);
    if (!all) return std::unexpected(all.error());
    attach.subscriptions = std::move(*all);
  }
  if (const auto read = read_terms(*params, attach); !read) return std::unexpected(read.error());
  if (const auto raw = params->raw("retry")) {
    if (const auto read = read_retry(*raw, attach); !read) return std::unexpected(read.error());
  }
  return attach;
}

std::string describe(const SubscriptionOptions& subscription) {
  std::string text = subscription.spec.filter.text() + " (" + std::string(to_string(subscription.spec.tier));
  if (subscription.durable) text += ", durable " + subscription.durable->name;
  if (const auto& group = subscription.group) {
    text += ", group " + group->name + " of " + std::to_string(group->shares) + " shares, home " + group->home;
  }
  if (subscription.replays == SubscriptionOptions::Replays::Yes) text += ", replay";
  if (subscription.spec.where) text += ", where " + subscription.spec.where->text();
  return text + ")";
}

namespace {

bool same_group(const std::optional<GroupOptions>& a, const std::optional<GroupOptions>& b) {
  if (!a || !b) return !a && !b;
  return a->name == b->name && a->home == b->home && a->shares == b->shares;
}

}  // namespace

bool same_subscription(const SubscriptionOptions& a, const SubscriptionOptions& b) {
  const auto name = [](const SubscriptionOptions& one) { return one.durable ? one.durable->name : std::string(); };
  return a.spec.filter == b.spec.filter && a.spec.tier == b.spec.tier && a.spec.where == b.spec.where &&
         name(a) == name(b) && a.replays == b.replays && same_group(a.group, b.group);
}

}  // namespace legion
