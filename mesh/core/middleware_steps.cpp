#include <legion/core/middleware_spec.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <unordered_map>

#include <legion/base/assert.hpp>
#include <legion/base/overloaded.hpp>
#include <legion/core/middleware_memory.hpp>

namespace legion {

namespace {

using Kind = DispatchVerdict::Kind;
using Again = DispatchedEvent::Again;

// Of limit, before handlers: deliveries that have had their token.
constexpr std::size_t paid_events_max = 4096;
constexpr Duration paid_for = 1h;

WallTime later(WallTime time, Duration by) {
  const bool is_beyond = time.ns > std::numeric_limits<std::int64_t>::max() - by.count();
  return is_beyond ? WallTime{std::numeric_limits<std::int64_t>::max()} : time + by;
}

class WhereMiddleware final : public Middleware {
 public:
  explicit WhereMiddleware(Where condition) : condition_(std::move(condition)) {}
  Calls calls() const override { return Calls::Any; }
  PublishVerdict on_publish(PublishedEvent& event) override {
    if (condition_.matches(event.view(), event.event().extensions)) return PublishVerdict::pass();
    return PublishVerdict::filtered("its condition does not hold");
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    return condition_.matches(event.view()) ? DispatchVerdict::pass() : DispatchVerdict::of(Kind::FilteredWhere);
  }

 private:
  Where condition_;
};

class ValidateMiddleware final : public Middleware {
 public:
  explicit ValidateMiddleware(SchemaHooks hooks) : hooks_(std::move(hooks)) {}
  Calls calls() const override { return Calls::Any; }
  PublishVerdict on_publish(PublishedEvent& event) override {
    auto checked = check(event.view());
    return checked ? PublishVerdict::pass() : PublishVerdict::invalid(std::move(checked.error().message));
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    auto checked = check(event.view());
    return checked ? DispatchVerdict::pass() : DispatchVerdict::unfit(std::move(checked.error().message));
  }

 private:
  Result<void> check(const EventView& event) const {
    if (!hooks_.check) return {};
    return hooks_.check(event.type, event.schema_version, event.data);
  }
  SchemaHooks hooks_;
};

class ExpireMiddleware final : public Middleware {
 public:
  explicit ExpireMiddleware(Duration after) : after_(after) {}
  Calls calls() const override { return Calls::Any; }
  PublishVerdict on_publish(PublishedEvent& event) override {
    const WallTime end = later(event.view().time, after_);
    if (end < event.now().wall) return PublishVerdict::filtered("it is too old");
    const bool ends_sooner = event.ttl() && *event.ttl() <= after_;  // by the policy of its type
    if (!event.event().expires_at && !ends_sooner) event.change().expires_at = end;
    return PublishVerdict::pass();
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    const bool is_late = later(event.view().time, after_) < event.now().wall;
    return is_late && event.again() != Again::AskedFor ? DispatchVerdict::of(Kind::Expired) : DispatchVerdict::pass();
  }

 private:
  Duration after_;
};

/// What on_publish() let pass and on_answer() has not heard of yet.
class UnderWay {
 public:
  void add(const PublishedEvent& event, std::uint64_t number) { numbers_.emplace(&event, number); }
  std::optional<std::uint64_t> take(const PublishedEvent& event) {
    const auto found = numbers_.find(&event);
    if (found == numbers_.end()) return std::nullopt;
    const std::uint64_t number = found->second;
    numbers_.erase(found);
    return number;
  }
  /// Told apart while they are under way.
  static std::uint64_t number_of(const PublishedEvent& event) { return reinterpret_cast<std::uintptr_t>(&event); }

 private:
  std::unordered_map<const PublishedEvent*, std::uint64_t> numbers_;
};

class DeduplicateMiddleware final : public Middleware {
 public:
  explicit DeduplicateMiddleware(const DeduplicateStep& step) : step_(step), seen_(step.window_events, step.window) {}

  PublishVerdict on_publish(PublishedEvent& event) override {
    const EventView view = event.view();
    const auto identity = step_.by ? step_.by->hash_of(view, event.event().extensions) : identity_hash(view);
    if (!identity) return PublishVerdict::pass();
    if (seen_.note(event.now().steady, *identity, UnderWay::number_of(event)) != DuplicateWindow::Seen::New) {
      return PublishVerdict::filtered("published before");
    }
    under_way_.add(event, *identity);
    return PublishVerdict::pass();
  }
  void on_answer(const PublishedEvent& event, Taken taken) override {
    const auto identity = under_way_.take(event);
    if (identity && taken == Taken::No) seen_.forget(*identity, UnderWay::number_of(event));
  }

  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    const EventView& view = event.view();
    const auto identity = step_.by ? step_.by->hash_of(view) : identity_hash(view);
    if (!identity || event.again() == Again::AskedFor) return DispatchVerdict::pass();
    const auto seen = seen_.note(event.now().steady, *identity, coordinate_hash(view));
    // A delivery that comes again is the same event on its way to the same handler.
    if (seen != DuplicateWindow::Seen::Duplicate || event.again() == Again::Yes) return DispatchVerdict::pass();
    return DispatchVerdict::of(Kind::FilteredDuplicate);
  }

