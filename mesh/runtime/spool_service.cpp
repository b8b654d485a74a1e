#include <legion/runtime/spool_service.hpp>

#include <utility>

#include <legion/runtime/clock.hpp>

#include <legion/base/overloaded.hpp>

namespace legion {

namespace {

constexpr std::size_t messages_between_flushes = 64;  // so that the writer begins before the turn ends

}  // namespace

SpoolService::SpoolService(std::unique_ptr<Store> store, transport::SpoolServer& server, Options options,
                           Backend backend, LogSink log, std::unique_ptr<LoopSignal> signal)
    : store_(std::move(store)),
      server_(server),
      options_(std::move(options)),
      backend_(std::move(backend)),
      log_(std::move(log)),
      inlet_(store_->id(), options_.link),
      claims_(backend_.is_gone),
      groups_({options_.node, options_.group_grace, backend_.is_gone}),
      signal_(std::move(signal)) {}

SpoolService::~SpoolService() {
  // A verify is told to end before it is waited for.
  if (jobs_) jobs_->stop();
}

Result<std::unique_ptr<SpoolService>> SpoolService::start(std::unique_ptr<Store> store, transport::SpoolServer& server,
                                                          Options options, Backend backend, LogSink log) {
  auto signal = LoopSignal::create();
  if (!signal) return std::unexpected(signal.error());
  std::unique_ptr<SpoolService> service(
      new SpoolService(std::move(store), server, std::move(options), std::move(backend), log, std::move(*signal)));
  const auto frozen = service->store_->frozen();
  for (const JournalState& state : service->store_->journals()) service->inlet_.on_life(state.origin);
  const auto wake = [raised = service->signal_.get()] { raised->raise(); };
  auto readers = SpoolReaders::start(*service->store_, service->options_.readers, wake);
  if (!readers) return std::unexpected(readers.error());
  service->readers_ = std::move(*readers);
  service->jobs_ = std::make_unique<SpoolLongJobs>(wake);
  service->writer_ =
      std::make_unique<SpoolStoreThread>(*service->store_, service->options_.writer, wake, std::move(log));
  if (frozen) service->on_frozen(read_clocks(), *frozen);
  return service;
}

std::vector<transport::Pollable> SpoolService::pollables() const {
  auto all = server_.pollables();
  all.push_back(signal_->pollable());
  return all;
}

bool SpoolService::may_have_input() const {
  return signal_->raised() || server_.may_have_requests() || server_.monitor_may_have_input();
}

void SpoolService::on_turn(Now now) {
  if (shut_down_) return;
  now_ = now;
  take_results(now);
  if (server_.monitor_may_have_input()) server_.drain_monitor([](const transport::MonitorEvent&) {});
  read_messages(now);
  for (const std::string& peer : server_.take_gone()) inlet_.on_peer_gone(peer);
  flush();
}

void SpoolService::read_messages(Now now) {
  if (!server_.may_have_requests()) return;
  const SteadyTime until = read_steady_clock() + options_.turn_max;
  std::size_t read = 0;
  do {
    auto request = server_.recv();
    if (!request) return;
    on_message(now, std::move(*request));
    if (++read % messages_between_flushes == 0) flush();
  } while (read_steady_clock() < until);
}

void SpoolService::on_message(Now now, transport::SpoolRequest request) {
  const BytesView head = request.parts.head.bytes();
  if (spool_message_tag(head) == spool_query_tag) return on_query(request.peer, head);
  auto message = decode_to_spool(head, request.parts.body.has_value());
  if (!message) {
    ++bad_messages_;
    return;
  }
  if (auto* open = std::get_if<OpenLink>(&*message)) return on_open_link(now, request.peer, std::move(*open));
  if (auto* append = std::get_if<AppendFrame>(&*message)) {
    // The one copy on its way to the store: what ZeroMQ lends is a message of its own, not Bytes.
    const BytesView frame = request.parts.body->bytes();
    append->frame = std::make_shared<const Bytes>(frame.begin(), frame.end());
  }
  inlet_.on_message(now, request.peer, std::move(*message));
}

// The store knows whose journal it is; its answer comes back in order with what was committed before.
void SpoolService::on_open_link(Now now, const std::string& peer, OpenLink message) {
  if (frozen_ || !message.speaks_our_version()) return inlet_.on_open(now, peer, message, "");
  const Origin origin = message.origin;
  const BootId boot = message.boot;
  const auto on_done = [this, peer, open = std::move(message)](const Result<std::vector<JournalState>>& states) {
    on_bound(peer, open, states);
  };
  begin_life(origin);
  commands_.push_back(store_command::Bind{origin, boot, on_done});
}

// What of an earlier life was taken goes to the store before it hears of this one, and no more of it behind.
void SpoolService::begin_life(const Origin& origin) {
  inlet_.on_life(origin);
  flush();
}

void SpoolService::on_bound(const std::string& peer, const OpenLink& message,
                            const Result<std::vector<JournalState>>& states) {
  if (states) {
    for (const JournalState& state : *states) on_stored(state);
  }
  const bool refused = !states && !frozen_;
  inlet_.on_open(now_, peer, message, refused ? states.error().message : "");
}

void SpoolService::take_results(Now now) {
  if (!signal_->raised()) return;
  signal_->lower();
  for (StoreNews& news : writer_->take_news()) on_news(now, news);
  for (SpoolReaders::Done& done : readers_->take_done()) answer(std::move(done));
  for (SpoolReaders::Done& done : jobs_->take_done()) answer(std::move(done));
  flush();
}

void SpoolService::on_news(Now now, StoreNews& news) {
  const Overloaded handle{
      [&](const store_news::Committed& one) { inlet_.on_committed(now, one.origin, one.journal, one.through); },
      [&](const store_news::Stored& one) { on_stored(one.state); },
      [&](const store_news::Frozen& one) { on_frozen(now, one.reason); },
      [&](const store_news::Lost&) { inlet_.on_store_lost(now); },
      [&](const store_news::Call& one) { one.run(); },
  };
  std::visit(handle, news);
}

void SpoolService::on_stored(const JournalState& state) {
  inlet_.on_stored(state.origin, state.journal, state.floor, state.ranges);
}

void SpoolService::on_frozen(Now now, const std::string& reason) {
  frozen_ = reason;
  inlet_.on_frozen(now, reason);
}

void SpoolService::flush() {
  std::vector<std::string> unreachable;
  const Overloaded handle{
      [&](JournalInlet::Store& effect) { commands_.push_back(store_command::Append{std::move(effect.record)}); },
      [&](JournalInlet::SetReleased& effect) {
        commands_.push_back(
            store_command::SetReleased{std::move(effect.origin), effect.journal, effect.spools, effect.through});
      },
      [&](JournalInlet::SetFinal& effect) {
        commands_.push_back(store_command::SetFinal{std::move(effect.origin), effect.confirmed, effect.captured});
      },
      [&](JournalInlet::Answer& effect) {
        const auto sent = server_.reply(effect.peer, encode(effect.message));
        if (sent == transport::SendResult::Unreachable) unreachable.push_back(effect.peer);
      },
  };
  inlet_.take_effects(effects_);
  for (auto& effect : effects_) std::visit(handle, effect);
  // Its connection may have ended before the store knew whose journal it is.
  for (const std::string& peer : unreachable) inlet_.on_peer_gone(peer);
  if (!commands_.empty()) writer_->submit(std::exchange(commands_, {}));
}

void SpoolService::shutdown(Now now) {
  if (std::exchange(shut_down_, true)) return;
  now_ = now;
  flush();
  jobs_->stop();
  readers_->stop();
  writer_->finish();
  signal_->raise();  // whatever was said last is to be taken
  take_results(now);
}

CommitNumber SpoolService::store_mark() const { return writer_->next_commit() - 1; }

SpoolInfo SpoolService::snapshot() const {
  const auto writer = writer_->figures();
  const auto link = inlet_.figures();
  SpoolInfo info;
  info.store = store_->id();
  info.figures = writer.store;
  info.frozen = frozen_;
  info.links = link.links;
  info.records = link.records;
  info.duplicates = link.duplicates;
  info.rewinds = link.rewinds;
  info.refused = link.refused;
  info.skipped = link.skipped;
  info.ignored = link.ignored;
  info.bytes_waiting = link.bytes_waiting;
  info.batches = writer.batches;
  info.batch_records_max = writer.batch_records_max;
  info.commit_p50 = writer.commit_p50;
  info.commit_p99 = writer.commit_p99;
  info.queries_waiting = readers_->waiting();
  info.queries_answered = queries_answered_;
  info.queries_refused = queries_refused_;
  info.bad_messages = bad_messages_;
  info.long_job = jobs_->running();
  info.claims = claims_.size();
  return info;
}

void SpoolService::journals(OnJournals on_journals) {
  const auto look = [on_journals = std::move(on_journals)](const Store& store) -> std::function<void()> {
    return [on_journals, states = store.journals()] { on_journals(states); };
  };
  commands_.push_back(store_command::Look{look});
  flush();
}

void SpoolService::adopt(std::vector<JournalRecord> records, std::function<void(Result<void>)> on_done) {
  commands_.push_back(store_command::Adopt{std::move(records), std::move(on_done)});
  flush();
}

void SpoolService::bind(Origin origin, BootId boot, std::function<void(Result<void>)> on_done) {
  const auto on_states = [on_done = std::move(on_done)](const Result<std::vector<JournalState>>& states) {
    on_done(states ? Result<void>() : std::unexpected(states.error()));
  };
  begin_life(origin);
  commands_.push_back(store_command::Bind{std::move(origin), boot, on_states});
  flush();
}

void SpoolService::note_released(Origin origin, JournalKind journal, std::uint8_t spools, Position through) {
  commands_.push_back(store_command::SetReleased{std::move(origin), journal, spools, through});
  flush();
}

void SpoolService::note_floor(Origin origin, JournalKind journal, Position through) {
  commands_.push_back(store_command::SetFloor{std::move(origin), journal, through});
  flush();
}

void SpoolService::note_final(Origin origin, Position confirmed, Position captured) {
  commands_.push_back(store_command::SetFinal{std::move(origin), confirmed, captured});
  flush();
}

}  // namespace legion
