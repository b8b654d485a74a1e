#include <algorithm>
#include <ostream>

#include <legion/base/units.hpp>
#include <legion/cli/choice_flags.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/past_range.hpp>
#include <legion/cli/past_reader.hpp>
#include <legion/cli/progress.hpp>
#include <legion/cli/replay_count.hpp>
#include <legion/cli/replay_pace.hpp>
#include <legion/cli/replay_sink.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

/// What falls due within this time goes out together, so that the pace stays even.
constexpr Duration pace_slice = 20ms;

std::string events_text(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " event" : " events"); }

class Replay : public Verb {
 public:
  void declare(CLI::App& app) override {
    app.add_option("TYPE", types_, "a type (trade.approved, TRADE_APPROVED), a family (trade.) or '*' (default)")
        ->type_name("");
    add_texts(app, "--type", types_, "TYPE", "the same, as a flag");
    range_.declare_begin(app);
    range_.declare_end(app);
    choice_.declare(app);
    add_count(app, "-n,--count", count_, "end after N events");
    add_text(app, "--to-file", file_, "FILE", "write to a file (default: standard output)");
    add_text(app, "--to-agent", agent_, "NODE/AGENT", "hand the events to this agent only");
    app.add_flag("--to-mesh", mesh_, "publish under ~replay. topics: to subscriptions with replay = true");
    add_text(app, "--speed", speed_, "SPEED", "original, 2x, 0.5x or max (default)");
    add_count(app, "--rate", rate_, "at most N events a second");
    add_text(app, "--format", format_, "FORMAT", "a line of your own, as of tail");
    app.add_flag("--dry-run", dry_run_, "count only: events by type, and the time they span");
    app.add_flag("--require", require_, "exit with 66 when no event was found");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    PastQuestion question;
    question.choice = choice_.choice;
    question.lanes = choice_.lanes;
    const auto spool = range_.open(session, question);
    if (!spool) return session.fail_to_find(spool.error());
    session.world().take_interrupts();
    end_number_ = question.until ? *question.until + 1 : spool->info.figures.next_commit;
    begin_number_ = question.from;
    PastReader past(*spool->queries, std::move(question));
    return dry_run_ ? count(session, past) : replay(session, past);
  }

 private:
  int check(Session& session) {
    if (auto good = choice_.check(types_); !good) return session.usage(good.error().message);
    if (auto good = range_.check(session.world().now().wall); !good) return session.usage(good.error().message);
    if ((file_.empty() ? 0 : 1) + (agent_.empty() ? 0 : 1) + (mesh_ ? 1 : 0) > 1) {
      return session.usage("--to-file, --to-agent and --to-mesh exclude each other");
    }
    if (!speed_.empty() && rate_) return session.usage("--speed and --rate exclude each other");
    if (!speed_.empty()) {
      const auto factor = parse_speed(speed_);
      if (!factor) return session.usage(factor.error().message);
      factor_ = *factor;
    }
    if (!format_.empty() && (session.options().output_given || !agent_.empty() || mesh_)) {
      return session.usage("--format is for standard output and files, and excludes -o and -j");
    }
    const auto slash = agent_.find('/');
    if (!agent_.empty() && (slash == std::string::npos || slash + 1 == agent_.size() || !is_node_name(agent_.substr(0, slash)))) {
      return session.usage("--to-agent: '" + agent_ + "' is not of the form NODE/AGENT");
    }
    return exit_code::ok;
  }

  /// JSON lines unless something else was asked for.
  Output form(const Session& session) const {
    return session.options().output_given || !format_.empty() ? session.options().output : Output::Jsonl;
  }

  /// To the node of the agent, or to the one that is to publish.
  Result<std::unique_ptr<NodeConnection>> connect(Session& session) const {
    if (mesh_) return session.connect_target();
    const auto address = session.find_node(agent_.substr(0, agent_.find('/')));
    if (!address) return std::unexpected(address.error());
    return session.connect(*address);
  }

  Result<std::unique_ptr<ReplaySink>> open_sink(Session& session) {
    if (!agent_.empty() || mesh_) {
      auto node = connect(session);
      if (!node) return std::unexpected(node.error());
      return make_node_sink(session, std::move(*node), mesh_ ? "mesh" : agent_);
    }
    if (!file_.empty() && file_ != "-") {
      const auto overwrite = session.options().yes ? Overwrite::Yes : Overwrite::No;
      return make_file_sink(file_, overwrite, form(session), format_);
    }
    auto writer = make_event_writer(session.out(), session.paint(), {form(session), format_, false, session.width()});
    if (!writer) return std::unexpected(writer.error());
    return make_output_sink(session, std::move(*writer));
  }

