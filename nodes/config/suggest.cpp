#include <legion/config/suggest.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include <legion/base/text.hpp>

namespace legion {
namespace {

constexpr std::size_t begun_bytes_min = 3;

std::optional<std::string_view> nearest(std::string_view name, std::span<const std::string> candidates) {
  const std::vector<std::string_view> views(candidates.begin(), candidates.end());
  if (const auto slip = did_you_mean(name, views)) {
    // The answer may be a copy; give back the candidate itself.
    const auto found = std::ranges::find(views, std::string_view(*slip));
    if (found != views.end()) return *found;
  }
  if (name.size() < begun_bytes_min) return std::nullopt;
  const auto begun = std::ranges::find_if(views, [&](std::string_view candidate) {
    return candidate.starts_with(name) || (candidate.size() >= begun_bytes_min && name.starts_with(candidate));
  });
  return begun == views.end() ? std::nullopt : std::optional(*begun);
}

}  // namespace

std::string suggestion(std::string_view name, std::span<const std::string> candidates) {
  const auto best = nearest(name, candidates);
  return best ? "; did you mean \"" + std::string(*best) + "\"?" : std::string();
}

}  // namespace legion
