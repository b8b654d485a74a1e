#include <legion/cli/past_then_live.hpp>

#include <algorithm>
#include <utility>

#include <legion/base/units.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::cli {
namespace {

constexpr CommitNumber first_step = 64;     // frames looked back at first
constexpr CommitNumber step_growth = 8;
constexpr Duration look_interval = 50ms;
constexpr int unknown_looks = 4;            // after so many a stream the spool has nothing of is not a journalled one
constexpr std::uint64_t rounds_max = 1000;  // of reading to the end while live events come faster than they can be kept

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

/// The answer to `tails` about one origin: arrays of [type, shard, next] by lane.
Result<void> read_origin_tails(BytesView answer, const Origin& origin,
                               const std::function<void(const StreamId&, std::uint64_t)>& on_tail) {
  MsgpackReader in(answer);
  if (auto one = in.expect_array(1); !one) return one;
  if (auto lanes = in.expect_array(limits::lane_count); !lanes) return lanes;
  for (const Priority lane : all_priorities) {
    const auto count = in.read_array();
    if (!count) return std::unexpected(count.error());
    for (std::size_t i = 0; i < *count; ++i) {
      if (auto fields = in.expect_array(3); !fields) return fields;
      const auto type = in.read_string(limits::wire_type_bytes_max);
      if (!type) return std::unexpected(type.error());
      const auto shard = in.read_uint();
      if (!shard) return std::unexpected(shard.error());
      const auto next = in.read_uint();
      if (!next) return std::unexpected(next.error());
      on_tail({origin, lane, std::string(*type), static_cast<std::uint8_t>(*shard)}, *next);
    }
  }
  return {};
}

Bytes origin_params(const Origin& origin) {
  MsgpackWriter params;
  params.map(1);
  params.str("origins");
  params.array(1);
  params.array(2);
  params.str(origin.node);
  params.uint(origin.incarnation);
  return params.take();
}

}  // namespace

Result<LastEvents> read_last_events(Session& session, SpoolQueries& spool, const PastQuestion& question, CommitNumber end,
                                    std::size_t count, const PastReader::OnFrame& on_frame) {
  for (CommitNumber step = first_step;; step *= step_growth) {
    LastEvents last;
    PastQuestion part = question;
    part.from = end > step ? end - step : 1;
    PastReader past(spool, part);
    for (;;) {
      const auto done = past.read_page(
          [&](const EventPtr& event) {
            last.events.push_back(event);
            if (last.events.size() > count) last.events.pop_front();
            return !session.world().interrupted();
          },
          on_frame);
      if (!done) return std::unexpected(done.error());
      if (*done || session.world().interrupted()) break;
    }
    last.next = past.next();
    if (last.events.size() >= count || part.from == 1 || session.world().interrupted()) return last;
  }
}

PastThenLive::PastThenLive(Session& session, EventStream& live, ObserverHandler handler, std::vector<Filter> types,
                           Show show)
    : session_(session), live_(live), handler_(std::move(handler)), types_(std::move(types)), show_(std::move(show)) {
  own_ = handler_;
  own_.on_event = [this](const EventPtr& event) {
    join_.on_live(event, [this](const EventPtr& each) {
      if (!enough_) enough_ = !show_(each);
    });
  };
  own_.on_covered = [this](const Member& node) {
    covered_.insert(node.name);
    if (handler_.on_covered) handler_.on_covered(node);
  };
  own_.on_all_covered = [this](std::size_t nodes) {
    all_covered_ = true;
    if (handler_.on_all_covered) handler_.on_all_covered(nodes);
  };
}

void PastThenLive::watch(Duration wait) { live_.run_once(wait, own_); }

void PastThenLive::run_once(Duration wait) {
  if (!stopped()) watch(wait);
}

void PastThenLive::cover() {
  const SteadyTime begin = session_.world().now().steady;
  while (!all_covered_ && !stopped() && session_.world().now().steady - begin < session_.options().timeout) {
    watch(look_interval);
  }
  for (const Member& member : live_.members()) {
    if (member.state != MemberState::Alive) continue;
    if (covered_.contains(member.name)) {
      ask_tails(member);
    } else if (!stopped()) {
      session_.warn(member.name + " is not covered yet: what it publishes until then is shown only as far as the spool has it");
    }
  }
}

