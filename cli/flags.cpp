#include <legion/cli/flags.hpp>

#include <algorithm>
#include <charconv>

#include <legion/base/units.hpp>

namespace legion::cli {

CLI::Option* add_duration(CLI::App& app, const std::string& names, std::optional<Duration>& value,
                          const std::string& help) {
  return app
      .add_option_function<std::string>(
          names,
          [&value, names](const std::string& text) {
            const auto duration = parse_duration(text);
            if (!duration) throw CLI::ValidationError(names, duration.error().message);
            if (*duration <= Duration::zero()) throw CLI::ValidationError(names, "a duration longer than 0 is needed");
            value = *duration;
          },
          help)
      ->allow_extra_args(false)
      ->type_name("DURATION");
}

CLI::Option* add_text(CLI::App& app, const std::string& names, std::string& value, const std::string& type,
                      const std::string& help) {
  return app.add_option(names, value, help)->allow_extra_args(false)->type_name(type);
}

CLI::Option* add_texts(CLI::App& app, const std::string& names, std::vector<std::string>& values, const std::string& type,
                       const std::string& help) {
  return app.add_option(names, values, help)->allow_extra_args(false)->type_name(type);
}

CLI::Option* add_count(CLI::App& app, const std::string& names, std::optional<std::uint64_t>& value,
                       const std::string& help) {
  return app
      .add_option_function<std::string>(
          names,
          [&value, names](const std::string& text) {
            std::uint64_t number = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (error != std::errc{} || end != text.data() + text.size() || number == 0) {
              throw CLI::ValidationError(names, "'" + text + "' is not a whole number of at least 1");
            }
            value = number;
          },
          help)
      ->allow_extra_args(false)
      ->type_name("N");
}

Result<std::vector<Priority>> parse_priorities(const std::string& text) {
  std::vector<Priority> chosen;
  std::string_view rest = text;
  for (;;) {
    const auto comma = rest.find(',');
    std::string_view word = rest.substr(0, comma);
    const bool and_above = word.ends_with('+');
    if (and_above) word.remove_suffix(1);
    const auto priority = parse_priority(word);
    if (!priority) {
      return fail(ErrorCode::InvalidArgument,
                  "--priority: '" + text + "' is not understood; write for example high, high+ or critical,normal");
    }
    for (const Priority each : all_priorities) {
      if (each == *priority || (and_above && each < *priority)) chosen.push_back(each);
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  std::ranges::sort(chosen);
  chosen.erase(std::ranges::unique(chosen).begin(), chosen.end());
  return chosen;
}

}  // namespace legion::cli
