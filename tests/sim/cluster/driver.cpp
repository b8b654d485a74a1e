#include "driver.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <legion/event/frame.hpp>

#include "checks/checks.hpp"
#include "convergence.hpp"
#include "kernel/kernel.hpp"
#include "zmq/network.hpp"

namespace legion::sim {

namespace {

constexpr Duration boot_spread = 1500ms;
constexpr Duration settle_pause = 1s;   // between two looks while it converges
constexpr Duration rest_before_books = 3s;
constexpr Duration skip_after = 40s;    // all spools have been compared with each other by then
constexpr Duration spools_compare_within = 33s;
constexpr Duration sample_every = 7s;
constexpr Duration look_every = 1s;
constexpr Duration reading_max = 60s;
constexpr Duration answer_max = 20s;

Kernel& kernel() { return Kernel::get(); }

}  // namespace

Driver::Driver(Plan plan)
    : plan_((kernel().reset(plan.seed), std::move(plan))),
      world_{.plan = plan_, .history = history_, .repaired = {}, .kills = {}, .durable_copies = {}, .die = {}},
      environment_(plan_),
      cluster_(world_, environment_),
      operators_(world_, environment_),
      evidence_(plan_, history_),
      store_watch_(plan_, history_, environment_),
      cuts_(plan_.hosts.size() * plan_.hosts.size(), 0) {
  world_.durable_copies = [this](const Place& place) { return durable_copies(place); };
  if (plan_.mark_max > 0) {
    environment_.watch_lanes([this](std::size_t to, std::string_view message, Environment::Queue queue) {
      history_.sent_to(to, message, {.at = kernel().now(), .dropped = queue == Environment::Queue::WasFull});
    });
  }
  result_.seed = plan_.seed;
  result_.wild = plan_.wild;
  result_.hosts = plan_.hosts.size();
}

RunResult Driver::run() {
  if (kernel().traced()) std::fputs(describe(plan_).c_str(), stdout);
  boot_all();
  schedule(plan_.faults);
  sample_later();
  look_at_stores_later();
  kernel().run_until(Kernel::begins_at + plan_.safety);
  heal();
  evidence_.healed = kernel().now();
  if (converge(evidence_.before_books, "the faults")) {
    world_.publishing = true;
    schedule(plan_.network_faults);
    kernel().run_until(kernel().now() + plan_.books);
    heal();
    evidence_.converged = converge(evidence_.after_books, "the faults of the network");
    if (plan_.spools() > 1) kernel().run_until(kernel().now() + spools_compare_within);
  }
  ++phase_;
  evidence_.told_to_stop = kernel().now();
  end_all();
  read_stores();
  judge();
  environment_.remove_files();
  result_.digest = kernel().digest();
  result_.simulated = kernel().now() - Kernel::begins_at;
  result_.published = history_.publishings.size();
  result_.handed = history_.hand_overs.size();
  result_.dropped_full = Network::get().figures().dropped_full;
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    result_.unsynced_undone += environment_.disk(i).figures().files_torn;
    result_.failed_writes += environment_.disk(i).figures().failed_writes;
    result_.short_writes += environment_.disk(i).figures().short_writes;
  }
  result_.lives = history_.lives.size();
  return std::move(result_);
}

std::size_t Driver::durable_copies(const Place& place) {
  const StreamId& stream = history_.streams[place.stream];
  std::size_t copies = 0;
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    if (!plan_.hosts[i].spool) continue;
    MemoryStore* contents = environment_.disk(i).contents();
    if (contents == nullptr) continue;
    const auto found = (*contents->open_reader())
                           ->find({stream.origin.node, stream.origin.incarnation, stream.lane, stream.type,
                                   stream.shard, place.sequence});
    copies += found && *found ? 1 : 0;
  }
  return copies;
}

void Driver::boot_all() {
  Rng rng(plan_.seed * 7919 + 3);
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    const Duration delay{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(boot_spread.count())))};
    kernel().after(delay, [this, i] { cluster_.boot(i); });
  }
}