  int count(Session& session, PastReader& past) {
    ReplayCount counted;
    const auto read = read_all(session, past, [&](const EventPtr& event) {
      counted.add(*event);
      return !count_ || counted.events() < *count_;
    });
    counted.print(session);
    return finish(session, past, read, counted.events(), 0);
  }

  int replay(Session& session, PastReader& past) {
    auto opened = open_sink(session);
    if (!opened) return session.fail(opened.error());
    ReplaySink& sink = **opened;
    ReplayPace pace(factor_, rate_);
    Result<void> sent;
    auto read = read_all(session, past, [&](const EventPtr& event) {
      sent = give(session, sink, pace, *event);
      ++given_;
      return sent && (!count_ || given_ < *count_) && session.out();
    });
    if (sent) sent = sink.finish();
    const auto& figures = sink.figures();
    session.note(events_text(figures.delivered) + " replayed" +
                 (figures.refused == 0 ? "" : ", " + std::to_string(figures.refused) + " refused") +
                 (figures.last.empty() ? "" : ", the last one " + figures.last));
    return finish(session, past, read ? sent : read, figures.delivered, figures.refused);
  }

  /// Waits until the event is due and hands it over.
  static Result<void> give(Session& session, ReplaySink& sink, ReplayPace& pace, const EventView& event) {
    if (!pace.limited()) return sink.add(event);
    const SteadyTime due = pace.due(event.time, session.world().now().steady);
    const SteadyTime now = session.world().now().steady;
    if (due > now + pace_slice || (due > now && sink.collected() == 0)) {
      if (auto sent = sink.flush(); !sent) return sent;
      session.world().wait(due - session.world().now().steady);
      if (session.world().interrupted()) return {};
    }
    return sink.add(event);
  }

  Result<void> read_all(Session& session, PastReader& past, const PastReader::OnEvent& on_event) {
    Progress progress(session);
    std::uint64_t events = 0;
    bool wanted = true;
    const auto on_each = [&](const EventPtr& event) {
      if (session.world().interrupted()) return wanted = false;
      ++events;
      wanted = on_event(event);
      if (events % 1024 == 0 || (factor_ || rate_)) progress.show([&](Duration elapsed) { return so_far(past, events, elapsed); });
      return wanted;
    };
    for (;;) {
      const auto done = past.read_page(on_each);
      if (!done || *done || !wanted || session.world().interrupted()) {
        progress.end();
        return done ? Result<void>{} : std::unexpected(done.error());
      }
      progress.show([&](Duration elapsed) { return so_far(past, events, elapsed); });
    }
  }

  std::string so_far(const PastReader& past, std::uint64_t events, Duration elapsed) const {
    const double seconds = std::max(1e-9, std::chrono::duration<double>(elapsed).count());
    const std::string percent = percent_of_way(begin_number_, past.next(), end_number_);
    return "replay: " + events_text(events) + ", " + rate_text(static_cast<double>(events) / seconds) + "/s" +
           (percent.empty() ? "" : ", " + percent);
  }

  int finish(Session& session, const PastReader& past, const Result<void>& done, std::uint64_t delivered,
             std::uint64_t refused) {
    const auto damaged = past.figures().damaged_frames;
    if (damaged > 0) session.warn(damaged_text(damaged));
    if (!done) return session.fail_to_find(done.error());
    if (session.world().interrupted()) return exit_code::interrupted;
    if (refused > 0) return delivered > 0 ? exit_code::partial : exit_code::failed;
    if (damaged > 0) return exit_code::partial;
    return require_ && delivered == 0 ? exit_code::nothing_found : exit_code::ok;
  }

  std::vector<std::string> types_;
  ChoiceFlags choice_;
  PastRange range_;
  std::optional<std::uint64_t> count_;
  std::string file_;
  std::string agent_;
  bool mesh_ = false;
  std::string speed_;
  std::optional<double> factor_;
  std::optional<std::uint64_t> rate_;
  std::string format_;
  bool dry_run_ = false;
  bool require_ = false;

  CommitNumber begin_number_ = 1;
  CommitNumber end_number_ = 1;
  std::uint64_t given_ = 0;
};

}  // namespace

std::unique_ptr<Verb> make_replay() { return std::make_unique<Replay>(); }

}  // namespace legion::cli
