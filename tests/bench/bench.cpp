// legion-bench: measures and prints, one JSON object a line. With --role it is a process of a benchmark.
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "benches.hpp"
#include "roles.hpp"

namespace {

using namespace legion::bench;

constexpr int exit_usage = 64;

struct Bench {
  std::string_view name;
  legion::Result<void> (*run)(const Effort& effort);
};
constexpr auto benches = std::to_array<Bench>({
    {"frame_codec", frame_codec},
    {"json", json},
    {"typed_event", typed_event},
    {"where", where},
    {"local_dispatch", local_dispatch},
    {"typed_handler", typed_handler},
    {"mesh_throughput", mesh_throughput},
    {"mesh_latency", mesh_latency},
    {"flood", flood},
    {"isolation", isolation},
    {"spool_confirmed", spool_confirmed},
    {"spool_confirm_latency", spool_confirm_latency},
    {"spool_replay", spool_replay},
    {"spool_repair", spool_repair},
    {"spool_overhead", spool_overhead},
    {"spool_store", spool_store},
    {"spool_open", spool_open},
    {"trace_lookup", trace_lookup},
    {"spool_size", spool_size},
});

/// What msgpack-cxx and the JSON library throw ends one benchmark only.
legion::Result<void> run(const Bench& bench, const Effort& effort) {
  try {
    return bench.run(effort);
  } catch (const std::exception& error) {
    return legion::fail(legion::ErrorCode::Internal, error.what());
  }
}

int usage() {
  std::cerr << "usage: legion-bench [--quick] [NAME...]\n"
               "       legion-bench --list\n\n"
               "--quick measures once and briefly: to see that it works, not to know how fast.\n\nbenchmarks:\n";
  for (const Bench& bench : benches) std::cerr << "  " << bench.name << '\n';
  return exit_usage;
}

/// What group_run.cpp starts.
int play(const std::string& text) {
  // It may be stopped, and then no end of input reaches it when the one who started it is killed.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  try {
    const auto spec = nlohmann::json::parse(text).get<RoleSpec>();
    switch (spec.kind) {
      case Kind::Mesh: return mesh_role(spec);
      case Kind::Raw: return raw_role(spec);
      case Kind::Repair: return repair_role(spec);
      case Kind::Spool:
      case Kind::Confirmed: return spool_role(spec);
    }
    return complain({legion::ErrorCode::InvalidArgument, "unknown kind of role"});
  } catch (const std::exception& error) {
    return complain({legion::ErrorCode::InvalidArgument, error.what()});
  }
}

int run_all(const std::vector<std::string>& names, const Effort& effort) {
  int code = 0;
  for (const Bench& bench : benches) {
    if (!names.empty() && std::ranges::find(names, bench.name) == names.end()) continue;
    if (const auto done = run(bench, effort); !done) {
      std::cerr << "legion-bench: " << bench.name << ": " << done.error().message << '\n';
      code = 1;
    }
  }
  return code;
}

bool known(std::string_view name) { return std::ranges::find(benches, name, &Bench::name) != benches.end(); }

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.size() == 2 && names[0] == "--role") return play(names[1]);
  if (names == std::vector<std::string>{"--list"}) {
    for (const Bench& bench : benches) std::cout << bench.name << '\n';
    return 0;
  }
  const Effort effort = std::erase(names, "--quick") > 0 ? quick_effort : full_effort;
  for (const std::string& name : names) {
    if (known(name)) continue;
    std::cerr << "legion-bench: unknown benchmark '" << name << "'\n\n";
    return usage();
  }
  return run_all(names, effort);
}
