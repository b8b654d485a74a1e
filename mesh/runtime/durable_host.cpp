#include <legion/runtime/durable_host.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/base/overloaded.hpp>

namespace legion {

namespace {

LogLevel level_of(DurableLog::Level level) {
  switch (level) {
    case DurableLog::Level::Info: return LogLevel::Info;
    case DurableLog::Level::Warning: return LogLevel::Warn;
    case DurableLog::Level::Error: return LogLevel::Error;
  }
  LEGION_UNREACHABLE();
}

More more_if(bool more) { return more ? More::Yes : More::No; }

/// Frames of a page, each keeping the page alive. One that does not decode is left out: the event it held is missing.
std::vector<FramePtr> frames_of(const std::vector<StoredFrame>& stored, const std::shared_ptr<const void>& owner) {
  std::vector<FramePtr> frames;
  for (const StoredFrame& one : stored) {
    if (auto frame = Frame::decode(one.frame, owner)) frames.push_back(std::move(*frame));
  }
  return frames;
}

StreamAnswer answer_of(const SpoolStreamPage& page) {
  StreamAnswer answer;
  answer.next = page.page.next;
  for (const StreamPage::Part& part : page.page.parts) {
    StreamAnswer::Part out{.kind = StreamAnswer::Part::Kind::Missing, .first = part.first, .last = part.last};
    if (part.kind == StreamPage::Part::Kind::Missing) out.journals = page.page.through;
    if (part.kind == StreamPage::Part::Kind::Never) {
      out.kind = StreamAnswer::Part::Kind::Never;
      out.why = std::string(to_string(part.why));
      if (part.why == Never::Trimmed) out.journals = page.page.floor;
    } else if (part.kind == StreamPage::Part::Kind::Frame) {
      if (auto frame = Frame::decode(part.frame, page.owner)) {
        out.kind = StreamAnswer::Part::Kind::Frame;
        out.frame = std::move(*frame);
      }
    }
    answer.parts.push_back(std::move(out));
  }
  return answer;
}

}  // namespace

DurableHost::DurableHost(Setup setup, DurableConfig config)
    : setup_(std::move(setup)), query_timeout_(config.query_timeout), subscriptions_(std::move(config)) {}

// Askers answer what is left with an error, which nobody here wants to hear any more.
DurableHost::~DurableHost() = default;

std::vector<std::pair<std::string, std::string>> DurableHost::spools() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [name, spool] : spools_) {
    if (!spool.asker && spool.known.presence == KnownSpool::Presence::Left) continue;
    all.emplace_back(name, spool.asker ? spool.asker->uri() : std::string());
  }
  return all;
}

void DurableHost::on_roster(const std::vector<RosterSpool>& roster) {
  for (auto& [name, spool] : spools_) spool.listed = Spool::Listed::No;
  for (const RosterSpool& told : roster) {
    const auto [spool, fresh] = spools_.try_emplace(told.name);
    spool->second.listed = Spool::Listed::Yes;
    KnownSpool& known = spool->second.known;
    known.name = told.name;
    const bool changed = std::exchange(known.presence, told.presence) != told.presence || fresh;
    if (!changed) continue;
    spool->second.left_at.reset();
    spool->second.is_long_gone = false;
    spools_changed_ = true;
  }
  const auto erased = std::erase_if(
      spools_, [](const auto& entry) { return !entry.second.asker && entry.second.listed == Spool::Listed::No; });
  spools_changed_ |= erased > 0;
}

void DurableHost::connect(const std::string& name, const std::string& uri) {
  Spool& spool = spools_[name];
  spool.known.name = name;
  if (spool.asker && spool.asker->uri() == uri) return;
  transport::SpoolClientOptions options;
  options.redial_max = setup_.redial_max;
  options.connect_timeout = setup_.connect_timeout;
  auto asker = SpoolAsker::connect(setup_.context, uri, options);
  if (!asker) {
    setup_.log(LogLevel::Error, "cannot ask the spool " + name + ": " + asker.error().message);
    return;
  }
  spool.asker = std::move(*asker);
  setup_.poller.add(spool.asker->pollables());
  spools_changed_ = true;
}

