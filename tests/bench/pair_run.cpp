#include "pair_run.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include <legion/event/json.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/control_connection.hpp>

namespace legion::bench {

namespace {

constexpr Duration start_limit = 20s;
constexpr Duration answer_limit = 10s;
constexpr Duration settle_limit = 15s;
constexpr Duration look_again = 100ms;
constexpr int quiet_looks = 5;  // without books: nothing arrived between this many looks

/// A folder for state directories that goes with its object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "legion-bench-XXXXXX").string();
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  bool exists() const { return !path_.empty(); }
  std::string inside(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Pair {
  std::unique_ptr<Child> publisher;
  std::unique_ptr<Child> subscriber;
  std::uint16_t subscriber_port = 0;
};

struct Started {
  std::unique_ptr<Child> child;
  std::uint16_t port;
};

Result<Started> start(const Interrupts& interrupts, std::vector<std::string> arguments) {
  auto child = Child::start(interrupts, std::move(arguments));
  if (!child) return std::unexpected(child.error());
  const auto ready = (*child)->read_line(start_limit);
  if (!ready) return std::unexpected(ready.error());
  return Started{std::move(*child), ready->value("ready", std::uint16_t{0})};
}

std::vector<std::string> with_pace(std::vector<std::string> arguments, Pace pace) {
  arguments.push_back(std::to_string(pace.length.count()));
  arguments.push_back(std::to_string(pace.per_second));
  return arguments;
}

Result<Pair> start_pair(const Interrupts& interrupts, Kind kind, Pace pace, const TemporaryFolder& folder) {
  auto first = kind == Kind::Mesh ? start(interrupts, {"--role", "mesh-subscriber", folder.inside("subscriber")})
                                  : start(interrupts, with_pace({"--role", "raw-publisher"}, pace));
  if (!first) return std::unexpected(first.error());
  const std::string port = std::to_string(first->port);
  auto second = kind == Kind::Mesh
                    ? start(interrupts, with_pace({"--role", "mesh-publisher", folder.inside("publisher"), port}, pace))
                    : start(interrupts, {"--role", "raw-subscriber", port});
  if (!second) return std::unexpected(second.error());
  if (kind == Kind::Mesh) return Pair{std::move(second->child), std::move(first->child), first->port};
  return Pair{std::move(first->child), std::move(second->child), 0};
}

Result<nlohmann::json> report(Child& subscriber) {
  if (auto asked = subscriber.write_line("report"); !asked) return std::unexpected(asked.error());
  return subscriber.read_line(answer_limit);
}

/// The books of the one subscription to what is measured.
Result<nlohmann::ordered_json> read_books(ControlConnection& node) {
  const auto stats = node.call("stats", {}, answer_limit);
  if (!stats) return std::unexpected(stats.error());
  const auto text = data_to_json(*stats);
  if (!text) return std::unexpected(text.error());
  const auto snapshot = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!snapshot.is_object() || !snapshot.contains("subscriptions") || snapshot["subscriptions"].size() != 1) {
    return fail(ErrorCode::BadData, "the stats of the subscriber do not show its subscription");
  }
  return snapshot["subscriptions"][0];
}

std::uint64_t sum(const nlohmann::ordered_json& lost) {
  std::uint64_t total = 0;
  for (const auto& [reason, count] : lost.items()) total += count.get<std::uint64_t>();
  return total;
}

/// Lets `look_again` pass, and notices signals and the end of the process meanwhile.
Result<void> pause(Child& child) {
  const auto line = child.read_line(look_again);
  if (line || line.error().code == ErrorCode::TimedOut) return {};
  return std::unexpected(line.error());
}

/// The subscriber's report once the books account for everything.
Result<nlohmann::json> settle_mesh(Pair& pair, PairRun& run) {
  const auto node = ControlConnection::open({loopback, pair.subscriber_port});
  if (!node) return std::unexpected(node.error());
  const SteadyTime deadline = read_clocks().steady + settle_limit;
  for (;;) {
    const auto books = read_books(**node);
    if (!books) return std::unexpected(books.error());
    auto seen = report(*pair.subscriber);
    if (!seen) return seen;
    const std::uint64_t lost = run.published - seen->value("delivered", std::uint64_t{0});
    run.books = books->at("lost");
    if (books->at("pending") == 0 && sum(run.books) == lost) return seen;
    if (read_clocks().steady > deadline) {
      return fail(ErrorCode::TimedOut, "the books of the subscriber disagree with what arrived: " +
                                           std::to_string(lost) + " are missing, the books say " + books->dump());
    }
    if (auto waited = pause(*pair.publisher); !waited) return std::unexpected(waited.error());
  }
}

Result<nlohmann::json> settle_raw(Pair& pair) {
  auto seen = report(*pair.subscriber);
  for (int quiet = 0; seen && quiet < quiet_looks;) {
    if (auto waited = pause(*pair.publisher); !waited) return std::unexpected(waited.error());
    auto again = report(*pair.subscriber);
    if (!again) return again;
    quiet = *again == *seen ? quiet + 1 : 0;
    seen = std::move(again);
  }
  return seen;
}

void fill(PairRun& run, const nlohmann::json& seen) {
  run.delivered = seen.at("delivered").get<std::uint64_t>();
  const double ns = seen.at("last_ns").get<double>() - seen.at("first_ns").get<double>();
  if (ns > 0) run.delivered_per_s = static_cast<double>(run.delivered) * 1e9 / ns;
  run.p50_us = seen.at("p50_ns").get<double>() / 1000;
  run.p99_us = seen.at("p99_ns").get<double>() / 1000;
  run.max_us = seen.at("max_ns").get<double>() / 1000;
}

}  // namespace

Result<PairRun> run_pair(const Interrupts& interrupts, Kind kind, Pace pace) {
  const TemporaryFolder folder;
  if (!folder.exists()) return fail(ErrorCode::Io, "cannot create a temporary folder");
  auto pair = start_pair(interrupts, kind, pace, folder);
  if (!pair) return std::unexpected(pair.error());
  if (auto heard = pair->subscriber->read_line(start_limit); !heard) return std::unexpected(heard.error());
  if (auto went = pair->publisher->write_line("go"); !went) return std::unexpected(went.error());
  const auto done = pair->publisher->read_line(pace.length + answer_limit);
  if (!done) return std::unexpected(done.error());

  PairRun run;
  run.published = done->at("published").get<std::uint64_t>();
  run.blocked = done->at("blocked").get<std::uint64_t>();
  run.published_per_s = static_cast<double>(run.published) * 1e9 / done->at("elapsed_ns").get<double>();
  const auto seen = kind == Kind::Mesh ? settle_mesh(*pair, run) : settle_raw(*pair);
  if (!seen) return std::unexpected(seen.error());
  if (seen->at("bad") != 0) return fail(ErrorCode::BadData, "the subscriber could not read what it received");
  fill(run, *seen);
  if (auto ended = pair->publisher->end(); !ended) return std::unexpected(ended.error());
  if (auto ended = pair->subscriber->end(); !ended) return std::unexpected(ended.error());
  return run;
}

}  // namespace legion::bench
