#include <legion/runtime/durable_stand_ins.hpp>

#include <algorithm>
#include <optional>

#include <legion/event/msgpack_writer.hpp>

namespace legion {

namespace {

constexpr Duration query_max = 5s;
constexpr Duration other_spools_max = 2s;  // waits so long for spools that do not answer
constexpr std::uint64_t held_bytes_max = 1u << 20;

DurableConfig config_of(DurableConfig config) {
  config.record_bytes = 0;  // nothing is handed over
  config.buffer_bytes = held_bytes_max;
  config.stalled_after = Duration::zero();
  config.spool_patience = other_spools_max;
  config.query_timeout = query_max;
  return config;
}

Bytes text_answer(const std::string& text) {
  MsgpackWriter out;
  out.str(text);
  return out.take();
}

}  // namespace

/// Seeking: the name is claimed, the cursor and what is missing are looked for. Changing: it is being written. Leaving:
/// the spools take the name back. Over: answered.
class DurableStandIns::StandIn {
 public:
  StandIn(Now now, DurableHost::Setup setup, DurableConfig config, SubscriptionChange change, Answer answer)
      : host_(std::move(setup), std::move(config)),
        change_(std::move(change)),
        answer_(std::move(answer)),
        until_(now.steady + change_max) {
    host_.subscriptions().add_handler({.durable = change_.name, .role = DurableHandler::Role::StandIn});
  }

  void begin(Now now, const Spools& spools) {
    std::vector<DurableHost::RosterSpool> roster;
    for (const auto& [name, uri] : spools) roster.push_back({name});
    host_.on_roster(roster);
    for (const auto& [name, uri] : spools) {
      if (!uri.empty()) host_.connect(name, uri);
    }
    // Told before the cursor is here: it begins nowhere else then.
    if (change_.action == SubscriptionChange::Action::Reset) {
      host_.subscriptions().on_reset(now, expect(), change_.name, change_.start);
    }
    host_.on_tick(now);
  }

  const std::string& name() const { return change_.name; }
  bool is_over() const { return stage_ == Stage::Over; }

  void on_turn(Now now) {
    host_.on_turn(now);
    go_on(now);
  }
  void on_tick(Now now) {
    host_.on_tick(now);
    go_on(now);
  }
  void on_durable(Now now, Position through) {
    host_.on_durable(now, through);
    host_.carry_out(now);
  }

 private:
  enum class Stage : std::uint8_t { Seeking, Changing, Leaving, Over };

  void go_on(Now now) {
    if (stage_ == Stage::Seeking) seek(now);
    if (stage_ == Stage::Changing && asked_ == 0 && host_.settled()) leave(now);
    const bool late = now.steady > until_;
    if (stage_ < Stage::Leaving && late) {
      end_with(now, fail(ErrorCode::TimedOut, "the durable subscription " + change_.name + ": " + trouble_));
    }
    if (stage_ == Stage::Leaving && (host_.names_given_back() || late)) {
      stage_ = Stage::Over;
      answer_(result_ ? Result<Bytes>(text_answer(*result_)) : std::unexpected(result_.error()));
    }
  }

  void seek(Now now) {
    const DurableFigures figures = host_.subscriptions().figures(SIZE_MAX).front();
    trouble_ = figures.trouble;
    switch (figures.phase) {
      case DurablePhase::Refused: return end_with(now, fail(ErrorCode::Refused, figures.trouble));
      case DurablePhase::Removed:
        return end_with(now, fail(ErrorCode::NotFound, "no durable subscription is named " + change_.name));
      case DurablePhase::Waiting:
      case DurablePhase::Loading:
      case DurablePhase::Creating:
      case DurablePhase::Standby: return;
      case DurablePhase::Active: break;
    }
    switch (change_.action) {
      case SubscriptionChange::Action::Reset: break;  // it began anew; its answer is here or about to come
      case SubscriptionChange::Action::Remove: host_.subscriptions().on_remove(now, expect(), change_.name); break;
      case SubscriptionChange::Action::Skip:
        trouble_ = "the spools are asked for what is missing";
        if (figures.survey == DurableFigures::Survey::UnderWay) return;
        if (!skip(now, figures)) return;
        break;
    }
    stage_ = Stage::Changing;
    trouble_ = "waits until the change is recorded";
    host_.carry_out(now);
  }

