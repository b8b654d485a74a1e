#include <legion/cli/books_check.hpp>

#include <array>

#include <legion/cli/stats_sections.hpp>
#include <legion/event/event_type.hpp>

namespace legion::cli {
namespace {

constexpr std::array<std::string_view, 2> journals{"confirmed", "captured"};

std::string name_of(const JsonTree& line) {
  const std::string node = text_of(line, "node") + ": ";
  if (text_of(line, "kind") == "journal") return node + text_of(line, "journal") + " journal";
  const std::string durable = text_of(line, "durable");
  return node + text_of(line, "agent") + " " + text_of(line, "type") + (durable.empty() ? "" : " (" + durable + ")");
}

bool hears_heartbeats(const JsonTree& line) {
  const auto filter = Filter::parse(text_of(line, "type"));
  return filter && filter->matches("agent.heartbeat");
}

void add_restless(std::vector<std::string>& out, const std::string& node, std::uint64_t count, std::string_view what) {
  if (count > 0) out.push_back(node + ": " + std::to_string(count) + " " + std::string(what));
}

/// Positions that a spool has not acknowledged; of one that cannot be reached nobody knows.
void add_links(std::vector<std::string>& out, const std::string& node, const JsonTree& journal) {
  for (const JsonTree& link : part_of(journal, "links")) {
    if (text_of(link, "state") != "open") {
      out.push_back(node + ": the spool " + text_of(link, "spool") + " is not connected");
      continue;
    }
    std::uint64_t behind = 0;
    for (const auto name : journals) {
      const std::uint64_t last = number_of(part_of(journal, name), "last");
      const std::uint64_t has = number_of(part_of(link, name), "acknowledged");
      behind += last > has ? last - has : 0;
    }
    add_restless(out, node, behind, "records not acknowledged by " + text_of(link, "spool"));
  }
}

void add_durable(std::vector<std::string>& out, const std::string& node, const JsonTree& durable) {
  for (const JsonTree& each : durable) {
    const std::string phase = text_of(each, "phase");
    if (phase != "waiting" && phase != "loading" && phase != "creating") continue;
    out.push_back(node + ": durable subscription " + text_of(each, "name") + " is " + phase);
  }
}

std::vector<std::string> restless_of(const JsonTree& snapshot) {
  std::vector<std::string> out;
  const std::string node = text_of(snapshot, "node");
  if (part_of(snapshot, "publishing") == false) out.push_back(node + ": publishing waits for the first sync");
  std::uint64_t queued = 0;
  for (const JsonTree& lane : part_of(snapshot, "lanes")) queued += number_of(lane, "queued");
  add_restless(out, node, queued, "events not sent yet");
  for (const JsonTree& line : lines_of(snapshot)) {
    const std::uint64_t pending = number_of(line, "pending");
    if (pending > 0) out.push_back(name_of(line) + ": " + std::to_string(pending) + " pending");
  }
  add_links(out, node, part_of(snapshot, "journal"));
  add_restless(out, node, number_of(part_of(snapshot, "spool"), "bytes_waiting"), "bytes not on disk yet");
  add_durable(out, node, part_of(snapshot, "durable"));
  return out;
}

}  // namespace

JsonTree lines_of(const JsonTree& snapshot) {
  JsonTree lines = books_of(snapshot);
  for (JsonTree& line : journal_books_of(snapshot)) lines.push_back(std::move(line));
  return lines;
}

BooksFound read_books(const std::vector<JsonTree>& snapshots) {
  BooksFound found;
  for (const JsonTree& snapshot : snapshots) {
    for (JsonTree& line : lines_of(snapshot)) {
      if (integer_of(line, "balance") != 0) found.off.push_back(line);
      found.lines.push_back(std::move(line));
    }
    for (std::string& text : restless_of(snapshot)) found.restless.push_back(std::move(text));
  }
  return found;
}

std::string off_text(const JsonTree& line) {
  const std::int64_t balance = integer_of(line, "balance");
  const bool is_journal = text_of(line, "kind") == "journal";
  const std::uint64_t left = number_of(line, is_journal ? "journalled" : "published");
  return name_of(line) + ": " + (is_journal ? "journalled " : "published ") + std::to_string(left) +
         ", accounted for " + std::to_string(static_cast<std::int64_t>(left) - balance) + ": " +
         std::to_string(balance > 0 ? balance : -balance) +
         (balance > 0 ? " without an entry" : " counted twice or never published");
}

Stillness::Marks Stillness::marks_of(const std::vector<JsonTree>& snapshots, const JsonTree& lines) {
  Marks marks;
  for (const JsonTree& snapshot : snapshots) {
    const std::string node = text_of(snapshot, "node");
    marks[node + ": its life"] = std::to_string(number_of(snapshot, "incarnation"));
    for (const auto name : journals) {
      marks[node + ": " + std::string(name) + " journal"] =
          std::to_string(number_of(part_of(part_of(snapshot, "journal"), name), "last"));
    }
  }
  for (const JsonTree& line : lines) {
    if (text_of(line, "kind") == "subscription" && !hears_heartbeats(line)) marks[name_of(line)] = line.dump();
  }
  return marks;
}

bool Stillness::look(SteadyTime now, const std::vector<JsonTree>& snapshots, const BooksFound& found) {
  Marks marks = marks_of(snapshots, found.lines);
  moved_.clear();
  for (const auto& [name, mark] : marks) {
    const auto before = last_.find(name);
    if (before == last_.end() || before->second != mark) moved_.push_back(name);
  }
  const bool is_still = moved_.empty() && marks.size() == last_.size() && found.restless.empty();
  last_ = std::move(marks);
  if (!is_still) {
    still_since_.reset();
    return false;
  }
  if (!still_since_) still_since_ = now;
  return now - *still_since_ >= needed_;
}

}  // namespace legion::cli
