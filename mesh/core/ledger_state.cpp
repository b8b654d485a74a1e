#include <legion/core/ledger_state.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/assert.hpp>
#include <legion/base/planted.hpp>

namespace legion {

namespace {

constexpr std::size_t wanted_cache_entries_max = 8192;

LedgerCoordinate coordinate_of(const LedgerStream& stream) {
  return {stream.life->origin.node, stream.life->origin.incarnation, stream.lane, stream.type, stream.shard};
}

}  // namespace

std::size_t LedgerIndexHash::operator()(const LedgerCoordinate& at) const {
  constexpr std::size_t odd = 0x9e3779b97f4a7c15;
  std::size_t hash = std::hash<std::string_view>{}(at.type);
  hash = (hash ^ std::hash<std::string_view>{}(at.node)) * odd;
  hash = (hash ^ at.incarnation) * odd;
  return hash ^ (std::size_t{at.shard} << 8 | lane_index(at.lane)) * odd;
}

std::size_t LedgerIndexHash::operator()(const LedgerStream* stream) const { return (*this)(coordinate_of(*stream)); }

bool LedgerIndexEqual::operator()(const LedgerCoordinate& at, const LedgerStream* stream) const {
  return at == coordinate_of(*stream);
}

Ledger::State::State(std::string receiver, std::optional<Origin> own_origin, std::uint64_t seed)
    : own(std::move(own_origin)), syncs(std::move(receiver), seed) {
  if (!own) return;
  auto life = std::make_unique<LedgerLife>();
  life->origin = *own;
  life->own = true;
  for (LedgerLife::Lane& lane : life->lanes) {
    lane.covered = UINT32_MAX;
    lane.synced = true;
  }
  names[own->node].present = std::move(life);
}

// --- subscriptions ---------------------------------------------------------------------------------------------------

bool Ledger::State::wanted(std::string_view type) {
  const auto found = wanted_cache.find(type);
  if (found != wanted_cache.end()) return found->second;
  const bool is_wanted = wanted_by_covered(type, UINT32_MAX);
  if (wanted_cache.size() >= wanted_cache_entries_max) wanted_cache.clear();
  wanted_cache.emplace(type, is_wanted);
  return is_wanted;
}

bool Ledger::State::wanted_by_covered(std::string_view type, LedgerSubscription covered) const {
  return std::ranges::any_of(
      active, [&](LedgerSubscription s) { return s < covered && subscriptions[s].filter.matches(type); });
}

void Ledger::State::refresh_routes(LedgerStream& stream) const {
  if (stream.generation == generation) return;
  stream.generation = generation;
  const LedgerSubscription covered = stream.life->lanes[lane_index(stream.lane)].covered;
  // Removal takes routes away at once, so only later subscriptions can be missing here.
  const LedgerSubscription first_new = stream.routes.empty() ? 0 : stream.routes.back().subscription + 1;
  for (auto s = std::ranges::lower_bound(active, first_new); s != active.end(); ++s) {
    if (!subscriptions[*s].filter.matches(stream.type)) continue;
    stream.routes.push_back({*s, *s < covered ? stream.next : not_booked});
    stream.lost_link.push_back(0);
  }
}

void Ledger::State::drop_subscription(LedgerSubscription subscription) {
  if (subscription >= subscriptions.size() || !subscriptions[subscription].active) return;
  subscriptions[subscription].active = false;
  std::erase(active, subscription);
  wanted_cache.clear();
  const std::vector<LedgerStream*> all(index.begin(), index.end());
  for (LedgerStream* stream : all) {
    const auto route = std::ranges::find(stream->routes, subscription, &LedgerRoute::subscription);
    if (route == stream->routes.end()) continue;
    fold_route(*stream, static_cast<std::size_t>(route - stream->routes.begin()));
    if (!wanted(stream->type)) drop_stream(*stream);
  }
}

// --- lives -----------------------------------------------------------------------------------------------------------

LedgerLife* Ledger::State::present_life(std::string_view node) const {
  const auto found = names.find(node);
  return found == names.end() ? nullptr : found->second.present.get();
}

LedgerLife* Ledger::State::find_life(const Origin& origin) const {
  const auto found = names.find(origin.node);
  if (found == names.end()) return nullptr;
  for (LedgerLife* life : {found->second.present.get(), found->second.previous.get()}) {
    if (life != nullptr && life->origin.incarnation == origin.incarnation) return life;
  }
  return nullptr;
}

LedgerLife* Ledger::State::present_at_least(Now now, std::string_view node, Incarnation incarnation) {
  auto found = names.find(node);
  if (found == names.end()) {
    if (names.size() > limits::roster_entries_max) return nullptr;
    found = names.emplace(node, Name{}).first;
  }
  Name& name = found->second;
  if (name.present && (name.present->own || name.present->origin.incarnation >= incarnation)) return name.present.get();
  if (name.present) {
    if (name.previous) fold(*name.previous);
    name.present->over = true;
    name.previous = std::move(name.present);
  }
  name.present = std::make_unique<LedgerLife>();
  name.present->origin = {std::string(node), incarnation};
  name.present->known_since = now.steady;
  sync_open_since(now.steady);
  return name.present.get();
}

void Ledger::State::fold(LedgerLife& life) {
  for (LedgerLife::Lane& lane : life.lanes) {
    while (!lane.streams.empty()) {
      LedgerStream& stream = *lane.streams.back();
      while (!stream.routes.empty()) fold_route(stream, stream.routes.size() - 1);
      drop_stream(stream);
    }
  }
}

// --- streams ---------------------------------------------------------------------------------------------------------

LedgerStream* Ledger::State::find_stream(const LedgerCoordinate& at) const {
  const auto found = index.find(at);
  return found == index.end() ? nullptr : *found;
}

Ledger::State::Admission Ledger::State::admit(Now now, const FrameHeader& header, LedgerStream*& stream) {
  if (header.incarnation == 0) return Admission::Implausible;
  const bool is_wanted = wanted(header.type);
  LedgerLife* life = present_life(header.origin);
  if (life == nullptr && !is_wanted) return Admission::NotWanted;
  if (life == nullptr || life->origin.incarnation < header.incarnation) {
    life = present_at_least(now, header.origin, header.incarnation);
  }
  if (life == nullptr) return Admission::OutOfBounds;
  if (life->origin.incarnation != header.incarnation) return Admission::OldIncarnation;
  if (!is_wanted) return Admission::NotWanted;
  // Absent from an echo that somebody's baseline came from: it began after it, with 1.
  const LedgerSubscription covered = life->lanes[lane_index(header.lane)].covered;
  const bool from_one = !life->own && !life->overflowed && wanted_by_covered(header.type, covered);
  stream = make_stream(*life, header.lane, header.type, header.shard, from_one ? 1 : header.first_sequence);
  return stream == nullptr ? Admission::OutOfBounds : Admission::Admitted;
}

LedgerStream* Ledger::State::make_stream(LedgerLife& life, Priority lane, std::string_view type, std::uint8_t shard,
                                         std::uint64_t next) {
  if (life.stream_count >= limits::streams_per_origin_max) {
    life.overflowed = true;
    return nullptr;
  }
  auto made = std::make_unique<LedgerStream>();
  LedgerStream* stream = made.get();
  stream->life = &life;
  stream->lane = lane;
  stream->shard = shard;
  stream->type = type;
  stream->number = take_number();
  stream->next = next;
  std::vector<std::unique_ptr<LedgerStream>>& streams = life.lanes[lane_index(lane)].streams;
  stream->position = streams.size();
  streams.push_back(std::move(made));
  index.insert(stream);
  ++life.stream_count;
  ++totals_of(lane).streams;
  refresh_routes(*stream);
  return stream;
}

// Numbers are used again, the one that has rested longest first, because others keep tables indexed by them.
StreamNumber Ledger::State::take_number() {
  if (free_numbers.empty()) return ++last_number;
  const StreamNumber number = free_numbers.front();
  free_numbers.pop_front();
  return number;
}

void Ledger::State::drop_stream(LedgerStream& stream) {
  free_numbers.push_back(stream.number);
  index.erase(&stream);
  LedgerLife& life = *stream.life;
  --life.stream_count;
  --totals_of(stream.lane).streams;
  std::vector<std::unique_ptr<LedgerStream>>& streams = life.lanes[lane_index(stream.lane)].streams;
  LEGION_ASSERT(streams[stream.position].get() == &stream);
  const std::size_t position = stream.position;
  std::swap(streams[position], streams.back());
  streams[position]->position = position;
  streams.pop_back();
}

void Ledger::State::fold_route(LedgerStream& stream, std::size_t route) {
  subscriptions[stream.routes[route].subscription].folded += stream.books(route);
  stream.routes.erase(stream.routes.begin() + static_cast<std::ptrdiff_t>(route));
  stream.lost_link.erase(stream.lost_link.begin() + static_cast<std::ptrdiff_t>(route));
}

void Ledger::State::apply_echo(LedgerLife& life, Priority lane, const LedgerSyncs::UnderWay& echo) {
  LedgerLife::Lane& at = life.lanes[lane_index(lane)];
  if (LEGION_PLANTED(BaselineBeforeTheEcho)) at.covered = echo.covers;
  for (const Tail& tail : echo.tails) {
    const LedgerCoordinate coordinate{life.origin.node, life.origin.incarnation, lane, tail.type, tail.shard};
    LedgerStream* stream = find_stream(coordinate);
    if (stream == nullptr) {
      const bool from_one = !life.overflowed && wanted_by_covered(tail.type, at.covered);
      stream = make_stream(life, lane, tail.type, tail.shard, from_one ? 1 : tail.next_sequence);
    }
    if (stream == nullptr) {
      ++totals_of(lane).refused_streams;
      continue;
    }
    refresh_routes(*stream);
    if (LEGION_PLANTED(GapIgnoredAtTheTail)) continue;
    totals_of(lane).lost_link += stream->miss_up_to(tail.next_sequence);
  }
  for (const std::unique_ptr<LedgerStream>& stream : at.streams) {
    refresh_routes(*stream);
    stream->book_from_here(at.covered, echo.covers);
  }
  at.covered = std::max(at.covered, echo.covers);
  at.synced = true;
}

}  // namespace legion
