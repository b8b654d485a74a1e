#include "settling.hpp"

#include <optional>
#include <string>

#include <legion/event/json.hpp>
#include <legion/runtime/control_connection.hpp>

#include "meter.hpp"

namespace legion::bench {

namespace {

constexpr Duration settle_limit = 30s;
constexpr Duration look_again = 50ms;
constexpr int quiet_looks = 8;  // nothing arrived between this many looks: nothing will

/// Lets `look_again` pass, and notices signals and the end of the process meanwhile.
Result<void> pause(Child& child) {
  const auto line = child.read_line(look_again);
  if (line) return fail(ErrorCode::BadData, "a process of the benchmark says what it was not asked");
  if (line.error().code == ErrorCode::TimedOut) return {};
  return std::unexpected(line.error());
}

/// The counts of every meter, put into `run`.
Result<void> read_meters(Child& child, RoleRun& run) {
  if (auto asked = child.write_line("report"); !asked) return asked;
  const auto seen = child.read_line(answer_limit);
  if (!seen) return std::unexpected(seen.error());
  if (seen->at("bad") != 0) return fail(ErrorCode::BadData, "a handler could not read what it received");
  const auto& meters = seen->at("meters");
  for (std::size_t i = 0; i < run.meters.size(); ++i) {
    MeterRun& meter = run.meters[i];
    meter.delivered = meters.at(i).at("delivered").get<std::uint64_t>();
    meter.per_s = meters.at(i).at("per_s").get<double>();
    meter.p50_us = meters.at(i).at("p50_ns").get<double>() / 1000;
    meter.p99_us = meters.at(i).at("p99_ns").get<double>() / 1000;
    meter.max_us = meters.at(i).at("max_ns").get<double>() / 1000;
    if (meter.delivered > meter.expected) return fail(ErrorCode::BadData, "more arrived than was published");
  }
  return {};
}

std::uint64_t delivered(const RoleRun& run) {
  std::uint64_t total = 0;
  for (const MeterRun& meter : run.meters) total += meter.delivered;
  return total;
}

std::uint64_t expected(const RoleRun& run) {
  std::uint64_t total = 0;
  for (const MeterRun& meter : run.meters) total += meter.expected;
  return total;
}

std::uint64_t sum(const nlohmann::ordered_json& lost) {
  std::uint64_t total = 0;
  for (const auto& [reason, count] : lost.items()) total += count.get<std::uint64_t>();
  return total;
}

Result<nlohmann::ordered_json> read_books(ControlConnection& node) {
  const auto stats = node.call("stats", {}, answer_limit);
  if (!stats) return std::unexpected(stats.error());
  const auto text = data_to_json(*stats);
  if (!text) return std::unexpected(text.error());
  auto snapshot = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!snapshot.is_object() || !snapshot.contains("subscriptions")) {
    return fail(ErrorCode::BadData, "the stats of a node do not show its subscriptions");
  }
  return std::move(snapshot["subscriptions"]);
}

const nlohmann::ordered_json* find_book(const nlohmann::ordered_json& books, const std::string& filter) {
  for (const auto& book : books) {
    if (book.at("type") == filter) return &book;
  }
  return nullptr;
}

/// Nothing when the books of every meter come to what the bench counts; otherwise the first that do not, for a person.
std::optional<std::string> disagreement(const nlohmann::ordered_json& books, const RoleSpec& spec, RoleRun& run) {
  for (std::size_t i = 0; i < run.meters.size(); ++i) {
    const auto* book = find_book(books, spec.meters[i].filter);
    if (book == nullptr) return "there is no subscription to " + spec.meters[i].filter;
    run.meters[i].books = book->at("lost");
    const std::uint64_t lost = run.meters[i].lost();
    if (book->at("pending") == 0 && sum(run.meters[i].books) == lost) continue;
    return std::to_string(lost) + " are missing, the books of " + spec.name + " say " + book->dump();
  }
  return std::nullopt;
}

}  // namespace

Result<void> settle_mesh(Child& child, std::uint16_t port, const RoleSpec& spec, RoleRun& run) {
  const auto node = ControlConnection::open({loopback, port});
  if (!node) return std::unexpected(node.error());
  const SteadyTime deadline = steady_now() + settle_limit;
  for (;;) {
    // In this order: what arrives in between makes the two differ, and they are looked at again.
    const auto books = read_books(**node);
    if (!books) return std::unexpected(books.error());
    if (auto read = read_meters(child, run); !read) return read;
    const auto difference = disagreement(*books, spec, run);
    if (!difference) return {};
    if (steady_now() > deadline) {
      return fail(ErrorCode::TimedOut, "the books disagree with what arrived: " + *difference);
    }
    if (auto waited = pause(child); !waited) return waited;
  }
}

Result<void> settle_raw(Child& child, RoleRun& run) {
  if (auto read = read_meters(child, run); !read) return read;
  for (int quiet = 0; quiet < quiet_looks && delivered(run) < expected(run);) {
    if (auto waited = pause(child); !waited) return waited;
    const std::uint64_t before = delivered(run);
    if (auto read = read_meters(child, run); !read) return read;
    quiet = delivered(run) == before ? quiet + 1 : 0;
  }
  return {};
}

}  // namespace legion::bench
