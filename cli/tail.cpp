#include <algorithm>
#include <functional>
#include <ostream>
#include <set>

#include <legion/base/units.hpp>
#include <legion/cli/choice_flags.hpp>
#include <legion/cli/event_writer.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/past_range.hpp>
#include <legion/cli/past_then_live.hpp>
#include <legion/cli/tail_report.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr Duration turn_max = 50ms;
constexpr Duration flush_interval = 100ms;
constexpr std::uint64_t last_max = 100'000;  // they are held until the first of them is known

class Tail : public Verb {
 public:
  void declare(CLI::App& app) override {
    app.add_option("TYPE", types_, "a type (trade.approved, TRADE_APPROVED), a family (trade.) or '*' (default)")
        ->type_name("");
    flags_.declare(app);
    app.add_flag("--all", flags_.choice.heartbeats, "heartbeats too");
    range_.declare_begin(app);
    add_count(app, "--last", last_, "begin with the last N events that a spool has");
    app.add_flag("--stop-at-end", stop_at_end_, "end with the past, instead of going on with what is live");
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
    std::optional<ChosenSpool> spool;
    PastQuestion question;
    question.lanes = flags_.lanes;
    question.choice = flags_.choice;
    if (reads_past()) {
      auto opened = range_.open(session, question);
      if (!opened) return session.fail_to_find(opened.error());
      spool = std::move(*opened);
    }
    session.world().take_interrupts();
    begin_ = session.world().now().steady;
    const auto shown = stop_at_end_ ? show_past(session, **writer, *spool, std::move(question))
                                    : show_live(session, **writer, spool, std::move(question));
    return finish(session, **writer, shown);
  }

 private:
  bool reads_past() const { return range_.has_begin() || last_; }

  int check(Session& session) {
    if (!format_.empty() && (session.output() != Output::Table || types_only_)) {
      return session.usage("--format excludes -o, -j and --types-only");
    }
    if (report_ && (!format_.empty() || types_only_)) return session.usage("--report excludes --format and --types-only");
    if (auto good = flags_.check(types_); !good) return session.usage(good.error().message);
    if (auto good = range_.check(session.world().now().wall); !good) return session.usage(good.error().message);
    if (last_ && range_.has_begin()) return session.usage("--last excludes --since, --from and --mark");
    if (last_ && *last_ > last_max) return session.usage("--last: at most " + std::to_string(last_max) + " events");
    if (!reads_past() && (stop_at_end_ || !range_.spool_name().empty())) {
      return session.usage("--stop-at-end and --spool go with --since, --from, --mark or --last");
    }
    return exit_code::ok;
  }

  /// Once there is something to read from: an array that is opened is also closed.
  void begin(EventWriter& writer) {
    begun_ = !report_;
    if (begun_) writer.begin();
  }

  bool over(Session& session) const {
    return done_ || session.world().interrupted() || !session.out() ||
           (duration_ && session.world().now().steady - begin_ >= *duration_);
  }

  /// Returns whether more is wanted.
  bool show(EventWriter& writer, const EventView& event) {
    ++arrived_;
    if (done_ || !flags_.choice.shows(event)) return !done_;
    ++shown_;
    if (report_) {
      report_lines_.add(event);
    } else {
      writer.write(event);
    }
    done_ = count_ && shown_ >= *count_;
    return !done_;
  }

  Result<void> show_past(Session& session, EventWriter& writer, ChosenSpool& spool, PastQuestion question) {
    begin(writer);
    const auto show_each = [&](const EventPtr& event) { return show(writer, *event) && !over(session); };
    if (last_) return show_last(session, spool, question, {}, show_each);
    PastReader past(*spool.queries, std::move(question));
    while (!over(session)) {
      const auto done = past.read_page(show_each);
      if (!done) return std::unexpected(done.error());
      if (*done) break;
    }
    damaged_frames_ = past.figures().damaged_frames;
    return {};
  }

  /// Moves the question behind what it showed.
  Result<void> show_last(Session& session, ChosenSpool& spool, PastQuestion& question, const PastReader::OnFrame& on_frame,
                         const PastReader::OnEvent& show_each) const {
    auto last = read_last_events(session, *spool.queries, question, spool.info.figures.next_commit, *last_, on_frame);
    if (!last) return std::unexpected(last.error());
    for (const EventPtr& event : last->events) {
      if (!show_each(event)) break;
    }
    question.from = last->next;
    return {};
  }

