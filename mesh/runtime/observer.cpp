#include <legion/runtime/observer.hpp>

#include <algorithm>
#include <map>
#include <set>

#include <legion/core/ledger.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/control_caller.hpp>
#include <legion/runtime/control_connection.hpp>
#include <legion/runtime/draw.hpp>
#include <legion/runtime/mesh_reader.hpp>
#include <legion/runtime/roster_pages.hpp>
#include <legion/runtime/tails_params.hpp>

namespace legion {

namespace {

constexpr Duration wait_max = 50ms;
constexpr std::size_t frames_per_call = 4096;
constexpr std::size_t frames_per_look = 8;
constexpr Duration read_on_for = 3s;     // after a goodbye
constexpr Duration loss_check_interval = 100ms;  // a look at the books walks every stream
constexpr Duration silent_after = 10s;  // a node nothing was heard of for so long is not counted as covered
constexpr std::string_view heartbeat_type = "agent.heartbeat";

Filter heartbeat_filter() { return *Filter::parse(heartbeat_type); }

}  // namespace

struct Observer::State {
  struct Node {
    Member member;
    SteadyTime heard;
    std::set<Priority> links_synced;
    bool covered = false;
    bool silent = false;
    std::optional<SteadyTime> left_at;  // it said goodbye; its links are read for a little longer
    bool asked_again = false;           // the first question after it left may have come before its goodbye
    std::size_t questions = 0;          // about its last words, not answered yet
    bool gone() const { return silent || left_at.has_value(); }
  };

  ObserverOptions options;
  LogSink log;
  std::uint64_t seed = draw_seed();
  BootId boot = draw_boot_id();
  std::unique_ptr<transport::Poller> poller;
  std::unique_ptr<transport::Context> context;
  Ledger ledger;
  std::unique_ptr<MeshReader> reader;
  std::unique_ptr<ControlCaller> caller;
  std::vector<LedgerSubscription> wanted;   // of the caller's filters
  std::map<std::string, Node> nodes;
  std::map<std::string, std::uint64_t> asked_hash;  // the differing roster hash a node was last asked about
  std::vector<Heartbeat> heartbeats;        // of this call, to be handled after the frames
  std::uint64_t lost = 0;
  bool all_covered = false;
  SteadyTime next_loss_check;
  const ObserverHandler* handler = nullptr;  // during run_once()
  Now now;

  State(ObserverOptions opts, LogSink sink)
      : options(std::move(opts)), log(std::move(sink)), ledger("~" + boot.hex().substr(0, 16), std::nullopt, seed) {}

  bool wants(Priority lane) const { return std::ranges::find(options.lanes, lane) != options.lanes.end(); }

  std::vector<Priority> lanes_to_read() const {
    std::vector<Priority> lanes{Priority::Critical};  // heartbeats tell who is there
    for (const Priority lane : all_priorities) {
      if (lane != Priority::Critical && wants(lane)) lanes.push_back(lane);
    }
    return lanes;
  }