 private:
  DeduplicateStep step_;
  DuplicateWindow seen_;
  UnderWay under_way_;
};

class LimitMiddleware final : public Middleware {
 public:
  explicit LimitMiddleware(const LimitStep& step) : by_(step.by), buckets_(step.rate, step.burst, step.buckets_max) {}

  PublishVerdict on_publish(PublishedEvent& event) override {
    const std::uint64_t bucket = bucket_of(event.view(), event.event().extensions);
    if (buckets_.take(event.now().steady, bucket) == TokenBuckets::Token::None) {
      return PublishVerdict::would_block("more than its rate allows");
    }
    under_way_.add(event, bucket);
    return PublishVerdict::pass();
  }
  void on_answer(const PublishedEvent& event, Taken taken) override {
    const auto bucket = under_way_.take(event);
    if (bucket && taken == Taken::No) buckets_.give_back(*bucket);
  }

  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    if (event.again() != Again::No) return DispatchVerdict::pass();
    // What came back from an agent without having been handled has had its token.
    const std::uint64_t delivery = coordinate_hash(event.view());
    if (paid_.knows(delivery)) return DispatchVerdict::pass();
    if (buckets_.take(event.now().steady, bucket_of(event.view(), {})) == TokenBuckets::Token::None) {
      return DispatchVerdict::of(Kind::FilteredLimited);
    }
    paid_.note(event.now().steady, delivery, 0);
    return DispatchVerdict::pass();
  }

 private:
  std::uint64_t bucket_of(const EventView& view,
                          std::span<const std::pair<std::string, std::string>> extensions) const {
    return by_ ? by_->hash_of(view, extensions).value_or(0) : 0;
  }

  std::optional<WhereField> by_;
  TokenBuckets buckets_;
  DuplicateWindow paid_{paid_events_max, paid_for};
  UnderWay under_way_;
};

class SampleMiddleware final : public Middleware {
 public:
  explicit SampleMiddleware(const SampleStep& step) : by_(step.by), share_(step.share) {}
  Calls calls() const override { return Calls::Any; }
  PublishVerdict on_publish(PublishedEvent& event) override {
    const EventView view = event.view();
    const bool passes = is_drawn(by_ ? by_->hash_of(view, event.event().extensions) : identity_hash(view));
    return passes ? PublishVerdict::pass() : PublishVerdict::filtered("not in the sample");
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    const EventView& view = event.view();
    const bool passes = event.again() == Again::AskedFor || is_drawn(by_ ? by_->hash_of(view) : identity_hash(view));
    return passes ? DispatchVerdict::pass() : DispatchVerdict::of(Kind::FilteredWhere);
  }

 private:
  bool is_drawn(std::optional<std::uint64_t> hash) const {
    return !hash || static_cast<double>(*hash >> 11) * 0x1p-53 < share_;
  }
  std::optional<WhereField> by_;
  double share_;
};

class RedactMiddleware final : public Middleware {
 public:
  explicit RedactMiddleware(Redaction redaction) : redaction_(std::move(redaction)) {}
  Calls calls() const override { return Calls::Any; }
  PublishVerdict on_publish(PublishedEvent& event) override {
    if (auto data = redaction_.apply(event.event().data)) event.change().data = std::move(*data);
    return PublishVerdict::pass();
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    if (auto data = redaction_.apply(event.view().data))
      event.change_data(std::move(*data), event.view().schema_version);
    return DispatchVerdict::pass();
  }

 private:
  Redaction redaction_;
};

class UpcastMiddleware final : public Middleware {
 public:
  explicit UpcastMiddleware(SchemaHooks hooks) : hooks_(std::move(hooks)) {}
  Calls calls() const override { return Calls::Any; }
  PublishVerdict on_publish(PublishedEvent& event) override {
    const EventView view = event.view();
    const auto newest = newer_version(view);
    if (!newest) return PublishVerdict::pass();
    if (auto data = hooks_.upcast(view.type, view.schema_version, view.data)) {
      Event& changed = event.change();
      changed.data = std::move(*data);
      changed.schema_version = *newest;
    }
    return PublishVerdict::pass();
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    const EventView& view = event.view();
    const auto newest = newer_version(view);
    if (!newest) return DispatchVerdict::pass();
    auto data = hooks_.upcast(view.type, view.schema_version, view.data);
    if (!data) return DispatchVerdict::unfit(std::move(data.error().message));
    event.change_data(std::move(*data), *newest);
    return DispatchVerdict::pass();
  }

 private:
  std::optional<std::uint32_t> newer_version(const EventView& view) const {
    if (!hooks_.newest_version || !hooks_.upcast) return std::nullopt;
    const auto newest = hooks_.newest_version(view.type);
    return newest && *newest > view.schema_version ? newest : std::nullopt;
  }
  SchemaHooks hooks_;
};

}  // namespace

