#include <algorithm>
#include <ostream>

#include <legion/base/units.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/moments.hpp>
#include <legion/cli/past_reader.hpp>
#include <legion/cli/spool_choice.hpp>
#include <legion/cli/trace_print.hpp>
#include <legion/cli/trace_tree.hpp>
#include <legion/cli/verb.hpp>
#include <legion/event/frame.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t events_max = 100'000;
constexpr std::size_t page_bytes = 1 << 20;
constexpr Duration follow_interval = 500ms;

class Trace : public Verb {
 public:
  bool draws() const override { return true; }

  void declare(CLI::App& app) override {
    app.add_option("ID", id_, "a correlation id, an event id or a W3C trace id")->type_name("");
    add_text(app, "--since", since_, "WHEN", "look at events from this time on: 5m (ago) or 2026-11-21T10:00:00Z");
    add_text(app, "--until", until_, "WHEN", "and before this time");
    add_text(app, "--spool", spool_, "NAME", "read this spool (default: one that answers)");
    app.add_flag("--follow", follow_, "go on with events that are recorded later");
    app.add_flag("--require", require_, "exit with 66 when no event was found");
  }

  int run(Session& session) override {
    if (const int code = check(session); code != exit_code::ok) return code;
    auto spool = choose_spool(session, spool_);
    if (!spool) return session.fail_to_find(spool.error());
    if (follow_) session.world().take_interrupts();
    if (auto named = resolve(*spool->queries); !named) return session.fail(named.error());
    if (auto found = look(session, *spool->queries); !found) return session.fail(found.error());
    print_trace(session, tree_, id_);
    session.out().flush();
    if (tree_.size() > 0) {
      session.note(std::to_string(tree_.size()) + (tree_.size() == 1 ? " event" : " events") + " of correlation " + wanted_ +
                   " within " + latency_text(static_cast<double>(tree_.span().count()) / 1000.0));
    } else {
      session.note(spool->queries->name() + " has no event of " + id_);
    }
    if (damaged_ > 0) session.warn(damaged_text(damaged_));
    if (follow_) return follow(session, *spool->queries);
    return require_ && tree_.size() == 0 ? exit_code::nothing_found : exit_code::ok;
  }

 private:
  int check(Session& session) {
    if (id_.empty()) return session.usage("trace: an ID is needed: a correlation id, an event id or a trace id");
    const bool lines = session.output() == Output::Table || session.output() == Output::Jsonl;
    if (follow_ && (!lines || session.options().dot)) return session.usage("--follow goes with a table or JSON lines");
    if (follow_ && !until_.empty()) return session.usage("--follow and --until exclude each other");
    const WallTime now = session.world().now().wall;
    for (const auto& [flag, text, time] : {std::tuple("--since", &since_, &query_.since), {"--until", &until_, &query_.before}}) {
      if (text->empty()) continue;
      const auto moment = parse_moment(flag, *text, now);
      if (!moment) return session.usage(moment.error().message);
      *time = *moment;
    }
    query_.bytes_max = page_bytes;
    return exit_code::ok;
  }

  /// Of an event the correlation it belongs to; of a traceparent its trace id; everything else is taken as it is.
  Result<void> resolve(SpoolQueries& spool) {
    wanted_ = id_;
    if (const auto trace = trace_id_of(id_); !trace.empty()) wanted_ = trace;
    const auto id = EventId::parse(id_);
    if (!id) return {};
    const auto number = spool.find(*id);
    if (!number) return std::unexpected(number.error());
    if (!*number) return {};
    ScanQuery query;
    query.from = **number;
    query.until = **number;
    query.types = {*Filter::parse(id->type)};
    const auto page = spool.scan(query);
    if (!page) return std::unexpected(page.error());
    for (const StoredFrame& scanned : page->frames) {
      const auto frame = Frame::decode(scanned.frame, page->owner);
      if (!frame) continue;
      for (const EventView& event : (*frame)->events()) {
        if (event.id() == *id && event.defect.empty()) wanted_ = event.correlation();
      }
    }
    return {};
  }

  bool belongs(const EventView& event) const {
    if (!event.defect.empty()) return event.id_string() == wanted_;
    return event.correlation() == wanted_ || event.causation_id == wanted_ || trace_id_of(event.traceparent) == wanted_ ||
           event.id_string() == wanted_;
  }

  /// Reads to the end. Returns the ids of what was found.
  Result<std::vector<std::string>> look(Session& session, SpoolQueries& spool) {
    std::vector<std::string> found;
    query_.correlation = wanted_;
    while (!session.world().interrupted()) {
      const auto page = spool.scan(query_);
      if (!page) return std::unexpected(page.error());
      for (const StoredFrame& scanned : page->frames) {
        const auto frame = Frame::decode(scanned.frame, page->owner);
        if (!frame) {
          ++damaged_;
          continue;
        }
        for (const EventView& event : (*frame)->events()) {
          if (!belongs(event) || !in_time(event)) continue;
          TraceEvent one = trace_event_of(event);
          if (tree_.find(one.id) == nullptr) found.push_back(one.id);
          tree_.add(std::move(one));
          if (tree_.size() < events_max) continue;
          session.warn("only the first " + std::to_string(events_max) + " events of it are shown");
          return found;
        }
      }
      query_.from = page->next;
      if (page->at_end) break;
    }
    return found;
  }

  bool in_time(const EventView& event) const {
    return !event.defect.empty() || ((!query_.since || event.time >= *query_.since) &&
                                     (!query_.before || event.time < *query_.before));
  }

  int follow(Session& session, SpoolQueries& spool) {
    World& world = session.world();
    while (!world.interrupted() && session.out() && tree_.size() < events_max) {
      world.wait(follow_interval);
      if (world.interrupted()) break;
      const auto found = look(session, spool);
      if (!found) return session.fail(found.error());
      for (const auto& id : *found) print_trace_line(session, tree_, id);
      session.out().flush();
    }
    return world.interrupted() ? exit_code::interrupted : exit_code::ok;
  }

  std::string id_;
  std::string since_;
  std::string until_;
  std::string spool_;
  bool follow_ = false;
  bool require_ = false;

  std::string wanted_;
  ScanQuery query_;
  TraceTree tree_;
  std::uint64_t damaged_ = 0;
};

}  // namespace

std::unique_ptr<Verb> make_trace() { return std::make_unique<Trace>(); }

}  // namespace legion::cli
