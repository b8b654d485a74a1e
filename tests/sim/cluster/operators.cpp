#include "operators.hpp"

#include <algorithm>

#include <legion/base/address.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>
#include <legion/event/msgpack_writer.hpp>
#include <legion/event/share.hpp>
#include <legion/runtime/control_connection.hpp>

#include "kernel/kernel.hpp"

namespace legion::sim {

namespace {

constexpr std::uint16_t control_port = 7400, spool_port = 7405;
constexpr Duration patience = 4s;
constexpr std::size_t letters_at_once = 4;
constexpr std::size_t replayed_at_once = 20;

template <class T>
std::vector<T> some_of(std::vector<T> all, double draw, std::size_t max) {
  if (all.empty()) return all;
  std::ranges::rotate(all, all.begin() + static_cast<std::ptrdiff_t>(draw * static_cast<double>(all.size())));
  if (all.size() > max) all.resize(max);
  return all;
}

}  // namespace

void Operators::spawn(const std::string& name, std::function<void()> work) {
  const auto process = Kernel::get().spawn(name, std::move(work));
  environment_.place_operator(*process);
}

Result<Bytes> Operators::call(std::size_t host, std::string_view method, BytesView params) const {
  auto connection = ControlConnection::open({world_.plan.hosts[host].address, control_port});
  if (!connection) return std::unexpected(connection.error());
  return (*connection)->call(method, params, patience);
}

std::shared_ptr<NodeReport> Operators::ask(std::size_t host) {
  auto report = std::make_shared<NodeReport>();
  spawn("asker", [this, host, report] {
    auto connection = ControlConnection::open({world_.plan.hosts[host].address, control_port});
    if (!connection) {
      report->trouble = connection.error().message;
    } else {
      for (const auto& [method, into] :
           {std::pair{"stats", &report->stats}, {"nodes", &report->nodes}, {"pending", &report->pending}}) {
        const auto answer = (*connection)->call(method, {}, patience);
        if (!answer) {
          report->trouble = answer.error().message;
          break;
        }
        *into = nlohmann::json::from_msgpack(*answer);
      }
    }
    report->at = Kernel::get().now();
    report->finished = true;
  });
  return report;
}

std::unique_ptr<BlockingSpoolAsker> Operators::ask_spool(std::size_t host) const {
  auto asker = BlockingSpoolAsker::open({world_.plan.hosts[host].address, spool_port});
  return asker ? std::move(*asker) : nullptr;
}

std::size_t Operators::begin(std::string what, std::string subscription, std::string subject) {
  Kernel::get().trace("operator", what + ' ' + subscription + ' ' + subject);
  world_.history.operations.push_back({.at = Kernel::get().now(),
                                       .what = std::move(what),
                                       .subscription = std::move(subscription),
                                       .subject = std::move(subject),
                                       .answer = {}});
  return world_.history.operations.size() - 1;
}

void Operators::end(std::size_t operation, const Result<Bytes>& answer) {
  Operation& told = world_.history.operations[operation];
  told.answered = Kernel::get().now();
  told.ok = answer.has_value();
  told.answer = answer ? "done" : answer.error().message;
}

/// Somebody mends the handler before the event comes again, most of the time.
void Operators::repair(const LetterRecord& letter) {
  const auto id = EventId::parse(letter.event);
  if (!id) return;
  const Place place = world_.history.place_of(*id);
  const Publishing* told = world_.history.published_at(place);
  if (told == nullptr || chance_of(world_.plan.seed, 77, told->tag) > 0.7) return;
  for (std::size_t i = 0; i < world_.plan.subscriptions.size(); ++i) world_.repaired.insert({i, told->tag});
}

void Operators::act(const FaultPlan& fault) {
  switch (fault.kind) {
    case Fault::Requeue: return spawn("operator", [this, fault] { requeue(fault); });
    case Fault::Purge: return spawn("operator", [this, fault] { purge(fault); });
    case Fault::Skip:
    case Fault::ResetCursor:
      if (const SubscriptionPlan* chosen = some_durable(fault.amount)) {
        const Change change = fault.kind == Fault::Skip ? Change::Skip : Change::Reset;
        spawn("operator", [this, chosen, change] { change_subscription(chosen->durable, chosen->host, change); });
      }
      return;
    case Fault::Replay: return spawn("operator", [this, fault] { replay(fault); });
    default: return;
  }
}

void Operators::requeue(const FaultPlan& fault) {
  const auto asker = ask_spool(fault.a);
  if (!asker) return;
  LetterQuery query;
  query.state = LetterState::Dead;
  auto letters = asker->ask(spool_question::letters(query), patience);
  if (!letters) return;
  for (LetterRecord& letter : some_of(std::move(*letters), fault.amount, letters_at_once)) {
    const std::string node = letter.agent.substr(0, letter.agent.find('/'));
    const auto host = std::ranges::find(world_.plan.hosts, node, &HostPlan::name) - world_.plan.hosts.begin();
    repair(letter);
    const std::size_t operation = begin("requeue", letter.agent, letter.event);
    MsgpackWriter params;
    params.map(1);
    params.str("letter");
    params.raw(encode(SpoolRecord(letter)));
    const Result<Bytes> answer = call(static_cast<std::size_t>(host), "requeue", params.bytes());
    end(operation, answer);
    if (!answer || fault.lasts.count() % 2 != 0) continue;
    // Somebody gives the same command again, with the letter as he knew it.
    Kernel::get().sleep(500ms);
    const std::size_t again = begin("requeue again", letter.agent, letter.event);
    end(again, call(static_cast<std::size_t>(host), "requeue", params.bytes()));
  }
}

void Operators::purge(const FaultPlan& fault) {
  const auto asker = ask_spool(fault.a);
  if (!asker) return;
  LetterQuery query;
  query.state = LetterState::Dead;
  query.payload = LetterQuery::Payload::Without;
  auto letters = asker->ask(spool_question::letters(query), patience);
  if (!letters) return;
  for (const LetterRecord& letter : some_of(std::move(*letters), fault.amount, 1)) {
    const std::size_t operation = begin("purge", letter.agent, letter.event);
    MsgpackWriter params;
    params.map(1);
    params.str("keys");
    params.array(1);
    params.array(3);
    params.str(letter.event);
    params.str(letter.agent);
    params.uint(letter.round);
    end(operation, call(fault.a, "purge", params.bytes()));
  }
}

const SubscriptionPlan* Operators::some_durable(double draw) const {
  std::vector<const SubscriptionPlan*> durable;
  for (const SubscriptionPlan& subscription : world_.plan.subscriptions) {
    if (!subscription.durable.empty()) durable.push_back(&subscription);
  }
  return durable.empty() ? nullptr : durable[static_cast<std::size_t>(draw * static_cast<double>(durable.size()))];
}

void Operators::skip_stalled(const std::vector<NodeReport>& reports) {
  for (std::size_t host = 0; host < reports.size(); ++host) {
    if (!reports[host].pending.is_array()) continue;
    for (const auto& durable : reports[host].pending) {
      const bool stalled =
          std::ranges::any_of(durable["streams"], [](const auto& stream) { return stream["stalled"] != ""; });
      if (!stalled) continue;
      const std::string name = durable["name"];
      const auto chosen = std::ranges::find(world_.plan.subscriptions, name, &SubscriptionPlan::durable);
      const bool is_planned = chosen != world_.plan.subscriptions.end();
      if (!is_planned && !group_of(name)) continue;  // a share is skipped where it is
      const std::size_t at = is_planned ? chosen->host : host;
      spawn("operator", [this, name, at] { change_subscription(name, at, Change::Skip); });
    }
  }
}

void Operators::change_subscription(const std::string& name, std::size_t host, Change change) {
  const bool skips = change == Change::Skip;
  const std::size_t operation = begin(skips ? "skip" : "reset", name, "");
  MsgpackWriter params;
  params.map(skips ? 2 : 3);
  params.str("name");
  params.str(name);
  params.str("action");
  params.str(skips ? "skip" : "reset");
  if (!skips) {
    params.str("start");
    params.str("beginning");
  }
  end(operation, call(host, "subscription", params.bytes()));
}

void Operators::replay(const FaultPlan& fault) {
  const auto asker = ask_spool(fault.a);
  if (!asker) return;
  ScanQuery query;
  query.bytes_max = 64 << 10;
  query.from = 1 + static_cast<CommitNumber>(fault.amount * 200);
  const auto page = asker->ask(spool_question::scan(query), patience);
  if (!page) return;
  std::vector<Bytes> events;
  for (const StoredFrame& stored : page->frames) {
    const auto frame = Frame::decode(stored.frame, page->owner);
    if (!frame) continue;
    for (const EventView& event : (*frame)->events()) {
      if (!event.defect.empty() || tag_in(event.data) == 0 || events.size() == replayed_at_once) continue;
      if (auto map = to_cloudevent_msgpack(event)) events.push_back(std::move(*map));
    }
  }
  const std::size_t operation =
      begin("replay", world_.plan.hosts[fault.a].name, std::to_string(events.size()) + " events");
  MsgpackWriter params;
  params.map(2);
  params.str("events");
  params.array(static_cast<std::uint32_t>(events.size()));
  for (const Bytes& event : events) params.raw(event);
  params.str("to");
  params.str("mesh");
  end(operation, call(fault.b, "replay", params.bytes()));
}

}  // namespace legion::sim