void DurableHost::disconnect(Now now, const std::string& name) {
  now_ = now;  // what its asker has not answered fails now
  const auto found = spools_.find(name);
  if (found == spools_.end()) return;
  if (found->second.listed == Spool::Listed::Yes) {
    found->second.known.reach = KnownSpool::Reach::Unreachable;
    found->second.asker.reset();
  } else {
    spools_.erase(found);
  }
  spools_changed_ = true;
  tell_spools(now);
}

SpoolAsker* DurableHost::asker(const std::string& spool) {
  const auto found = spools_.find(spool);
  return found == spools_.end() ? nullptr : found->second.asker.get();
}

void DurableHost::on_mark(const std::string& name, std::uint64_t mark) {
  const auto found = spools_.find(name);
  if (found == spools_.end() || found->second.known.mark == mark) return;
  found->second.known.mark = mark;
  spools_changed_ = true;
}

void DurableHost::tell_spools(Now now) {
  if (!std::exchange(spools_changed_, false)) return;
  std::vector<KnownSpool> known;
  for (const auto& [name, spool] : spools_) {
    if (spool.counts()) known.push_back(spool.known);
  }
  subscriptions_.on_spools(now, std::move(known));
}

void DurableHost::on_turn(Now now) {
  now_ = now;
  for (auto& [name, spool] : spools_) {
    if (spool.known.presence == KnownSpool::Presence::Left && !spool.is_long_gone) {
      if (!spool.left_at) spool.left_at = now.steady;
      spool.is_long_gone = now.steady - *spool.left_at > left_counts_for;
      spools_changed_ |= spool.is_long_gone;
    }
    if (!spool.asker) continue;
    spool.asker->on_turn(now);
    const auto reach = spool.asker->up() ? KnownSpool::Reach::Reachable : KnownSpool::Reach::Unreachable;
    if (std::exchange(spool.known.reach, reach) != reach) spools_changed_ = true;
  }
  tell_spools(now);
  if (setup_.pool != nullptr && setup_.pool->has_durable_reports()) {
    DurableReports reports = setup_.pool->drain_durable();
    for (const DeadLetter& letter : reports.letters) on_letter(letter);
    subscriptions_.on_reports(now, std::move(reports));
  }
  carry_out(now);
}

void DurableHost::on_tick(Now now) {
  now_ = now;
  subscriptions_.on_tick(now);
  carry_out(now);
}

void DurableHost::on_durable(Now now, Position through) {
  while (!unrecorded_.empty() && unrecorded_.front().first <= through) {
    subscriptions_.on_recorded(now, unrecorded_.front().second);
    unrecorded_.pop_front();
  }
}

RequestId DurableHost::expect_answer(OnAnswer on_answer) {
  requests_.emplace(next_request_, std::move(on_answer));
  return next_request_++;
}

void DurableHost::carry_out(Now now) {
  write_waiting(now);
  // A question that cannot be put has an answer at once, from which something may follow.
  for (auto effects = subscriptions_.take_effects(); !effects.empty(); effects = subscriptions_.take_effects()) {
    for (DurableEffect& effect : effects) carry_out(now, effect);
  }
}