  Result<void> show_live(Session& session, EventWriter& writer, std::optional<ChosenSpool>& spool, PastQuestion question) {
    const auto target = session.target();
    if (!target) return std::unexpected(target.error());
    ObserverOptions options;
    options.node = target->address;
    options.filters = flags_.choice.types;
    if (!flags_.lanes.empty()) options.lanes = flags_.lanes;
    options.timeout = session.options().timeout;
    auto stream = session.world().observe(std::move(options), session.log_sink());
    if (!stream) return std::unexpected(stream.error());
    begin(writer);
    if (!spool) {
      ObserverHandler handler = handler_for(session);
      handler.on_event = [&](const EventPtr& event) { show(writer, *event); };
      follow(session, [&](Duration wait) { (*stream)->run_once(wait, handler); });
      return {};
    }
    const auto show_each = [&](const EventPtr& event) { return show(writer, *event) && !over(session); };
    PastThenLive joined(session, **stream, handler_for(session), flags_.choice.types, show_each);
    joined.cover();
    if (last_) {
      const auto on_frame = [&](const FrameHeader& header) { joined.join().on_past_frame(header); };
      if (auto shown = show_last(session, *spool, question, on_frame, show_each); !shown) return shown;
    }
    PastReader past(*spool->queries, std::move(question));
    if (auto caught_up = joined.catch_up(past); !caught_up) return caught_up;
    damaged_frames_ = past.figures().damaged_frames;
    lost_ += joined.lost();
    if (joined.lost() > 0) session.warn("lost " + std::to_string(joined.lost()) + " events while the past was read");
    session.out().flush();
    follow(session, [&](Duration wait) { joined.run_once(wait); });
    return {};
  }

  /// Lets the live stream run until nothing more is wanted.
  void follow(Session& session, const std::function<void(Duration wait)>& run_once) {
    World& world = session.world();
    SteadyTime flushed = world.now().steady;
    while (!over(session)) {
      const std::uint64_t before = arrived_;
      const SteadyTime now = world.now().steady;
      run_once(duration_ ? std::min(turn_max, *duration_ - (now - begin_)) : turn_max);
      const SteadyTime after = world.now().steady;
      if (arrived_ != before && after - flushed < flush_interval && !session.console().out_is_terminal) continue;
      session.out().flush();
      flushed = after;
    }
  }

  ObserverHandler handler_for(Session& session) {
    ObserverHandler handler;
    handler.on_covered = [this, &session](const Member& node) {
      covered_.insert(node.name);
      session.detail(node.name + " is covered from " + format_time(session.world().now().wall));
    };
    handler.on_all_covered = [this, &session](std::size_t nodes) {
      std::string names;
      for (const std::string& name : covered_) names += (names.empty() ? "" : ", ") + name;
      session.note("connected to every node: " + names + " (" + std::to_string(nodes) + ")");
    };
    handler.on_uncovered = [this, &session](const Member& node, std::string_view why) {
      covered_.erase(node.name);
      session.warn(node.name + " is no longer covered: " + std::string(why));
    };
    handler.on_lost = [this, &session](std::uint64_t lost_now, std::uint64_t lost_total) {
      lost_ += lost_now;
      session.warn("lost " + std::to_string(lost_now) + (lost_now == 1 ? " event (" : " events (") +
                   std::to_string(lost_total) + " in all): this tail is too slow, or a link was down");
    };
    return handler;
  }

  int finish(Session& session, EventWriter& writer, const Result<void>& shown) {
    const Duration elapsed = session.world().now().steady - begin_;
    if (report_ && shown) report_lines_.print(session, elapsed);
    if (begun_) writer.end();
    session.out().flush();
    if (!shown) return session.fail(shown.error());
    if (damaged_frames_ > 0) session.warn(damaged_text(damaged_frames_));
    const auto rounded = std::chrono::milliseconds(elapsed / 1ms);
    session.note(std::to_string(shown_) + (shown_ == 1 ? " event" : " events") + (report_ ? " counted in " : " shown in ") +
                 format_duration(rounded) + ", " + std::to_string(lost_) + " lost");
    if (session.world().interrupted()) return exit_code::interrupted;
    if (strict_ && lost_ + damaged_frames_ > 0) return exit_code::partial;
    if (require_ && shown_ == 0) return exit_code::nothing_found;
    return exit_code::ok;
  }

  std::vector<std::string> types_;
  ChoiceFlags flags_;
  PastRange range_;
  std::optional<std::uint64_t> last_;
  bool stop_at_end_ = false;
  std::optional<std::uint64_t> count_;
  std::optional<Duration> duration_;
  bool types_only_ = false;
  std::string format_;
  bool report_ = false;
  bool strict_ = false;
  bool require_ = false;

  SteadyTime begin_;
  std::uint64_t arrived_ = 0;
  std::uint64_t shown_ = 0;
  std::uint64_t lost_ = 0;
  std::set<std::string> covered_;
  std::uint64_t damaged_frames_ = 0;
  bool done_ = false;
  bool begun_ = false;
  TailReport report_lines_;
};

}  // namespace

std::unique_ptr<Verb> make_tail() { return std::make_unique<Tail>(); }

}  // namespace legion::cli