void Driver::schedule(const std::vector<FaultPlan>& faults) {
  const std::uint32_t phase = ++phase_;
  for (const FaultPlan& fault : faults) {
    kernel().after(fault.at, [this, &fault, phase] {
      if (phase != phase_) return;
      kernel().trace("plan", to_string(fault.kind));
      ++result_.faults[static_cast<std::size_t>(fault.kind)];
      begin(fault);
      if (fault.lasts <= Duration{0}) return;
      if (fault.kind == Fault::Partition || fault.kind == Fault::OneWay || fault.kind == Fault::Clog)
        going_on_.push_back(fault);
      kernel().after(fault.lasts, [this, &fault, phase] {
        if (phase != phase_) return;
        std::erase_if(going_on_, [&](const FaultPlan& one) { return one.at == fault.at && one.kind == fault.kind; });
        end(fault);
      });
    });
  }
}

void Driver::cut_link(std::size_t from, std::size_t to, int by) {
  if (from == to) return;
  int& cuts = cuts_[from * plan_.hosts.size() + to];
  const int before = std::exchange(cuts, cuts + by);
  if ((before > 0) == (cuts > 0)) return;
  environment_.set_link(from, to, cuts > 0 ? Environment::Way::Cut : Environment::Way::Open);
}

void Driver::cut_links(const FaultPlan& fault, int by) {
  const std::size_t hosts = plan_.hosts.size();
  switch (fault.kind) {
    case Fault::Partition:
      for (std::size_t from = 0; from < hosts; ++from) {
        for (std::size_t to = 0; to < hosts; ++to) {
          if ((fault.group >> from & 1) != (fault.group >> to & 1)) cut_link(from, to, by);
        }
      }
      return;
    case Fault::OneWay: return cut_link(fault.a, fault.b, by);
    default: return;
  }
}

/// Half of the connections do not live through it, and what was on its way is gone with them.
void Driver::break_connections(const FaultPlan& fault) {
  if (fault.amount < 0.5) return;
  const std::size_t hosts = plan_.hosts.size();
  for (std::size_t a = 0; a < hosts; ++a) {
    for (std::size_t b = a + 1; b < hosts; ++b) {
      const bool parted = (fault.group >> a & 1) != (fault.group >> b & 1);
      const bool is_pair = (a == fault.a && b == fault.b) || (a == fault.b && b == fault.a);
      if (fault.kind == Fault::Partition ? parted : is_pair) environment_.reset_connections(a, b);
    }
  }
}

void Driver::flap(const FaultPlan& fault, SteadyTime until, bool up) {
  cut_link(fault.a, fault.b, up ? -1 : 1);
  cut_link(fault.b, fault.a, up ? -1 : 1);
  if (up && kernel().now() >= until) return;
  const Duration pause{static_cast<std::int64_t>(50e6 + fault.amount * 700e6)};
  kernel().after(pause, [this, &fault, until, up, phase = phase_] {
    if (phase == phase_) flap(fault, until, !up);
  });
}

void Driver::begin(const FaultPlan& fault) {
  switch (fault.kind) {
    case Fault::Partition:
    case Fault::OneWay: return cut_links(fault, 1);
    case Fault::Clog:
      environment_.clog(fault.a, fault.b, fault.lasts);
      return environment_.clog(fault.b, fault.a, fault.lasts);
    case Fault::Flap: return flap(fault, kernel().now() + fault.lasts, false);
    case Fault::Delay:
    case Fault::Capacity:
      for (const auto& [from, to] : {std::pair{fault.a, fault.b}, {fault.b, fault.a}}) {
        if (fault.kind == Fault::Delay)
          environment_.set_delay(from, to, Duration{static_cast<std::int64_t>(fault.amount * 1e9)});
        if (fault.kind == Fault::Capacity) environment_.set_capacity(from, to, fault.amount);
      }
      return;
    case Fault::Reset: return environment_.reset_connections(fault.a, fault.b);
    case Fault::Requeue:
    case Fault::Purge:
    case Fault::Skip:
    case Fault::ResetCursor:
    case Fault::Replay: return operators_.act(fault);
    default: return begin_at_host(fault);
  }
}

