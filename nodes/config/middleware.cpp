#include <legion/config/middleware.hpp>

#include <algorithm>

#include <legion/config/agents.hpp>
#include <legion/config/suggest.hpp>
#include <legion/event/redact.hpp>

namespace legion {
namespace {

/// The key without which a step means nothing; nullptr: there is none.
const char* needed_key(MiddlewareKind kind) {
  switch (kind) {
    case MiddlewareKind::Where: return "where";
    case MiddlewareKind::Expire: return "after";
    case MiddlewareKind::Limit: return "rate";
    case MiddlewareKind::Sample: return "share";
    case MiddlewareKind::Redact: return "fields";
    case MiddlewareKind::Validate:
    case MiddlewareKind::Deduplicate:
    case MiddlewareKind::Upcast:
    case MiddlewareKind::Zstd: return nullptr;
  }
  return nullptr;
}

class StepReader {
 public:
  StepReader(Reader& reader, const toml::table& table, Section section, const NodeConfig& config)
      : reader_(reader), table_(table), section_(std::move(section)), config_(config) {}

  void read(std::vector<MiddlewareConfig>& into) {
    MiddlewareConfig step;
    const auto fields = middleware_fields();
    const bool accepted = reader_.read(table_, section_, fields, step);
    bool is_complete = true;
    for (const char* key : {"step", "on"}) {
      if (table_.get(key) != nullptr) continue;
      reader_.problem(section_.path, section_.title + " has no " + key);
      is_complete = false;
    }
    report_unknown(names_of(fields), table_.get("step") != nullptr && accepted ? &step.step : nullptr);
    if (!accepted || !is_complete) return;
    check(step);
    into.push_back(std::move(step));
  }

 private:
  void report_unknown(const std::vector<std::string>& all, const MiddlewareKind* kind) {
    const std::vector<std::string> known = kind != nullptr ? keys_of(*kind) : all;
    reader_.report_unknown(table_, section_, known, [&](std::string_view key) -> std::string {
      if (kind == nullptr || std::ranges::find(all, key) == all.end()) return {};
      return section_.title + " " + std::string(key) + ": step = " + toml_quote(to_string(*kind)) + " has no such key";
    });
  }

  void check(const MiddlewareConfig& step) {
    const std::string name = "step = " + toml_quote(to_string(step.step));
    const char* const needed = needed_key(step.step);
    if (needed != nullptr && table_.get(needed) == nullptr) {
      reader_.problem(section_.path, section_.title + ": " + name + " needs " + needed);
    }
    if (step.step == MiddlewareKind::Zstd && step.on != MiddlewarePlace::Publish) {
      reader_.problem(section_.key_path("on"), section_.title + " on: frames are compressed where they are made: " +
                                                   name + " goes with \"publish\"");
    }
    if (step.step == MiddlewareKind::Zstd && !step.agents.empty()) {
      reader_.problem(section_.key_path("agents"),
                      section_.title + " agents: a frame holds events of several agents; " + name + " is for a type");
    }
    if (step.step == MiddlewareKind::Sample && step.on == MiddlewarePlace::Publish && !step.by) {
      reader_.problem(section_.path, section_.title + ": " + name +
                                         " on = \"publish\" needs by: an event that is published has no id yet");
    }
    if (table_.get("buckets") != nullptr && !step.by) {
      reader_.problem(section_.key_path("buckets"), section_.title + " buckets: without by there is one bucket");
    }
    if (step.step == MiddlewareKind::Redact && table_.get("fields") != nullptr && step.fields.empty()) {
      reader_.problem(section_.key_path("fields"), section_.title + " fields: names no field");
    }
    if (step.step == MiddlewareKind::Redact) {
      if (auto made = Redaction::create(step.fields, step.with); !made) {
        reader_.problem(section_.key_path("fields"), section_.title + " fields: " + made.error().message);
      }
    }
    for (const std::string& agent : step.agents) check_agent_name(agent);
  }

  void check_agent_name(const std::string& agent) {
    std::vector<std::string> names;
    for (const AgentConfig& one : config_.agents) names.push_back(one.name);
    if (std::ranges::find(names, agent) != names.end()) return;
    reader_.problem(section_.key_path("agents"),
                    section_.title + " agents: this node has no agent " + toml_quote(agent) + suggestion(agent, names));
  }

  Reader& reader_;
  const toml::table& table_;
  Section section_;
  const NodeConfig& config_;
};

}  // namespace

void read_middleware(Reader& reader, const toml::table& root, NodeConfig& config) {
  const auto tables = tables_of(reader, root, "middleware");
  if (tables.size() > limits::middleware_steps_max) {
    reader.problem("middleware", "[[middleware]] is there " + std::to_string(tables.size()) + " times, at most " +
                                     std::to_string(limits::middleware_steps_max) + " are accepted");
    return;
  }
  for (std::size_t index = 0; index < tables.size(); ++index) {
    const Section section{"middleware[" + std::to_string(index) + "]", "[[middleware]] #" + std::to_string(index + 1)};
    reader.mark(section.path, *tables[index]);
    StepReader(reader, *tables[index], section, config).read(config.middleware);
  }
}

}  // namespace legion
