#include <algorithm>
#include <array>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/event_choice.hpp>
#include <legion/cli/event_writer.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/tail_report.hpp>
#include <legion/cli/verb.hpp>
#include <legion/event/policy.hpp>

namespace legion::cli {
namespace {

constexpr Duration turn_max = 50ms;
constexpr Duration flush_interval = 100ms;

Result<std::vector<Filter>> parse_filters(const std::vector<std::string>& texts) {
  std::vector<Filter> filters;
  for (const auto& text : texts) {
    const auto filter = Filter::parse(text);
    if (!filter) return std::unexpected(filter.error());
    filters.push_back(*filter);
  }
  return filters;
}

class Tail : public Verb {
 public:
  void declare(CLI::App& app) override {
    app.add_option("TYPE", types_, "a type (trade.approved, TRADE_APPROVED), a family (trade.) or '*' (default)")
        ->type_name("");
    add_text(app, "--priority", priority_, "SET", "high, high+ (and above), or high,normal");
    add_texts(app, "--source", choice_.sources, "GLOB", "only events of this source; a trailing * matches any ending");
    add_texts(app, "--correlation", choice_.correlations, "GLOB", "only events of this correlation id");
    add_texts(app, "--key", choice_.keys, "GLOB", "only events of this key");
    add_texts(app, "--exclude", excluded_, "TYPE", "not these types or families");
    app.add_flag("--all", choice_.heartbeats, "heartbeats too");
    add_count(app, "-n,--count", count_, "end after N events");
    add_duration(app, "--duration", duration_, "end after this time");
    app.add_flag("--types-only", types_only_, "only the type of each event");
    add_text(app, "--format", format_, "FORMAT",
             "a line of your own: %T time %p priority %t type %s source %n node %i id %c correlation %k key %d data");
    app.add_flag("--report", report_, "count instead of showing: types with counts and rates at the end");
    app.add_flag("--strict", strict_, "exit with 3 when events were lost");
    app.add_flag("--require", require_, "exit with 66 when no event was seen");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    auto writer = make_event_writer(session.out(), session.paint(),
                                    {session.output(), format_, types_only_, session.width()});
    if (!writer) return session.usage(writer.error().message);
    const auto target = session.target();
    if (!target) return session.fail(target.error());

    session.world().take_interrupts();
    ObserverOptions options;
    options.node = target->address;
    options.filters = choice_.types;
    options.lanes = lanes_;
    options.timeout = session.options().timeout;
    auto stream = session.world().observe(std::move(options), session.log_sink());
    if (!stream) return session.fail(stream.error());
    return follow(session, **stream, **writer);
  }

 private:
  int check(Session& session) {
    if (!format_.empty() && (session.output() != Output::Table || types_only_)) {
      return session.usage("--format excludes -o, -j and --types-only");
    }
    if (report_ && (!format_.empty() || types_only_)) return session.usage("--report excludes --format and --types-only");
    auto types = parse_filters(types_);
    if (!types) return session.usage(types.error().message + suggestion(types_));
    auto excluded = parse_filters(excluded_);
    if (!excluded) return session.usage("--exclude: " + excluded.error().message);
    choice_.types = std::move(*types);
    choice_.excluded = std::move(*excluded);
    if (priority_.empty()) return exit_code::ok;
    const auto lanes = parse_priorities(priority_);
    if (!lanes) return session.usage(lanes.error().message);
    lanes_ = *lanes;
    return exit_code::ok;
  }

  /// For upper-case names, which only the catalog knows.
  static std::string suggestion(const std::vector<std::string>& texts) {
    std::vector<std::string_view> names;
    for (const CatalogEntry& entry : catalog()) names.push_back(entry.upper_name);
    for (const auto& text : texts) {
      if (Filter::parse(text)) continue;
      if (const auto meant = did_you_mean(text, names)) return "; did you mean " + *meant + "?";
    }
    return {};
  }

  int follow(Session& session, EventStream& stream, EventWriter& writer) {
    World& world = session.world();
    const ObserverHandler handler = handler_for(session, stream, writer);
    const SteadyTime begin = world.now().steady;
    SteadyTime flushed = begin;
    SteadyTime now = begin;
    if (!report_) writer.begin();
    while (!done_ && !world.interrupted() && session.out() && (!duration_ || now - begin < *duration_)) {
      const std::uint64_t before = arrived_;
      stream.run_once(duration_ ? std::min(turn_max, *duration_ - (now - begin)) : turn_max, handler);
      now = world.now().steady;
      if (arrived_ != before && now - flushed < flush_interval && !session.console().out_is_terminal) continue;
      session.out().flush();
      flushed = now;
    }
    if (report_) {
      report_lines_.print(session, now - begin);
    } else {
      writer.end();
    }
    session.out().flush();
    return finish(session, now - begin);
  }

  ObserverHandler handler_for(Session& session, EventStream& stream, EventWriter& writer) {
    ObserverHandler handler;
    handler.on_event = [this, &writer](const EventPtr& event) {
      if (done_) return;
      ++arrived_;
      if (!choice_.shows(*event)) return;
      ++shown_;
      if (report_) {
        report_lines_.add(*event);
      } else {
        writer.write(*event);
      }
      done_ = count_ && shown_ >= *count_;
    };
    handler.on_covered = [&session](const Member& node) {
      session.detail(node.name + " is covered from " + format_time(session.world().now().wall));
    };
    handler.on_all_covered = [&session, &stream](std::size_t nodes) {
      std::string names;
      for (const Member& member : stream.members()) {
        if (member.state == MemberState::Dead) continue;
        names += (names.empty() ? "" : ", ") + member.name;
      }
      session.note("connected to every node: " + names + " (" + std::to_string(nodes) + ")");
    };
    handler.on_uncovered = [&session](const Member& node, std::string_view why) {
      session.warn(node.name + " is no longer covered: " + std::string(why));
    };
    handler.on_lost = [this, &session](std::uint64_t lost_now, std::uint64_t lost_total) {
      lost_ = lost_total;
      session.warn("lost " + std::to_string(lost_now) + (lost_now == 1 ? " event (" : " events (") +
                   std::to_string(lost_total) + " in all): this tail is too slow, or a link was down");
    };
    return handler;
  }

  int finish(Session& session, Duration elapsed) {
    const auto rounded = std::chrono::milliseconds(elapsed / 1ms);
    session.note(std::to_string(shown_) + (shown_ == 1 ? " event" : " events") + (report_ ? " counted in " : " shown in ") +
                 format_duration(rounded) + ", " + std::to_string(lost_) + " lost");
    if (session.world().interrupted()) return exit_code::interrupted;
    if (strict_ && lost_ > 0) return exit_code::partial;
    if (require_ && shown_ == 0) return exit_code::nothing_found;
    return exit_code::ok;
  }

  std::vector<std::string> types_;
  std::vector<std::string> excluded_;
  std::string priority_;
  std::vector<Priority> lanes_{all_priorities.begin(), all_priorities.end()};
  EventChoice choice_;
  std::optional<std::uint64_t> count_;
  std::optional<Duration> duration_;
  bool types_only_ = false;
  std::string format_;
  bool report_ = false;
  bool strict_ = false;
  bool require_ = false;

  std::uint64_t arrived_ = 0;
  std::uint64_t shown_ = 0;
  std::uint64_t lost_ = 0;
  bool done_ = false;
  TailReport report_lines_;
};

}  // namespace

std::unique_ptr<Verb> make_tail() { return std::make_unique<Tail>(); }

}  // namespace legion::cli
