// Flags whose values have units or rules of our own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/event/priority.hpp>

namespace legion::cli {

/// "5s", "1d3h"; longer than zero.
CLI::Option* add_duration(CLI::App& app, const std::string& names, std::optional<Duration>& value, const std::string& help);
CLI::Option* add_text(CLI::App& app, const std::string& names, std::string& value, const std::string& type,
                      const std::string& help);
/// May be given several times.
CLI::Option* add_texts(CLI::App& app, const std::string& names, std::vector<std::string>& values, const std::string& type,
                       const std::string& help);
/// A whole number, at least 1.
CLI::Option* add_count(CLI::App& app, const std::string& names, std::optional<std::uint64_t>& value,
                       const std::string& help);

/// "critical", "high,normal", "high+" (high and above), in the order of the lanes. Errors: InvalidArgument.
Result<std::vector<Priority>> parse_priorities(const std::string& text);

}  // namespace legion::cli