void DurableHost::carry_out(Now now, DurableEffect& any) {
  std::visit(Overloaded{
                 [&](DurableOffer& offer) {
                   LEGION_ASSERT(setup_.pool != nullptr);
                   setup_.pool->offer_durable(now, offer.frame, offer.first, offer.count, offer.routes, offer.earlier);
                 },
                 [&](const PermitRetry& permit) { setup_.pool->permit_retry(now, permit.permit); },
                 [&](const RecallOffers& recall) { setup_.pool->recall(now, recall.subscription, recall.streams); },
                 [&](const SpoolQuery& query) { ask(now, query); },
                 [&](const WriteRecord& record) { write(now, record); },
                 [&](const LostForGood& lost) {
                   setup_.log(LogLevel::Warn, "lost for good: " + lost.stream.origin.node + ':' +
                                                  std::to_string(lost.stream.origin.incarnation) + ' ' +
                                                  lost.stream.type + ' ' + std::to_string(lost.first) + ".." +
                                                  std::to_string(lost.last) + " (" + lost.why + ')');
                 },
                 [&](const StallChanged& stall) {
                   const std::string stream = stall.stream.origin.node + ' ' + stall.stream.type;
                   setup_.log(stall.why.empty() ? LogLevel::Info : LogLevel::Warn,
                              stall.why.empty() ? "goes on: " + stream : "stands still: " + stream + ": " + stall.why);
                 },
                 [&](const InFlightOver& over) {
                   if (setup_.pool != nullptr) setup_.pool->forget_in_flight(over.agent, over.event, over.path);
                 },
                 [&](RequestAnswer& answer) {
                   const auto found = requests_.find(answer.request);
                   if (found == requests_.end()) return;
                   OnAnswer call = std::move(found->second);
                   requests_.erase(found);
                   call(std::move(answer.answer));
                 },
                 [&](const DurableLog& line) { setup_.log(level_of(line.level), line.text); },
                 [&](const ShareReleased& released) {
                   if (on_released) on_released(now, released);
                 },
             },
             any);
}

// --- records ---------------------------------------------------------------------------------------------------------

void DurableHost::write(Now now, const WriteRecord& record) {
  Event event;
  event.type = std::string(record_type);
  event.source = setup_.self.node + "/!node";
  event.time = now.wall;
  event.priority = Priority::High;
  event.data = encode(record.record);
  Bytes encoded;
  if (auto done = append_event(event, {}, limits::record_bytes_max, encoded); !done) {
    setup_.log(LogLevel::Error, "a record cannot be written: " + done.error().message);
    return;
  }
  unwritten_.push_back({std::move(encoded), record.token});
  write_waiting(now);
}

void DurableHost::write_waiting(Now now) {
  while (!unwritten_.empty()) {
    const Position position = setup_.outbound.record(now, unwritten_.front().event);
    if (position == 0) return;
    unrecorded_.emplace_back(position, unwritten_.front().token);
    unwritten_.pop_front();
  }
}

// --- questions -------------------------------------------------------------------------------------------------------

template <class Answer>
void DurableHost::ask(Now now, SpoolAsker& asker, QueryId id, SpoolQuestion<Answer> question,
                      std::function<void(Now, QueryId, Answer)> on_answer) {
  asker.ask<Answer>(now, std::move(question), query_timeout_,
                    [this, id, on_answer = std::move(on_answer)](Result<Answer> answer) {
                      if (answer) {
                        on_answer(now_, id, std::move(*answer));
                      } else {
                        subscriptions_.on_query_failed(now_, id, answer.error());
                      }
                    });
}