void PastThenLive::ask_tails(const Member& member) {
  const auto ask = [&]() -> Result<void> {
    const auto address = parse_address(member.endpoints.control, 0);
    if (!address) return std::unexpected(address.error());
    auto node = session_.connect(*address);
    if (!node) return std::unexpected(node.error());
    const Origin origin{member.name, member.incarnation};
    const auto answer = (*node)->call("tails", origin_params(origin), session_.options().timeout);
    if (!answer) return std::unexpected(answer.error());
    return read_origin_tails(*answer, origin, [this](const StreamId& stream, std::uint64_t next) {
      const auto matches = [&](const Filter& filter) { return filter.matches(stream.type); };
      if (is_reserved(stream.type) || (!types_.empty() && std::ranges::none_of(types_, matches))) return;
      join_.on_origin_tail(stream, next);
    });
  };
  if (const auto asked = ask(); !asked) {
    session_.warn(member.name + " does not say where its streams stand, so a gap before what is live would not show: " +
                  asked.error().message);
  }
}

Result<std::vector<StreamTail>> PastThenLive::stored(SpoolQueries& spool) const {
  if (types_.empty()) return spool.tails(Filter());
  std::vector<StreamTail> all;
  for (const Filter& type : types_) {
    auto tails = spool.tails(type);
    if (!tails) return tails;
    std::ranges::move(*tails, std::back_inserter(all));
  }
  return all;
}

/// True when the end was reached.
Result<bool> PastThenLive::read_to_end(PastReader& past) {
  while (!stopped()) {
    const auto done = past.read_page(
        [this](const EventPtr& event) {
          enough_ = !show_(event);
          return !stopped();
        },
        [this](const FrameHeader& header) { join_.on_past_frame(header); });
    if (!done) return std::unexpected(done.error());
    watch(Duration::zero());
    if (*done) return true;
  }
  return false;
}

Result<void> PastThenLive::catch_up(PastReader& past) {
  std::optional<SteadyTime> waits_since;
  LiveJoin::Behind behind;
  std::uint64_t overflows = 0;
  int looks = 0;
  for (std::uint64_t round = 0; round < rounds_max && !stopped(); ++round) {
    const auto tails = stored(past.spool());
    if (!tails) return std::unexpected(tails.error());
    const auto read = read_to_end(past);
    if (!read) return std::unexpected(read.error());
    if (!*read) break;
    const auto now_behind = join_.behind(*tails);
    const SteadyTime now = session_.world().now().steady;
    const bool moved = now_behind.events != behind.events || join_.overflows() != overflows;
    behind = now_behind;
    overflows = join_.overflows();
    ++looks;
    if (behind.streams == 0 && (behind.unknown_streams == 0 || looks >= unknown_looks)) break;
    if (moved || !waits_since) waits_since = now;
    if (now - *waits_since >= session_.options().timeout) break;
    watch(look_interval);
  }
  report(behind, past);
  join_.let_go([this](const EventPtr& event) {
    if (!enough_) enough_ = !show_(event);
  });
  return {};
}

void PastThenLive::report(const LiveJoin::Behind& behind, const PastReader& past) {
  if (stopped()) return;
  if (behind.streams > 0) {
    session_.warn(counted(behind.events, "event", "events") + " of " + counted(behind.streams, "stream", "streams") +
                  " are not in " + past.spool().name() + " yet: a gap before what is live");
  }
  if (behind.unknown_streams > 0) {
    session_.detail("of " + counted(behind.unknown_streams, "stream", "streams") + " " + past.spool().name() +
                    " has nothing: they are shown from now on only");
  }
  const std::uint64_t holes = past.reads_whole_streams() ? join_.holes() : 0;
  if (holes > 0) {
    session_.warn(past.spool().name() + " lacks " + counted(holes, "event", "events") +
                  " within what was read: voided, trimmed or not fetched yet");
  }
  session_.note("live from here on; the past came from " + past.spool().name());
}

}  // namespace legion::cli
