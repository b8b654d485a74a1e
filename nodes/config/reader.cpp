#include <legion/config/reader.hpp>

#include <algorithm>
#include <tuple>

#include <legion/config/suggest.hpp>

namespace legion {

void Reader::report_unknown(const toml::table& table, const Section& section, std::span<const std::string> known,
                            const std::function<std::string(std::string_view)>& explain) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string message = explain ? explain(name) : std::string();
    if (message.empty()) {
      message = "unknown key " + toml_quote(name) + " in " + section.title + suggestion(name, known);
    }
    problem_at({places_.file, key.source().begin.line}, section.key_path(name), std::move(message));
  }
}

bool Reader::mark(const std::string& path, const toml::node& node) {
  const auto overridden = places_.overrides.find(path);
  if (overridden != places_.overrides.end()) {
    sources_[path] = {overridden->second, 0};
    return true;
  }
  mark_line(path, node.source().begin.line);
  return false;
}

void Reader::mark_line(const std::string& path, std::uint32_t line) { sources_[path] = {places_.file, line}; }

bool Reader::is_refused(std::string_view path) const {
  return std::ranges::any_of(problems_, [&](const ConfigProblem& problem) { return problem.key == path; });
}

SourcePoint Reader::source_of(std::string_view path) const {
  while (true) {
    const auto found = sources_.find(path);
    if (found != sources_.end()) return found->second;
    const auto dot = path.rfind('.');
    if (dot == std::string_view::npos) return {places_.file, 0};
    path = path.substr(0, dot);
  }
}

std::string Reader::first_set(std::initializer_list<std::string> paths) const {
  for (const auto& path : paths) {
    if (is_set(path)) return path;
  }
  return *paths.begin();
}

void Reader::problem(const std::string& path, std::string message, std::uint32_t line) {
  SourcePoint place = source_of(path);
  if (line != 0) place.line = line;
  problem_at(std::move(place), path, std::move(message));
}

void Reader::problem_at(SourcePoint place, std::string path, std::string message) {
  problems_.push_back({std::move(place.file), place.line, std::move(path), std::move(message)});
}

void Reader::note(const std::string& path, const std::string& message) {
  notes_.push_back(source_of(path).text() + ": " + message);
}

ConfigOrigins Reader::origins() const {
  ConfigOrigins origins(defaults_.begin(), defaults_.end());
  for (const auto& [path, place] : sources_) origins[path] = place.text();
  return origins;
}

std::vector<ConfigProblem> Reader::take_problems() {
  std::ranges::stable_sort(problems_, [this](const ConfigProblem& a, const ConfigProblem& b) {
    const bool a_elsewhere = a.file != places_.file;
    const bool b_elsewhere = b.file != places_.file;
    return std::tie(a_elsewhere, a.line) < std::tie(b_elsewhere, b.line);
  });
  return std::move(problems_);
}

}  // namespace legion
