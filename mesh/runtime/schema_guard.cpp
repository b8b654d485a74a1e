#include <legion/runtime/schema_guard.hpp>

#include <chrono>

#include <legion/event/event_type.hpp>
#include <legion/runtime/clock.hpp>

namespace legion {

namespace {

constexpr Duration line_interval = 10s;

std::string newer_text(const EventSchema& schema, std::uint32_t version) {
  return std::string(schema.type) + " (version " + std::to_string(version) + "): newer than version " +
         std::to_string(schema.version) + ", the latest known here";
}

}  // namespace

SchemaGuard::SchemaGuard(std::string node, const SchemaTable& schemas, const PolicyTable& policy, LogSink log)
    : node_(std::move(node)), log_(std::move(log)) {
  for (const EventSchema& schema : schemas.all()) {
    const TopicPolicy topic = policy.resolve(schema.type);
    if (topic.schema == SchemaCheck::Off && topic.unknown_version == UnknownVersion::Accept) continue;
    Rule& rule = rules_.emplace_back();
    rule.schema = schema;
    rule.check = topic.schema;
    rule.unknown = topic.unknown_version;
    by_type_.emplace(rule.schema.type, &rule);
  }
}

const SchemaGuard::Rule* SchemaGuard::rule_of(std::string_view type) const {
  const auto found = by_type_.find(type);
  return found == by_type_.end() ? nullptr : found->second;
}

// What is newer passes: this node may be the older one of the two, and who handles the event decides.
Result<void> SchemaGuard::look_at_published(const Rule& rule, const Event& event, std::string_view source) const {
  if (rule.check == SchemaCheck::Off) return {};
  if (fit_of(rule.schema, event.schema_version, event.data) != SchemaFit::Misfit) return {};
  rule.misfits.fetch_add(1, std::memory_order_relaxed);
  if (rule.check == SchemaCheck::Warn && !may_write_a_line(rule)) return {};
  auto checked = check_data(rule.schema, event.schema_version, event.data);
  if (checked || rule.check == SchemaCheck::Strict) return checked;
  warn(rule, "published by " + std::string(source), checked.error());
  return {};
}

SchemaGuard::Run SchemaGuard::run_of(const FrameHeader& header) const {
  if (by_type_.empty()) return {this, nullptr, true};
  const Rule* rule = rule_of(original_type(header.type));
  return {this, rule, header.origin == node_ && !is_replayed(header.type)};
}

std::optional<Outcome> SchemaGuard::Run::refusal_of(const EventView& event) {
  if (rule_ == nullptr) return std::nullopt;
  if (event.schema_version > rule_->schema.version) {
    rule_->newer.fetch_add(1, std::memory_order_relaxed);
    switch (rule_->unknown) {
      case UnknownVersion::Accept: return std::nullopt;
      case UnknownVersion::Quarantine: return Outcome::unknown_version(newer_text(rule_->schema, event.schema_version));
      case UnknownVersion::DeadLetter: return Outcome::unfit(newer_text(rule_->schema, event.schema_version));
    }
  }
  if (rule_->check == SchemaCheck::Off || (rule_->check == SchemaCheck::Warn && looked_)) return std::nullopt;
  looked_ = true;
  if (fit_of(rule_->schema, event.schema_version, event.data) != SchemaFit::Misfit) return std::nullopt;
  rule_->misfits.fetch_add(1, std::memory_order_relaxed);
  if (rule_->check == SchemaCheck::Warn && !guard_->may_write_a_line(*rule_)) return std::nullopt;
  auto checked = check_data(rule_->schema, event.schema_version, event.data);
  if (checked) return std::nullopt;
  if (rule_->check == SchemaCheck::Strict) return Outcome::unfit(std::move(checked.error().message));
  guard_->warn(*rule_, event.id_string() + " from " + std::string(event.source), checked.error());
  return std::nullopt;
}

bool SchemaGuard::Run::lets_pass(const EventView& event) const {
  if (rule_ == nullptr) return true;
  if (event.schema_version > rule_->schema.version && rule_->unknown != UnknownVersion::Accept) return false;
  return rule_->check != SchemaCheck::Strict ||
         fit_of(rule_->schema, event.schema_version, event.data) != SchemaFit::Misfit;
}

std::map<std::string, std::uint64_t, std::less<>> SchemaGuard::counts() const {
  std::map<std::string, std::uint64_t, std::less<>> counts;
  for (const Rule& rule : rules_) {
    const std::string type(rule.schema.type);
    if (const auto misfits = rule.misfits.load(std::memory_order_relaxed)) counts[type] = misfits;
    if (const auto newer = rule.newer.load(std::memory_order_relaxed)) counts[type + " newer"] = newer;
  }
  return counts;
}

// Of several threads one writes it.
bool SchemaGuard::may_write_a_line(const Rule& rule) const {
  const std::int64_t now = read_steady_clock().ns;
  std::int64_t next = rule.next_line_ns.load(std::memory_order_relaxed);
  return now >= next && rule.next_line_ns.compare_exchange_strong(next, now + line_interval.count());
}

void SchemaGuard::warn(const Rule& rule, std::string_view what, const Error& misfit) const {
  const std::uint64_t misfits = rule.misfits.load(std::memory_order_relaxed);
  const std::uint64_t before = rule.told.exchange(misfits, std::memory_order_relaxed);
  std::string text = "data does not fit: " + std::string(what) + ": " + misfit.message;
  if (misfits > before + 1)
    text += "; " + std::to_string(misfits - before - 1) + " more of this type since the last line";
  log_(LogLevel::Warn, text);
}

}  // namespace legion