  /// Only a gap right behind the cursor can be given up: what lies before another one has not been handled.
  bool skip(Now now, const DurableFigures& figures) {
    const std::vector<StreamId> streams = streams_to_skip(figures, change_);
    for (const StreamId& stream : streams) {
      const auto found = std::ranges::find(figures.streams, stream, &DurableStreamFigures::stream);
      const bool is_gap = found != figures.streams.end() && !found->stalled.empty();
      if (change_.through || is_gap) continue;
      end_with(now, fail(ErrorCode::InvalidArgument,
                         "nothing is missing right behind its cursor in that stream; "
                         "'through' gives up what is there"));
      return false;
    }
    if (streams.empty()) {
      end_with(now, fail(ErrorCode::NotFound, "no stream of '" + change_.name + "' stands still"));
      return false;
    }
    for (const StreamId& stream : streams) {
      host_.subscriptions().on_skip(now, expect(), change_.name, stream, change_.through);
    }
    host_.subscriptions().close(now);  // the cursor is written at once
    return true;
  }

  RequestId expect() {
    ++asked_;
    return host_.expect_answer([this](Result<std::string> result) {
      --asked_;
      if (!result_ && result) return;  // the first that went wrong is told
      result_ = std::move(result);
    });
  }

  void end_with(Now now, Result<std::string> result) {
    result_ = std::move(result);
    leave(now);
  }

  void leave(Now now) {
    stage_ = Stage::Leaving;
    host_.subscriptions().release_names(now);
    host_.carry_out(now);
  }

  DurableHost host_;
  const SubscriptionChange change_;
  const Answer answer_;
  const SteadyTime until_;
  Stage stage_ = Stage::Seeking;
  std::string trouble_;
  std::size_t asked_ = 0;  // of the subscription, not answered
  Result<std::string> result_;
};

DurableStandIns::DurableStandIns(DurableHost::Setup setup, DurableConfig config)
    : setup_(std::move(setup)), config_(config_of(std::move(config))) {
  setup_.pool = nullptr;
  setup_.log = [log = setup_.log](LogLevel level, std::string_view text) {
    log(level, "on behalf of a consumer that is away: " + std::string(text));
  };
}

DurableStandIns::~DurableStandIns() = default;

void DurableStandIns::change(Now now, SubscriptionChange change, const Spools& spools, Answer answer) {
  if (spools.empty()) {
    return answer(
        fail(ErrorCode::NotFound, "no durable subscription " + change.name + " on this node, and no spool is known"));
  }
  if (std::ranges::any_of(all_, [&](const auto& one) { return one->name() == change.name; })) {
    return answer(fail(ErrorCode::WouldBlock, "the durable subscription " + change.name + " is being changed"));
  }
  if (all_.size() >= changes_max)
    return answer(fail(ErrorCode::WouldBlock, "too many durable subscriptions are being changed"));
  all_.push_back(std::make_unique<StandIn>(now, setup_, config_, std::move(change), std::move(answer)));
  all_.back()->begin(now, spools);
}

void DurableStandIns::on_turn(Now now) {
  for (const auto& one : all_) one->on_turn(now);
  clear_up();
}

void DurableStandIns::on_tick(Now now) {
  for (const auto& one : all_) one->on_tick(now);
  clear_up();
}

void DurableStandIns::on_durable(Now now, Position through) {
  for (const auto& one : all_) one->on_durable(now, through);
}

void DurableStandIns::clear_up() {
  std::erase_if(all_, [](const auto& one) { return one->is_over(); });
}

}  // namespace legion
