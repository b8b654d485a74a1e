// Numbers for people, and careful looks into a node's JSON answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace legion::cli {

using JsonTree = nlohmann::ordered_json;

/// "12.5" below 100, "1234" above.
std::string rate_text(double per_second);
/// "850us", "1.25ms", "3.1s" from microseconds; "-" for nothing recorded.
std::string latency_text(double microseconds);
/// "1.2%", "0%".
std::string percent_text(double fraction);

/// Members of an object that another program wrote: absent or of another kind reads as zero, "" or an empty object.
std::uint64_t number_of(const JsonTree& json, std::string_view key);
std::int64_t integer_of(const JsonTree& json, std::string_view key);
double real_of(const JsonTree& json, std::string_view key);
std::string text_of(const JsonTree& json, std::string_view key);
const JsonTree& part_of(const JsonTree& json, std::string_view key);
/// The sum of the numbers of an object.
std::uint64_t sum_of(const JsonTree& json);

}  // namespace legion::cli