  Result<void> open();
  void learn(const std::vector<Member>& roster);
  void learn(const Member& member);
  void fetch_roster(const Member& from);
  void connect(const Member& member);
  void leave(Node& node);
  void forget(const std::string& name);
  void count_last_words(const Origin& origin);
  void cover(Node& node);
  void uncover(Node& node, std::string_view why);
  void on_synced(const std::string& origin, Priority lane);
  void on_frame(const std::shared_ptr<const Frame>& frame, const FrameVerdict& verdict);
  void on_heartbeat(const Heartbeat& heartbeat);
  void check_silence();
  void check_coverage();
  void check_losses();
};

Observer::Observer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Observer::~Observer() = default;

Result<std::unique_ptr<Observer>> Observer::open(ObserverOptions options, LogSink log) {
  auto state = std::make_unique<State>(std::move(options), std::move(log));
  if (auto opened = state->open(); !opened) return std::unexpected(opened.error());
  return std::unique_ptr<Observer>(new Observer(std::move(state)));
}

Result<void> Observer::State::open() {
  now = read_clocks();
  auto connection = ControlConnection::open(options.node);
  if (!connection) return std::unexpected(connection.error());
  HelloRequest request;
  request.observer = true;
  request.self.name = "observer";
  request.self.boot = boot;
  const auto answer = (*connection)->call("hello", encode(request), options.timeout);
  if (!answer) return std::unexpected(answer.error());
  const auto reply = decode_hello_reply(*answer);
  if (!reply) return std::unexpected(reply.error());

  auto waits = transport::Poller::create();
  if (!waits) return std::unexpected(waits.error());
  poller = std::move(*waits);
  auto made = transport::Context::create();
  if (!made) return std::unexpected(made.error());
  context = std::move(*made);
  MeshReaderOptions reader_options;
  reader_options.lanes = lanes_to_read();
  auto opened = MeshReader::create(*context, reader_options, ledger, log);
  if (!opened) return std::unexpected(opened.error());
  reader = std::move(*opened);
  auto resolver = transport::Resolver::create();
  if (!resolver) return std::unexpected(resolver.error());
  caller = std::make_unique<ControlCaller>(*context, transport::ControlClientOptions{}, std::move(*resolver));
  poller->add(reader->pollables());
  caller->watch(*poller);

  if (options.filters.empty()) options.filters.push_back(*Filter::parse("*"));
  for (const Filter& filter : options.filters) {
    wanted.push_back(ledger.add_subscription(filter));
    reader->subscribe(filter);
  }
  ledger.add_subscription(heartbeat_filter());
  reader->subscribe(heartbeat_filter());
  reader->on_synced = [this](const std::string& origin, Priority lane) { on_synced(origin, lane); };
  reader->on_link_down = [this](const std::string& name, Priority lane) {
    const auto found = nodes.find(name);
    if (found == nodes.end()) return;
    found->second.links_synced.erase(lane);
    uncover(found->second, "the link is down");
  };
  learn(reply->self);
  learn(reply->roster);
  if (reply->more) fetch_roster(reply->self);
  return {};
}

void Observer::State::learn(const std::vector<Member>& roster) {
  for (const Member& member : roster) learn(member);
}

void Observer::State::fetch_roster(const Member& from) {
  fetch_roster_pages(*caller, now, from.endpoints.control, options.timeout,
                     [this, name = from.name](Result<RosterPage> page) {
                       if (page) {
                         learn(page->members);
                       } else {
                         asked_hash.erase(name);  // its next heartbeat asks again
                       }
                     });
}

void Observer::State::learn(const Member& member) {
  const auto found = nodes.find(member.name);
  if (member.state == MemberState::Left) {
    if (found != nodes.end() && found->second.member.incarnation <= member.incarnation) leave(found->second);
    return;
  }
  if (member.incarnation == 0) return;  // still joining; its heartbeat tells when it is there
  if (found != nodes.end()) {
    Node& node = found->second;
    if (member.incarnation < node.member.incarnation) return;
    const bool reborn = member.incarnation > node.member.incarnation;
    if (!reborn && node.left_at) return;
    const bool moved = member.endpoints != node.member.endpoints;
    const Origin before{node.member.name, node.member.incarnation};
    node.member = member;
    if (reborn) {
      ledger.on_origin_incarnation(now, {member.name, member.incarnation});
      if (!node.gone()) count_last_words(before);
      node.left_at.reset();
      node.asked_again = false;
    }
    if (moved) {
      node.links_synced.clear();
      uncover(node, "it has moved to " + member.endpoints.control);
    }
    if (moved) connect(member);
    return;
  }
  Node node;
  node.member = member;
  node.heard = now.steady;
  node.silent = member.state == MemberState::Dead;
  nodes.emplace(member.name, std::move(node));
  connect(member);
}

void Observer::State::connect(const Member& member) {
  const std::vector<std::string> uris(member.endpoints.lanes.begin(), member.endpoints.lanes.end());
  caller->resolve(uris, [this, name = member.name](Result<std::vector<std::string>> result) {
    if (!result) {
      log(LogLevel::Warn, "cannot connect to " + name + ": " + result.error().message);
      return;
    }
    if (!nodes.contains(name)) return;
    std::array<std::string, limits::lane_count> lanes;
    std::ranges::copy(*result, lanes.begin());
    reader->connect(now, name, lanes);
  });
}

// Its last events may still wait in the lower lanes while its goodbye came on the critical one, and closing a link throws
// away what has not been read.
void Observer::State::leave(Node& node) {
  if (node.left_at) return;
  node.left_at = now.steady;
  node.member.state = MemberState::Left;
  uncover(node, "it left");
  const Origin origin{node.member.name, node.member.incarnation};
  ledger.on_origin_dead(now, origin);
  count_last_words(origin);
}

void Observer::State::forget(const std::string& name) {
  nodes.erase(name);
  reader->disconnect(now, name);
  ledger.forget_origin(name);
}

// What an origin that is gone had published last, as far as another node heard it.
void Observer::State::count_last_words(const Origin& origin) {
  for (const auto& [name, node] : nodes) {
    if (name == origin.node || node.gone()) continue;
    for (const Priority lane : lanes_to_read()) {
      ++nodes[origin.node].questions;
      caller->call(now, node.member.endpoints.control, "tails", tails_params(origin, lane), options.timeout,
                   [this, origin, lane](Result<Bytes> result) {
                     if (const auto asked = nodes.find(origin.node); asked != nodes.end()) --asked->second.questions;
                     if (!result) return;  // another node may know as much
                     if (const auto tails = decode_tails(*result)) ledger.on_foreign_tails(origin, lane, *tails);
                   });
    }
  }
}

void Observer::State::uncover(Node& node, std::string_view why) {
  if (!std::exchange(node.covered, false)) return;
  if (handler != nullptr && handler->on_uncovered) handler->on_uncovered(node.member, why);
}

void Observer::State::on_synced(const std::string& origin, Priority lane) {
  const auto found = nodes.find(origin);
  if (found == nodes.end()) return;
  Node& node = found->second;
  node.heard = now.steady;
  node.silent = false;
  node.links_synced.insert(lane);
  cover(node);
}

void Observer::State::cover(Node& node) {
  if (node.covered || node.links_synced.size() < lanes_to_read().size()) return;
  node.covered = true;
  if (handler != nullptr && handler->on_covered) handler->on_covered(node.member);
}

void Observer::State::on_frame(const std::shared_ptr<const Frame>& frame, const FrameVerdict& verdict) {
  const FrameHeader& header = frame->header();
  const bool ours = std::ranges::any_of(
      *verdict.routes, [&](const LedgerRoute& route) { return std::ranges::find(wanted, route.subscription) != wanted.end(); });
  for (std::size_t i = verdict.skip; i < frame->events().size(); ++i) {
    const EventPtr event = Frame::event_ptr(frame, i);
    if (header.type == heartbeat_type && event->defect.empty()) {
      if (auto heartbeat = decode_heartbeat(event->data)) heartbeats.push_back(std::move(*heartbeat));
    }
    if (ours && wants(header.lane) && handler->on_event) handler->on_event(event);
  }
}

void Observer::State::on_heartbeat(const Heartbeat& heartbeat) {
  if (heartbeat.leaving) {
    const auto found = nodes.find(heartbeat.self.name);
    if (found != nodes.end() && found->second.member.incarnation <= heartbeat.self.incarnation) leave(found->second);
    return;
  }
  learn(heartbeat.self);
  const auto found = nodes.find(heartbeat.self.name);
  if (found == nodes.end() || found->second.left_at) return;
  found->second.heard = now.steady;
  if (std::exchange(found->second.silent, false)) {
    ledger.on_origin_back(now, {found->second.member.name, found->second.member.incarnation});
  }
  cover(found->second);

  std::uint64_t known = 0;
  for (const auto& [name, node] : nodes) known += node.member.state == MemberState::Left ? 0 : member_hash(node.member);
  if (known == heartbeat.roster_hash) return;
  auto& asked = asked_hash[heartbeat.self.name];
  if (asked == heartbeat.roster_hash) return;
  asked = heartbeat.roster_hash;
  fetch_roster(heartbeat.self);
}

void Observer::State::check_silence() {
  std::vector<std::string> over;
  for (auto& [name, node] : nodes) {
    if (node.left_at && now.steady - *node.left_at >= read_on_for) {
      if (!std::exchange(node.asked_again, true)) count_last_words({name, node.member.incarnation});
      if (node.questions == 0) over.push_back(name);
    }
    if (node.gone() || now.steady - node.heard < silent_after) continue;
    node.silent = true;
    uncover(node, "nothing was heard of it for " + std::to_string(silent_after / 1s) + " s");
    const Origin origin{name, node.member.incarnation};
    ledger.on_origin_dead(now, origin);
    count_last_words(origin);
  }
  for (const std::string& name : over) forget(name);
}

void Observer::State::check_coverage() {
  std::size_t covered = 0;
  bool all = true;
  for (const auto& [name, node] : nodes) {
    if (node.gone()) continue;
    covered += node.covered ? 1 : 0;
    all = all && node.covered;
  }
  all = all && covered > 0;
  if (std::exchange(all_covered, all) == all || !all) return;
  if (handler->on_all_covered) handler->on_all_covered(covered);
}

void Observer::State::check_losses() {
  if (now.steady < next_loss_check) return;
  next_loss_check = now.steady + loss_check_interval;
  std::uint64_t sum = 0;
  for (const LedgerSubscription subscription : wanted) {
    const Books books = ledger.books(subscription);
    sum += books.lost_for(LossReason::Link) + books.lost_for(LossReason::OriginDied);
  }
  if (sum > lost && handler->on_lost) handler->on_lost(sum - lost, sum);
  lost = sum;
}

void Observer::run_once(Duration wait, const ObserverHandler& handler) {
  State& state = *state_;
  state.handler = &handler;
  state.poller->wait(std::min(wait, wait_max));
  state.now = read_clocks();
  const MeshReader::OnFrame on_frame = [&](const std::shared_ptr<const Frame>& frame, const FrameVerdict& verdict) {
    state.on_frame(frame, verdict);
  };
  for (std::size_t read = 0; read < frames_per_call;) {
    std::size_t got = 0;
    for (const Priority lane : all_priorities) got += state.reader->drain(state.now, lane, frames_per_look, on_frame);
    if (got == 0) break;
    read += got;
    state.poller->look();  // every lane is looked at again, the critical one first
  }
  for (const Heartbeat& heartbeat : std::exchange(state.heartbeats, {})) state.on_heartbeat(heartbeat);
  state.caller->on_tick(state.now);
  state.reader->on_tick(state.now);
  state.check_silence();
  state.check_coverage();
  state.check_losses();
  state.handler = nullptr;
}

std::vector<Member> Observer::members() const {
  std::vector<Member> all;
  for (const auto& [name, node] : state_->nodes) {
    if (!node.left_at) all.push_back(node.member);
  }
  return all;
}

bool Observer::all_covered() const { return state_->all_covered; }

std::uint64_t Observer::lost() const { return state_->lost; }

}  // namespace legion
