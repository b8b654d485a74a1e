#include <legion/cli/stats_rolling.hpp>

#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/units.hpp>
#include <legion/cli/printable.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t lines_per_header = 20;
struct Field {
  std::string_view title;
  std::size_t width;
};
// Fixed widths: the lines to come are not known yet.
constexpr std::array<Field, 8> fields{{{"NODE", 16},
                                       {"IN/S", 10},
                                       {"OUT/S", 10},
                                       {"DISPATCHED/S", 12},
                                       {"DEPTH", 8},
                                       {"LOST", 10},
                                       {"+LOST", 8},
                                       {"P99", 8}}};

std::string aligned(std::string_view text, std::size_t width, bool left) {
  const std::size_t columns = columns_of(text);
  const std::string pad(columns < width ? width - columns : 0, ' ');
  return left ? std::string(text) + pad : pad + std::string(text);
}

double per_second(std::uint64_t now, std::uint64_t before, Duration elapsed) {
  if (now < before || elapsed <= Duration::zero()) return 0;
  return static_cast<double>(now - before) / std::chrono::duration<double>(elapsed).count();
}

}  // namespace

void RollingStats::look(Session& session, const JsonTree& snapshot, SteadyTime now, WallTime wall) {
  Mark mark{number_of(snapshot, "incarnation"), now};
  std::uint64_t depth = 0;
  double p99 = 0;
  for (const JsonTree& lane : part_of(snapshot, "lanes")) {
    mark.published += number_of(lane, "published");
    mark.received += number_of(lane, "received");
    mark.dispatched += number_of(lane, "dispatched");
    depth += number_of(lane, "depth");
    p99 = std::max(p99, real_of(lane, "p99_us"));
  }
  for (const JsonTree& subscription : part_of(snapshot, "subscriptions")) mark.lost += sum_of(part_of(subscription, "lost"));

  const std::string node = text_of(snapshot, "node");
  const auto before = marks_.find(node);
  if (before != marks_.end() && before->second.incarnation == mark.incarnation) {
    const Mark& last = before->second;
    const Duration elapsed = now - last.at;
    JsonTree line{{"time", format_time(WallTime{wall.ns / 1'000'000 * 1'000'000})},
              {"node", node},
              {"in_per_s", per_second(mark.received, last.received, elapsed)},
              {"out_per_s", per_second(mark.published, last.published, elapsed)},
              {"dispatched_per_s", per_second(mark.dispatched, last.dispatched, elapsed)},
              {"depth", depth},
              {"lost", mark.lost},
              {"lost_delta", mark.lost >= last.lost ? mark.lost - last.lost : 0},
              {"p99_us", p99}};
    print(session, line);
  }
  marks_[node] = mark;
}

void RollingStats::print(Session& session, const JsonTree& line) {
  std::ostream& out = session.out();
  switch (session.output()) {
    case Output::Json:
    case Output::Jsonl: out << line.dump() << '\n'; return;
    case Output::Csv: csv_.print(out, JsonTree::array({line})); return;
    case Output::Table: break;
  }
  const bool on_terminal = session.console().out_is_terminal;
  if (lines_ == 0 || (on_terminal && lines_ % lines_per_header == 0)) {
    std::string titles = aligned("TIME", 8, true);
    for (const Field& field : fields) titles += "  " + aligned(field.title, field.width, field.title == "NODE");
    std::string text;
    session.paint().append(text, Tint::Bold, titles);
    out << text << '\n';
  }
  ++lines_;
  const auto lost_delta = number_of(line, "lost_delta");
  const std::array<std::string, fields.size()> values{printable(text_of(line, "node")),
                                                      rate_text(real_of(line, "in_per_s")),
                                                      rate_text(real_of(line, "out_per_s")),
                                                      rate_text(real_of(line, "dispatched_per_s")),
                                                      std::to_string(number_of(line, "depth")),
                                                      std::to_string(number_of(line, "lost")),
                                                      "+" + std::to_string(lost_delta),
                                                      latency_text(real_of(line, "p99_us"))};
  std::string text = text_of(line, "time").substr(11, 8);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Tint tint = fields[i].title == "+LOST" && lost_delta > 0 ? Tint::BoldRed : Tint::Plain;
    text += "  ";
    session.paint().append(text, tint, aligned(values[i], fields[i].width, i == 0));
  }
  out << text << '\n';
}

}  // namespace legion::cli