void Driver::begin_at_host(const FaultPlan& fault) {
  DiskSettings& disk = environment_.disk(fault.a).settings;
  switch (fault.kind) {
    case Fault::Crash: cluster_.hold_down(fault.a); return cluster_.kill(fault.a, Cluster::Death::OfProcess);
    case Fault::PowerCut: cluster_.hold_down(fault.a); return cluster_.kill(fault.a, Cluster::Death::OfMachine);
    case Fault::Wipe:
      cluster_.hold_down(fault.a);
      cluster_.kill(fault.a, Cluster::Death::OfMachine);
      if (plan_.hosts[fault.a].spool) history_.store_losses.push_back({kernel().now(), fault.a, "wiped"});
      return cluster_.wipe(fault.a);
    case Fault::DamagedBlock:
      cluster_.hold_down(fault.a);
      cluster_.kill(fault.a, Cluster::Death::OfProcess);
      if (environment_.disk(fault.a).damage_block())
        history_.store_losses.push_back({kernel().now(), fault.a, "damaged"});
      return;
    case Fault::Pause: return cluster_.pause(fault.a);
    case Fault::WallStep: return cluster_.step_wall(fault.a, Duration{static_cast<std::int64_t>(fault.amount * 1e9)});
    case Fault::SlowDisk:
      disk.slow_percent = 50;
      disk.slow_sync = Duration{static_cast<std::int64_t>(fault.amount * 1e9)};
      return;
    case Fault::DiskError: disk.trouble = DiskSettings::Trouble::Broken; return;
    case Fault::DiskFull: disk.trouble = DiskSettings::Trouble::Full; return;
    case Fault::Restart: return cluster_.terminate(fault.a);
    case Fault::AgentDown: return cluster_.send_agent_away(fault.a, fault.amount, fault.lasts);
    default: return;
  }
}

void Driver::end(const FaultPlan& fault) {
  DiskSettings& disk = environment_.disk(fault.a).settings;
  switch (fault.kind) {
    case Fault::Partition:
    case Fault::OneWay: cut_links(fault, -1); return break_connections(fault);
    case Fault::Clog: return break_connections(fault);
    case Fault::Delay:
    case Fault::Capacity:
      for (const auto& [from, to] : {std::pair{fault.a, fault.b}, {fault.b, fault.a}}) {
        if (fault.kind == Fault::Delay) environment_.set_delay(from, to, Duration{0});
        if (fault.kind == Fault::Capacity) environment_.set_capacity(from, to, 0);
      }
      return;
    case Fault::Crash:
    case Fault::PowerCut:
    case Fault::Wipe:
    case Fault::DamagedBlock: return cluster_.release(fault.a);
    case Fault::Pause: return cluster_.resume(fault.a);
    case Fault::SlowDisk: disk.slow_percent = 0; return;
    case Fault::DiskError:
    case Fault::DiskFull:
      disk.trouble = DiskSettings::Trouble::None;
      return cluster_.terminate(fault.a);  // a frozen store is frozen until its next life
    default: return;
  }
}

void Driver::look_at_stores_later() {
  kernel().after(look_every, [this] {
    if (evidence_.told_to_stop.ns != 0) return;
    store_watch_.look();
    look_at_stores_later();
  });
}

void Driver::sample_later() {
  kernel().after(sample_every, [this] {
    if (evidence_.healed.ns != 0) return;
    const std::size_t host = samples_.size() % plan_.hosts.size();
    if (cluster_.is_running(host)) samples_.emplace_back(host, operators_.ask(host));
    sample_later();
  });
}

void Driver::heal() {
  ++phase_;
  kernel().trace("plan", "everything heals");
  world_.publishing = false;
  world_.handlers_behave = true;
  for (const FaultPlan& fault : going_on_) break_connections(fault);
  going_on_.clear();
  std::ranges::fill(cuts_, 0);
  environment_.heal_links();
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    DiskSettings& disk = environment_.disk(i).settings;
    disk.slow_percent = 0;
    if (disk.trouble != DiskSettings::Trouble::None) {
      disk.trouble = DiskSettings::Trouble::None;
      cluster_.terminate(i);
    }
    cluster_.resume(i);
    cluster_.release(i);
  }
}

