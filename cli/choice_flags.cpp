#include <legion/cli/choice_flags.hpp>

#include <legion/base/text.hpp>
#include <legion/cli/flags.hpp>
#include <legion/event/policy.hpp>

namespace legion::cli {
namespace {

Result<std::vector<Filter>> parse_filters(const std::vector<std::string>& texts) {
  std::vector<Filter> filters;
  for (const auto& text : texts) {
    const auto filter = Filter::parse(text);
    if (!filter) return std::unexpected(filter.error());
    filters.push_back(*filter);
  }
  return filters;
}

/// For upper-case names, which only the catalog knows.
std::string suggestion(const std::vector<std::string>& texts) {
  std::vector<std::string_view> names;
  for (const CatalogEntry& entry : catalog()) names.push_back(entry.upper_name);
  for (const auto& text : texts) {
    if (Filter::parse(text)) continue;
    if (const auto meant = did_you_mean(text, names)) return "; did you mean " + *meant + "?";
  }
  return {};
}

}  // namespace

void ChoiceFlags::declare(CLI::App& app) {
  add_text(app, "--priority", priority_, "SET", "high, high+ (and above), or high,normal");
  add_texts(app, "--source", choice.sources, "GLOB", "only events of this source; a trailing * matches any ending");
  add_texts(app, "--correlation", choice.correlations, "GLOB", "only events of this correlation id");
  add_texts(app, "--key", choice.keys, "GLOB", "only events of this key");
  add_texts(app, "--where", conditions_, "CONDITION", "only events for which this holds: 'data.price > 100'");
  add_texts(app, "--exclude", excluded_, "TYPE", "not these types or families");
}

Result<void> ChoiceFlags::check(const std::vector<std::string>& types) {
  auto wanted = parse_filters(types);
  if (!wanted) return fail(ErrorCode::InvalidArgument, wanted.error().message + suggestion(types));
  auto excluded = parse_filters(excluded_);
  if (!excluded) return fail(ErrorCode::InvalidArgument, "--exclude: " + excluded.error().message);
  choice.types = std::move(*wanted);
  choice.excluded = std::move(*excluded);
  choice.where.clear();
  for (const auto& text : conditions_) {
    auto where = Where::parse(text);
    if (!where) return fail(ErrorCode::InvalidArgument, "--" + where.error().message);
    choice.where.push_back(std::move(*where));
  }
  if (priority_.empty()) return {};
  auto chosen = parse_priorities(priority_);
  if (!chosen) return std::unexpected(chosen.error());
  lanes = std::move(*chosen);
  return {};
}

}  // namespace legion::cli
