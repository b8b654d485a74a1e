// The links of the inlet: who may speak, and in which session.
#include <legion/core/journal_inlet.hpp>

#include <algorithm>
#include <utility>

#include <legion/core/journal_inlet_state.hpp>

namespace legion {
namespace {

constexpr std::size_t strangers_max = 64;
constexpr std::size_t sources_max = limits::roster_entries_max;
constexpr std::string_view later_life = "the spool knows a later life of this node";

}  // namespace

JournalInlet::JournalInlet(StoreId store, Config config) : state_(std::make_unique<State>(store, config)) {}
JournalInlet::~JournalInlet() = default;

void JournalInlet::on_stored(const Origin& origin, JournalKind journal, Position floor,
                             std::span<const PositionRange> ranges) {
  State::Source& source = state_->source(origin);
  State::Intake& intake = source.intakes[journal_index(journal)];
  const Position before = intake.durable;
  intake.durable = std::max(intake.durable, floor);
  for (const PositionRange& range : ranges) {
    if (range.first <= intake.durable + 1) intake.durable = std::max(intake.durable, range.last);
  }
  intake.taken = std::max(intake.taken, intake.durable);
  intake.stored.assign(ranges.begin(), ranges.end());
  state_->pass_stored(intake);
  if (intake.given <= intake.durable) intake.durable = intake.taken;
  if (intake.durable != before) state_->acknowledge(source, journal);
}

void JournalInlet::on_life(const Origin& origin) {
  State& state = *state_;
  Incarnation& newest = state.newest[origin.node];
  if (origin.incarnation <= newest) return;
  newest = origin.incarnation;
  std::vector<std::pair<std::string, LinkSession>> over;
  for (const auto& [peer, link] : state.links) {
    if (state.is_over(link.source->origin)) over.emplace_back(peer, link.session);
  }
  for (const auto& [peer, session] : over) {
    state.refuse(peer, session, ErrorCode::Refused, std::string(later_life));
    state.drop_link(peer);
  }
}

void JournalInlet::on_open(Now, const std::string& peer, const OpenLink& message, const std::string& bound) {
  State& state = *state_;
  state.drop_link(peer);
  if (!message.speaks_our_version()) {
    return state.refuse(peer, message.session, ErrorCode::WrongVersion,
                        "the spool speaks version " + std::to_string(spool_link_version) + " of the spool link");
  }
  if (state.frozen) return state.refuse(peer, message.session, ErrorCode::Io, *state.frozen);
  if (!bound.empty()) return state.refuse(peer, message.session, ErrorCode::Refused, bound);
  if (state.is_over(message.origin)) {
    return state.refuse(peer, message.session, ErrorCode::Refused, std::string(later_life));
  }
  if (state.links.size() >= links_max) {
    return state.refuse(peer, message.session, ErrorCode::WouldBlock, "the spool has too many links");
  }
  state.open(peer, message);
}

void JournalInlet::on_message(Now, const std::string& peer, ToSpool message) {
  State& state = *state_;
  const auto session = std::visit([](const auto& given) { return given.session; }, message);
  State::Link* link = state.find_link(peer);
  if (link == nullptr || link->session != session) {
    ++state.figures.ignored;
    if (link == nullptr) state.on_stranger(peer, session);
    return;
  }
  std::visit([&](auto&& given) { state.on(*link, std::move(given)); }, std::move(message));
}

void JournalInlet::on_committed(Now, const Origin& origin, JournalKind journal, Position through) {
  State& state = *state_;
  const auto found = state.sources.find(origin);
  if (state.frozen || found == state.sources.end()) return;
  State::Intake& intake = found->second.intakes[journal_index(journal)];
  state.settle(intake, through);
  // What was passed over behind the last record waits for nothing.
  intake.durable = std::max(intake.durable, through >= intake.given ? intake.taken : through);
  state.acknowledge(found->second, journal);
}

void JournalInlet::on_frozen(Now, const std::string& reason) {
  State& state = *state_;
  state.frozen = reason;
  while (!state.links.empty()) {
    const State::Link& link = state.links.begin()->second;
    const std::string peer = link.peer;
    state.refuse(peer, link.session, ErrorCode::Io, reason);
    state.drop_link(peer);
  }
}

void JournalInlet::on_store_lost(Now) {
  State& state = *state_;
  for (const auto& [peer, link] : state.links) {
    state.effects.push_back(State::no_such_link(peer, link.session));
  }
  state.recent = nullptr;
  state.links.clear();
  state.to_acknowledge.clear();
  // What was given to the store and is not durable yet is counted no more; opening comes behind it.
  state.sources.clear();
  state.figures.bytes_waiting = 0;
  state.divide_window();
}

void JournalInlet::on_peer_gone(const std::string& peer) { state_->drop_link(peer); }

std::vector<JournalInlet::Effect> JournalInlet::take_effects() {
  std::vector<Effect> effects;
  take_effects(effects);
  return effects;
}

void JournalInlet::take_effects(std::vector<Effect>& effects) {
  state_->flush_acknowledgements();
  effects.clear();
  effects.swap(state_->effects);
}

JournalInlet::Figures JournalInlet::figures() const {
  Figures figures = state_->figures;
  figures.links = state_->links.size();
  return figures;
}

bool JournalInlet::is_linked(const Origin& origin) const {
  const auto found = state_->sources.find(origin);
  return found != state_->sources.end() && !found->second.links.empty();
}

JournalInlet::State::Source& JournalInlet::State::source(const Origin& origin) {
  const auto found = sources.find(origin);
  if (found != sources.end()) return found->second;
  if (sources.size() >= sources_max) forget_sources();
  Source& source = sources[origin];
  source.origin = origin;
  return source;
}

bool JournalInlet::State::is_over(const Origin& origin) const {
  const auto found = newest.find(origin.node);
  return found != newest.end() && origin.incarnation < found->second;
}

/// What the store tells again when they come back.
void JournalInlet::State::forget_sources() {
  std::erase_if(to_acknowledge, [](const Source* of) { return of->links.empty(); });
  std::erase_if(sources, [](const auto& named) {
    const Source& source = named.second;
    return source.links.empty() && source.intakes[0].waiting.bytes() + source.intakes[1].waiting.bytes() == 0;
  });
}

JournalInlet::State::Link* JournalInlet::State::find_link(const std::string& peer) {
  if (recent != nullptr && recent->peer == peer) return recent;
  const auto found = links.find(peer);
  if (found == links.end()) return nullptr;
  return recent = &found->second;
}

void JournalInlet::State::refuse(const std::string& peer, LinkSession session, ErrorCode code, std::string reason) {
  ++figures.refused;
  effects.push_back(Answer{peer, LinkRefused{session, std::string(to_string(code)), std::move(reason)}});
}

void JournalInlet::State::drop_link(const std::string& peer) {
  const auto found = links.find(peer);
  if (found == links.end()) return;
  std::erase(found->second.source->links, &found->second);
  recent = nullptr;
  links.erase(found);
  divide_window();
}

void JournalInlet::State::divide_window() {
  const auto has_link = [](const auto& named) {
    return std::ranges::any_of(named.second.links, [](const Link* link) { return !link->closing; });
  };
  const auto linked = static_cast<std::uint64_t>(std::ranges::count_if(sources, has_link));
  const std::uint64_t share = config.window_bytes_total / std::max<std::uint64_t>(2 * linked, 1);
  window = std::max(window_bytes_min, std::min(share, config.window_bytes_link));
}

void JournalInlet::State::open(const std::string& peer, const OpenLink& message) {
  Source& from = source(message.origin);
  if (from.links.size() >= links_per_origin_max) drop_link(std::string(from.links.front()->peer));
  Link& link = links[peer];
  link.peer = peer;
  link.session = message.session;
  link.source = &from;
  from.links.push_back(&link);
  divide_window();
  tell_opened(link);
}

void JournalInlet::State::tell_opened(const Link& link) {
  LinkOpened opened{.session = link.session, .store = store};
  for (const JournalKind journal : all_journals) {
    const Intake& intake = link.source->intakes[journal_index(journal)];
    LinkOpened::Have& have = opened.journals[journal_index(journal)];
    have.through = intake.durable;
    have.window = window;
    for (const PositionRange& range : intake.stored) {
      if (have.beyond.size() < have_ranges_max && range.first > have.through + 1) have.beyond.push_back(range);
    }
  }
  answer(link, std::move(opened));
}

/// Its OpenLink was lost, or this spool was started anew and it has not noticed.
void JournalInlet::State::on_stranger(const std::string& peer, LinkSession session) {
  const std::pair<std::string, LinkSession> stranger{peer, session};
  if (frozen || std::ranges::find(strangers, stranger) != strangers.end()) return;
  if (strangers.size() == strangers_max) strangers.pop_front();
  strangers.push_back(stranger);
  ++figures.refused;
  effects.push_back(no_such_link(peer, session));
}

JournalInlet::Answer JournalInlet::State::no_such_link(const std::string& peer, LinkSession session) {
  return {peer, LinkRefused{session, std::string(to_string(ErrorCode::Closed)), "there is no such link; open it"}};
}

}  // namespace legion