void DurableHost::ask(Now now, const SpoolQuery& query) {
  const auto found = spools_.find(query.spool);
  if (found == spools_.end() || !found->second.asker) {
    subscriptions_.on_query_failed(now, query.id, {ErrorCode::Unreachable, "no such spool: " + query.spool});
    return;
  }
  SpoolAsker& asker = *found->second.asker;
  DurableSubscriptions& to = subscriptions_;
  const QueryId id = query.id;
  std::visit(
      Overloaded{
          [&](const AskClaim& what) {
            asker.ask<SpoolDone>(now, spool_question::claim({what.subscription, setup_.self, setup_.boot}),
                                 query_timeout_, [this, id](Result<SpoolDone> answer) {
                                   if (answer) {
                                     subscriptions_.on_claimed(now_, id);
                                   } else if (answer.error().code == ErrorCode::Refused) {
                                     subscriptions_.on_claim_refused(now_, id, answer.error().message);
                                   } else {
                                     subscriptions_.on_query_failed(now_, id, answer.error());
                                   }
                                 });
          },
          [&](const AskUnclaim& what) {
            ++unclaims_;
            asker.ask<SpoolDone>(now, spool_question::unclaim({what.subscription, setup_.self, setup_.boot}),
                                 query_timeout_, [this](const Result<SpoolDone>&) { --unclaims_; });
          },
          [&](const AskCursor& what) { ask_cursor(now, asker, id, what.subscription); },
          [&](const AskLetters& what) {
            LetterQuery letters;
            letters.state = LetterState::Requeued;
            letters.after = what.after;
            letters.max = what.max;
            ask<std::vector<LetterRecord>>(
                now, asker, id, spool_question::letters(letters),
                [&to, max = what.max](Now at, QueryId asked, std::vector<LetterRecord> found_) {
                  const More more = more_if(max > 0 && found_.size() >= max);
                  to.on_letters(at, asked, std::move(found_), more);
                });
          },
          [&](const AskTails& what) {
            ask<SpoolTails>(now, asker, id, spool_question::tails({what.filter, what.after, what.max}),
                            [&to](Now at, QueryId asked, SpoolTails answer) {
                              std::vector<StoredTail> tails;
                              for (StreamTail& tail : answer.tails)
                                tails.push_back({std::move(tail.stream), tail.next});
                              to.on_tails(at, asked, std::move(tails), more_if(answer.more));
                            });
          },
          [&](const AskStream& what) {
            ask<SpoolStreamPage>(
                now, asker, id,
                spool_question::stream(
                    {.stream = what.stream, .first = what.first, .last = what.last, .bytes_max = what.bytes}),
                [&to](Now at, QueryId asked, SpoolStreamPage page) { to.on_stream(at, asked, answer_of(page)); });
          },
          [&](const AskFind& what) {
            ask<std::optional<CommitNumber>>(
                now, asker, id, spool_question::find(what.event),
                [&to](Now at, QueryId asked, std::optional<CommitNumber> number) { to.on_found(at, asked, number); });
          },
          [&](const AskScan& what) {
            ScanQuery scan;
            scan.from = what.from;
            scan.since = what.since;
            scan.types = {what.filter};
            scan.bytes_max = what.bytes;
            ask<SpoolPage>(now, asker, id, spool_question::scan(scan), [&to](Now at, QueryId asked, SpoolPage page) {
              to.on_scan(
                  at, asked,
                  {.frames = frames_of(page.frames, page.owner), .next = page.next, .more = more_if(!page.at_end)});
            });
          },
      },
      query.what);
}

/// A cursor and its attempts are two questions, and the attempts may be many pages: one answer for the core.
void DurableHost::ask_cursor(Now now, SpoolAsker& asker, QueryId id, const std::string& name) {
  std::string spool;
  for (const auto& [known, one] : spools_) {
    if (one.asker.get() == &asker) spool = known;
  }
  ask<std::optional<CursorState>>(now, asker, id, spool_question::cursor(name),
                                  [this, spool, name](Now at, QueryId asked, std::optional<CursorState> state) {
                                    std::optional<CursorRecord> cursor;
                                    if (state) cursor = std::move(state->merged);
                                    ask_attempts(at, spool, asked, name, std::move(cursor), {});
                                  });
}

void DurableHost::ask_attempts(Now now, const std::string& spool, QueryId id, std::string name,
                               std::optional<CursorRecord> cursor, std::vector<AttemptRecord> so_far) {
  const auto found = spools_.find(spool);
  if (found == spools_.end() || !found->second.asker) {
    subscriptions_.on_query_failed(now, id, {ErrorCode::Unreachable, "no such spool: " + spool});
    return;
  }
  const std::string after = so_far.empty() ? std::string() : so_far.back().event;
  ask<std::vector<AttemptRecord>>(now, *found->second.asker, id, spool_question::attempts(name, after),
                                  [this, spool, name, cursor = std::move(cursor), so_far = std::move(so_far)](
                                      Now at, QueryId asked, std::vector<AttemptRecord> page) mutable {
                                    if (page.empty()) {
                                      subscriptions_.on_cursor(at, asked, std::move(cursor), std::move(so_far));
                                      return;
                                    }
                                    so_far.insert(so_far.end(), std::make_move_iterator(page.begin()),
                                                  std::make_move_iterator(page.end()));
                                    ask_attempts(at, spool, asked, name, std::move(cursor), std::move(so_far));
                                  });
}

}  // namespace legion
