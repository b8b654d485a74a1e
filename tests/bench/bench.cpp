// legion-bench [NAME]: measures and prints, one JSON object a line. With --role it is a process of a benchmark.
#include <signal.h>

#include <array>
#include <charconv>
#include <exception>
#include <iostream>
#include <span>
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
  legion::Result<void> (*run)();
};
constexpr std::array<Bench, 3> benches{{
    {"frame_codec", frame_codec},
    {"mesh_throughput", mesh_throughput},
    {"mesh_latency", mesh_latency},
}};

/// What msgpack-cxx and the JSON library throw ends one benchmark only.
legion::Result<void> run(const Bench& bench) {
  try {
    return bench.run();
  } catch (const std::exception& error) {
    return legion::fail(legion::ErrorCode::Internal, error.what());
  }
}

int usage() {
  std::cerr << "usage: legion-bench [NAME]\n\nbenchmarks:\n";
  for (const Bench& bench : benches) std::cerr << "  " << bench.name << '\n';
  return exit_usage;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Pace pace_of(std::span<const std::string> texts) {
  return {legion::Duration(static_cast<std::int64_t>(number(texts[0]))), static_cast<std::uint32_t>(number(texts[1]))};
}

/// What pair_run.cpp starts.
int play(std::span<const std::string> role) {
  const auto port = [&](std::size_t index) { return static_cast<std::uint16_t>(number(role[index])); };
  if (role[0] == "mesh-publisher" && role.size() == 5)
    return mesh_publisher(pace_of(role.subspan(3)), role[1], port(2));
  if (role[0] == "mesh-subscriber" && role.size() == 2) return mesh_subscriber(role[1]);
  if (role[0] == "raw-publisher" && role.size() == 3) return raw_publisher(pace_of(role.subspan(1)));
  if (role[0] == "raw-subscriber" && role.size() == 2) return raw_subscriber(port(1));
  return usage();
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() >= 2 && arguments[0] == "--role") return play(std::span(arguments).subspan(1));
  if (arguments.size() > 1) return usage();

  const std::string_view wanted = arguments.empty() ? std::string_view() : std::string_view(arguments[0]);
  int matching = 0;
  int code = 0;
  for (const Bench& bench : benches) {
    if (!arguments.empty() && bench.name != wanted) continue;
    ++matching;
    if (const auto done = run(bench); !done) {
      std::cerr << "legion-bench: " << bench.name << ": " << done.error().message << '\n';
      code = 1;
    }
  }
  return matching == 0 ? usage() : code;
}
