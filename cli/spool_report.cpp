#include <legion/cli/spool_report.hpp>

#include <array>
#include <ostream>

#include <legion/base/units.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/table.hpp>

namespace legion::cli {
namespace {

double microseconds(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

JsonTree time_json(const std::optional<WallTime>& time) { return time ? JsonTree(format_time(*time)) : JsonTree(nullptr); }

template <std::size_t N>
std::string hex(const std::array<std::uint8_t, N>& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string time_text(const JsonTree& row, std::string_view key) {
  const std::string text = text_of(row, key);
  return text.empty() ? "-" : text;
}

/// About how much: "1.25GiB".
std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return rate_text(value) + std::string(units[unit]);
}

}  // namespace

JsonTree info_json(const std::string& name, const SpoolInfo& info) {
  return {{"spool", name},
          {"store", info.store.hex()},
          {"frozen", info.frozen ? JsonTree(printable(*info.frozen)) : JsonTree(nullptr)},
          {"events", info.figures.events},
          {"frames", info.figures.frames},
          {"blocks", info.figures.blocks},
          {"quarantined", info.figures.quarantined},
          {"bytes_on_disk", info.figures.bytes_on_disk},
          {"dead_letters", info.figures.dead_letters},
          {"stale_cursors", info.figures.stale_cursors},
          {"oldest", time_json(info.figures.oldest)},
          {"newest", time_json(info.figures.newest)},
          {"next_commit", info.figures.next_commit},
          {"commits", info.figures.commits},
          {"last_commit_us", microseconds(info.figures.last_commit)},
          {"commit_p50_us", microseconds(info.commit_p50)},
          {"commit_p99_us", microseconds(info.commit_p99)},
          {"batches", info.batches},
          {"batch_records_max", info.batch_records_max},
          {"links", info.links},
          {"records", info.records},
          {"duplicates", info.duplicates},
          {"rewinds", info.rewinds},
          {"refused", info.refused},
          {"bytes_waiting", info.bytes_waiting},
          {"claims", info.claims},
          {"queries_waiting", info.queries_waiting},
          {"queries_answered", info.queries_answered},
          {"queries_refused", info.queries_refused},
          {"bad_messages", info.bad_messages},
          {"long_job", info.long_job.empty() ? JsonTree(nullptr) : JsonTree(printable(info.long_job))}};
}

void print_info_table(Session& session, const JsonTree& rows) {
  constexpr Align right = Align::Right;
  Table table({{"SPOOL"},
               {"STATE"},
               {"EVENTS", right},
               {"DISK", right},
               {"LETTERS", right},
               {"LINKS", right, 2},
               {"WAITING", right, 4},
               {"COMMIT P99", right, 3},
               {"OLDEST", Align::Left, 1},
               {"NEWEST", Align::Left, 1},
               {"STORE", Align::Left, 5}});
  for (const JsonTree& row : rows) {
    const bool frozen = part_of(row, "frozen").is_string();
    const std::uint64_t letters = number_of(row, "dead_letters");
    table.row({{text_of(row, "spool"), Tint::Bold},
               {frozen ? "frozen" : "ok", frozen ? Tint::BoldRed : Tint::Green},
               {std::to_string(number_of(row, "events"))},
               {size_text(number_of(row, "bytes_on_disk"))},
               {std::to_string(letters), letters > 0 ? Tint::Yellow : Tint::Plain},
               {std::to_string(number_of(row, "links"))},
               {size_text(number_of(row, "bytes_waiting"))},
               {latency_text(real_of(row, "commit_p99_us"))},
               {time_text(row, "oldest")},
               {time_text(row, "newest")},
               {text_of(row, "store")}});
  }
  session.print(table);
  for (const JsonTree& row : rows) {
    const std::string name = text_of(row, "spool");
    if (part_of(row, "frozen").is_string()) {
      session.warn(name + " confirms nothing until it is restarted: " + text_of(row, "frozen"));
    }
    if (const auto blocks = number_of(row, "quarantined"); blocks > 0) {
      session.warn(name + " has " + std::to_string(blocks) + (blocks == 1 ? " damaged block" : " damaged blocks") +
                   "; spool verify names them");
    }
  }
}

JsonTree verify_json(const std::string& name, const VerifyReport& report) {
  JsonTree json{{"spool", name},
                {"sound", report.damage.empty()},
                {"blocks", report.blocks},
                {"frames", report.frames},
                {"events", report.events},
                {"chain", hex(report.chain)}};
  json["damage"] = JsonTree::array();
  for (const Damage& damage : report.damage) {
    json["damage"].push_back(
        {{"block", damage.block}, {"first", damage.first}, {"last", damage.last}, {"what", printable(damage.what)}});
  }
  json["holes"] = JsonTree::array();
  for (const auto& [journal, range] : report.holes) {
    json["holes"].push_back({{"journal", printable(journal)}, {"first", range.first}, {"last", range.last}});
  }
  return json;
}

void print_verify(Session& session, const JsonTree& report) {
  std::string line;
  session.paint().append(line, Tint::Bold, printable(text_of(report, "spool")));
  const std::size_t damaged = part_of(report, "damage").size();
  line += "  ";
  session.paint().append(line, damaged == 0 ? Tint::Green : Tint::BoldRed, damaged == 0 ? "sound" : "damaged");
  std::ostream& out = session.out();
  out << line << "  " << number_of(report, "blocks") << " blocks, " << number_of(report, "frames") << " frames, "
      << number_of(report, "events") << " events\n  chain " << text_of(report, "chain") << '\n';
  for (const JsonTree& damage : part_of(report, "damage")) {
    out << "  block " << integer_of(damage, "block") << " (commits " << number_of(damage, "first") << " to "
        << number_of(damage, "last") << "): " << text_of(damage, "what") << '\n';
  }
  for (const JsonTree& hole : part_of(report, "holes")) {
    out << "  missing " << text_of(hole, "journal") << " positions " << number_of(hole, "first") << " to "
        << number_of(hole, "last") << '\n';
  }
}

}  // namespace legion::cli