bool Driver::run_while(Duration limit, const std::function<bool()>& going_on) {
  const SteadyTime deadline = kernel().now() + limit;
  while (going_on()) {
    if (kernel().now() >= deadline) return false;
    kernel().run_until(std::min(deadline, kernel().now() + 20ms));
  }
  return true;
}

std::vector<NodeReport> Driver::ask_all() {
  std::vector<std::shared_ptr<NodeReport>> asked;
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    asked.push_back(cluster_.is_running(i) ? operators_.ask(i) : std::make_shared<NodeReport>());
    if (!cluster_.is_running(i)) {
      asked.back()->finished = true;
      asked.back()->trouble = "it does not run";
    }
  }
  run_while(answer_max, [&] { return !std::ranges::all_of(asked, [](const auto& one) { return one->finished; }); });
  std::vector<NodeReport> reports;
  for (const auto& one : asked) reports.push_back(*one);
  return reports;
}

bool Driver::converge(std::vector<NodeReport>& reports, const char* after) {
  const SteadyTime began = kernel().now();
  const SteadyTime deadline = began + plan_.converge_max;
  kernel().run_until(kernel().now() + rest_before_books);
  bool was_settled = false;
  while (true) {
    // What went out last and was dropped on its way, the next tail marker tells of.
    kernel().run_until(kernel().now() + (was_settled ? 2 * plan_.heartbeat_interval : settle_pause));
    reports = ask_all();
    std::string missing = unsettled(plan_, reports);
    if (kernel().traced() && !missing.empty()) kernel().trace("driver", "not settled:\n" + missing);
    if (missing.empty() && std::exchange(was_settled, true)) return true;
    if (missing.empty()) continue;
    was_settled = false;
    // Of what a lost disk took along nobody will ever say never: that is for a person to decide.
    if (!history_.store_losses.empty() && kernel().now() > began + skip_after) operators_.skip_stalled(reports);
    if (kernel().now() < deadline) continue;
    result_.violations.push_back({"G7 liveness", "not settled " + std::to_string(plan_.converge_max / 1s) +
                                                     " s of simulated time after " + after + " ended:\n" + missing});
    return false;
  }
}

void Driver::end_hosts(const std::vector<std::size_t>& hosts) {
  for (const std::size_t host : hosts) cluster_.terminate(host);
  run_while(plan_.drain_max,
            [&] { return std::ranges::any_of(hosts, [&](std::size_t host) { return cluster_.is_running(host); }); });
}

/// Spools last, one after the other, because the others still have to be confirmed.
void Driver::end_all() {
  kernel().trace("plan", "everybody is told to stop");
  cluster_.end_of_lives();
  std::vector<std::size_t> plain;
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    if (!plan_.hosts[i].spool) plain.push_back(i);
  }
  end_hosts(plain);
  for (std::size_t i = plan_.hosts.size(); i-- > 0;) {
    if (plan_.hosts[i].spool) end_hosts({i});
  }
}

