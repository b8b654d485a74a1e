#include <legion/cli/figures.hpp>

#include <array>
#include <cstdio>

namespace legion::cli {
namespace {

std::string with_decimals(double value, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

/// Three digits that mean something: 1.25, 12.5, 125.
std::string three_digits(double value) { return with_decimals(value, value < 10 ? 2 : value < 100 ? 1 : 0); }

const JsonTree* find(const JsonTree& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(std::string(key));
  return found == json.end() ? nullptr : &*found;
}

}  // namespace

std::string rate_text(double per_second) {
  return with_decimals(per_second, per_second == 0 || per_second >= 100 ? 0 : 1);
}

std::string latency_text(double microseconds) {
  if (microseconds <= 0) return "-";
  if (microseconds < 1000) return with_decimals(microseconds, 0) + "us";
  if (microseconds < 1'000'000) return three_digits(microseconds / 1000) + "ms";
  return three_digits(microseconds / 1'000'000) + "s";
}

std::string percent_text(double fraction) {
  return fraction == 0 ? "0%" : with_decimals(fraction * 100, fraction < 0.1 ? 2 : 1) + "%";
}

std::uint64_t number_of(const JsonTree& json, std::string_view key) {
  const JsonTree* value = find(json, key);
  return value != nullptr && value->is_number() ? value->get<std::uint64_t>() : 0;
}

std::int64_t integer_of(const JsonTree& json, std::string_view key) {
  const JsonTree* value = find(json, key);
  return value != nullptr && value->is_number() ? value->get<std::int64_t>() : 0;
}

double real_of(const JsonTree& json, std::string_view key) {
  const JsonTree* value = find(json, key);
  return value != nullptr && value->is_number() ? value->get<double>() : 0;
}

std::string text_of(const JsonTree& json, std::string_view key) {
  const JsonTree* value = find(json, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

const JsonTree& part_of(const JsonTree& json, std::string_view key) {
  static const JsonTree nothing = JsonTree::object();
  const JsonTree* value = find(json, key);
  return value == nullptr ? nothing : *value;
}

std::uint64_t sum_of(const JsonTree& json) {
  std::uint64_t sum = 0;
  if (!json.is_structured()) return 0;
  for (const auto& value : json) sum += value.is_number() ? value.get<std::uint64_t>() : 0;
  return sum;
}

}  // namespace legion::cli