SchemaHooks hooks_of(std::shared_ptr<const SchemaTable> schemas) {
  SchemaHooks hooks;
  hooks.check = [schemas](std::string_view type, std::uint32_t version, BytesView data) {
    return schemas->check(type, version, data);
  };
  hooks.newest_version = [schemas](std::string_view type) -> std::optional<std::uint32_t> {
    const EventSchema* const schema = schemas->find(type);
    return schema == nullptr ? std::nullopt : std::optional(schema->version);
  };
  hooks.upcast = [schemas = std::move(schemas)](std::string_view type, std::uint32_t from, BytesView data) {
    return schemas->upcast(type, from, data);
  };
  return hooks;
}

bool MiddlewareSpec::concerns(std::string_view agent) const {
  return agents.empty() || std::ranges::find(agents, agent) != agents.end();
}

std::string_view to_string(const MiddlewareSpec::Settings& settings) {
  return std::visit(Overloaded{
                        [](const WhereStep&) { return std::string_view("where"); },
                        [](const ValidateStep&) { return std::string_view("validate"); },
                        [](const ExpireStep&) { return std::string_view("expire"); },
                        [](const DeduplicateStep&) { return std::string_view("deduplicate"); },
                        [](const LimitStep&) { return std::string_view("limit"); },
                        [](const SampleStep&) { return std::string_view("sample"); },
                        [](const RedactStep&) { return std::string_view("redact"); },
                        [](const UpcastStep&) { return std::string_view("upcast"); },
                        [](const ZstdStep&) { return std::string_view("zstd"); },
                        [](const OwnStep&) { return std::string_view("own"); },
                    },
                    settings);
}

bool may_filter(const MiddlewareSpec::Settings& settings) {
  return std::holds_alternative<WhereStep>(settings) || std::holds_alternative<DeduplicateStep>(settings) ||
         std::holds_alternative<LimitStep>(settings) || std::holds_alternative<SampleStep>(settings);
}

Result<void> check_middleware(const std::vector<MiddlewareSpec>& specs) {
  if (specs.size() > limits::middleware_steps_max) {
    return fail(ErrorCode::InvalidArgument, "middleware: more than " + std::to_string(limits::middleware_steps_max) +
                                                " steps");
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const MiddlewareSpec& spec = specs[i];
    const auto wrong = [&](const std::string& what) {
      const std::string name = spec.name.empty() ? std::string(to_string(spec.settings)) : spec.name;
      return fail(ErrorCode::InvalidArgument, "middleware[" + std::to_string(i) + "] (" + name + "): " + what);
    };
    if (std::holds_alternative<ZstdStep>(spec.settings) && spec.on == MiddlewareSpec::On::Dispatch) {
      return wrong("frames are compressed where they are made: it goes on publish");
    }
    if (const auto* own = std::get_if<OwnStep>(&spec.settings); own != nullptr && !own->make) {
      return wrong("make is empty");
    }
    if (const auto* limit = std::get_if<LimitStep>(&spec.settings)) {
      const bool is_rate = limit->rate > 0 && std::isfinite(limit->rate) && limit->burst >= 1 && std::isfinite(limit->burst);
      if (!is_rate || limit->buckets_max == 0) return wrong("rate has to be above 0, burst and buckets_max at least 1");
    }
    if (const auto* sample = std::get_if<SampleStep>(&spec.settings)) {
      if (!(sample->share >= 0 && sample->share <= 1)) return wrong("share has to be from 0 to 1");
      if (spec.on == MiddlewareSpec::On::Publish && !sample->by) {
        return wrong("by is needed: an event that is published has no id yet");
      }
    }
    const auto* once = std::get_if<DeduplicateStep>(&spec.settings);
    if (once != nullptr && (once->window_events == 0 || once->window <= Duration::zero())) {
      return wrong("a window of nothing");
    }
  }
  return {};
}

std::unique_ptr<Middleware> make_step(const MiddlewareSpec& spec, const SchemaHooks& hooks) {
  using Made = std::unique_ptr<Middleware>;
  return std::visit(
      Overloaded{
          [](const WhereStep& step) -> Made { return std::make_unique<WhereMiddleware>(step.condition); },
          [&](const ValidateStep&) -> Made { return std::make_unique<ValidateMiddleware>(hooks); },
          [](const ExpireStep& step) -> Made { return std::make_unique<ExpireMiddleware>(step.after); },
          [](const DeduplicateStep& step) -> Made { return std::make_unique<DeduplicateMiddleware>(step); },
          [](const LimitStep& step) -> Made { return std::make_unique<LimitMiddleware>(step); },
          [](const SampleStep& step) -> Made { return std::make_unique<SampleMiddleware>(step); },
          [](const RedactStep& step) -> Made { return std::make_unique<RedactMiddleware>(step.redaction); },
          [&](const UpcastStep&) -> Made { return std::make_unique<UpcastMiddleware>(hooks); },
          [](const ZstdStep&) -> Made { return nullptr; },
          [](const OwnStep& step) -> Made { return step.make(); },
      },
      spec.settings);
}

}  // namespace legion