void Driver::read_store(std::size_t host, StoreContents& contents) {
  auto store = environment_.disk(host).open_store();
  if (!store) {
    contents.trouble = store.error().message;
    return;
  }
  const auto reader = (*store)->open_reader();
  ScanQuery query;
  while (true) {
    const auto page = (*reader)->scan(query);
    if (!page) {
      contents.trouble = page.error().message;
      return;
    }
    for (const StoredFrame& stored : page->frames) {
      const auto frame = Frame::decode(Bytes(stored.frame.begin(), stored.frame.end()));
      if (!frame) {
        contents.trouble = "a frame does not decode: " + frame.error().message;
        continue;
      }
      for (const EventView& event : (*frame)->events()) {
        const auto [found, fresh] = contents.events.try_emplace(history_.place_of(event.id()));
        if (!fresh) ++found->second.times;
        found->second.held_for = stored.held_for;
        found->second.tag = tag_in(event.data);
        found->second.bytes =
            std::hash<std::string_view>{}(as_text(event.data)) * 31 + static_cast<std::uint64_t>(event.time.ns);
      }
    }
    if (page->at_end) break;
    query.from = page->next;
  }
  for (const LetterState state :
       {LetterState::Dead, LetterState::Requeued, LetterState::Resolved, LetterState::Purged}) {
    LetterQuery letters;
    letters.state = state;
    while (true) {
      auto page = (*reader)->letters(letters);
      if (!page) contents.trouble = "letters: " + page.error().message;
      if (!page || page->empty()) break;
      letters.after = page->back().key();
      for (LetterRecord& letter : *page) contents.letters.push_back(std::move(letter));
    }
  }
  read_records(**reader, contents);
  if (auto cursors = (*reader)->cursors()) {
    contents.cursors = std::move(*cursors);
  } else {
    contents.trouble = "cursors: " + cursors.error().message;
  }
}

void Driver::read_records(StoreReader& reader, StoreContents& contents) {
  for (const JournalState& journal : environment_.disk(contents.host).contents()->journals()) {
    if (journal.journal != JournalKind::Confirmed) continue;
    StreamQuery query{.stream = {journal.origin, Priority::High, std::string(record_type), 0}};
    while (true) {
      const auto page = reader.read_stream(query);
      if (!page) contents.trouble = "records: " + page.error().message;
      if (!page || page->parts.empty()) break;
      for (const StreamPage::Part& part : page->parts) {
        if (part.kind != StreamPage::Part::Kind::Frame) continue;
        const auto frame = Frame::decode(Bytes(part.frame.begin(), part.frame.end()));
        if (!frame) contents.trouble = "a frame of records does not decode: " + frame.error().message;
        if (!frame) continue;
        for (const EventView& event : (*frame)->events()) {
          auto record = decode_spool_record(event.data);
          if (!record) contents.trouble = "a record does not decode: " + record.error().message;
          if (record) contents.records[journal.origin].push_back(std::move(*record));
        }
      }
      if (page->next > page->stored_to || page->next <= query.first) break;
      query.first = page->next;
    }
  }
}

void Driver::read_stores() {
  std::size_t missing = 0;
  for (std::size_t i = 0; i < plan_.hosts.size(); ++i) {
    if (!plan_.hosts[i].spool) continue;
    evidence_.stores.push_back({.host = i, .trouble = {}, .events = {}, .letters = {}, .cursors = {}, .records = {}});
    ++missing;
  }
  const auto process = kernel().spawn("reader", [this, &missing] {
    for (StoreContents& contents : evidence_.stores) {
      read_store(contents.host, contents);
      --missing;
    }
  });
  environment_.place_operator(*process);
  if (!run_while(reading_max, [&] { return missing > 0; })) {
    for (std::size_t i = evidence_.stores.size() - missing; i < evidence_.stores.size(); ++i)
      evidence_.stores[i].trouble = "could not be read in time";
  }
  evidence_.stored_before = store_watch_.seen();
}

void Driver::judge() {
  for (const auto& [host, report] : samples_) {
    if (!report->finished || !report->trouble.empty()) continue;
    evidence_.samples.push_back(*report);
    evidence_.sampled_hosts.push_back(host);
  }
  evidence_.index();
  for (const Check& check : all_checks()) {
    Violations found;
    check.judge(evidence_, found);
    for (Violation& violation : found) {
      violation.guarantee += " [" + std::string(check.name) + ']';
      result_.violations.push_back(std::move(violation));
    }
  }
}

RunResult run_seed(std::uint64_t seed) { return run_plan(draw_plan(seed)); }

RunResult run_plan(Plan plan) {
  // Never destroyed: processes of the run point into it, and their fibers are only let go of by the next reset.
  auto* driver = new Driver(std::move(plan));
  return driver->run();
}

}  // namespace legion::sim
