#include "fake_spool.hpp"

#include <algorithm>

#include <legion/base/assert.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

namespace legion::cli {
namespace {

constexpr std::int64_t begin_ns = 1'762'795'433'971'000'000;

class FakeSpoolAsk : public SpoolAsk {
 public:
  explicit FakeSpoolAsk(FakeSpool& spool) : spool_(spool) {}
  Result<SpoolReply> ask(std::string_view method, BytesView params, Duration) override {
    return spool_.answer(method, params);
  }

 private:
  FakeSpool& spool_;
};

/// A reply whose frames belong to nobody else.
class ReplyFrames {
 public:
  BytesView add(const Bytes& frame) {
    frames_->push_back(frame);
    return frames_->back();
  }
  SpoolReply with(Bytes result) {
    SpoolReply reply = plain_reply(std::move(result));
    for (const Bytes& frame : *frames_) reply.frames.push_back(frame);
    reply.owner = frames_;
    return reply;
  }

 private:
  std::shared_ptr<std::vector<Bytes>> frames_ = std::make_shared<std::vector<Bytes>>();
};

bool wanted(const ScanQuery& query, const FakeSpool::Entry& entry) {
  const auto matches = [&](const Filter& filter) { return filter.matches(entry.stream.type); };
  if (!query.types.empty() && std::ranges::none_of(query.types, matches)) return false;
  return query.lanes.empty() || std::ranges::find(query.lanes, entry.stream.lane) != query.lanes.end();
}

}  // namespace

StreamId stream_of(const std::string& type, const std::string& node, Priority lane) { return {{node, 7}, lane, type, 0}; }

Bytes make_frame(const StreamId& stream, std::uint64_t first, const std::vector<Told>& events) {
  FrameBuilder builder;
  builder.begin(stream.origin, stream.lane, stream.type, stream.shard, first);
  for (const Told& told : events) {
    Event event;
    event.type = stream.type;
    event.source = told.source;
    event.time = {begin_ns + told.at_ms * 1'000'000};
    event.correlation_id = told.correlation;
    event.causation_id = told.causation;
    event.traceparent = told.traceparent;
    event.data = data_from_json(told.data).value();
    builder.append(encode_event(event, stream.shard, limits::event_bytes_max).value().bytes);
  }
  return builder.finish();
}

SpoolReply plain_reply(Bytes result) {
  SpoolReply reply;
  reply.result = std::move(result);
  return reply;
}

void FakeSpool::add(const StreamId& stream, std::uint64_t first, const std::vector<Told>& events) {
  entries.push_back({stream, first, events.size(), make_frame(stream, first, events)});
}

Result<SpoolReply> FakeSpool::answer(std::string_view method, BytesView asked_params) {
  asked.emplace_back(method);
  params.emplace_back(asked_params.begin(), asked_params.end());
  if (method == "scan") scans.push_back(decode_scan_query(asked_params).value());
  if (method == "scan" && scans.size() > scans_before_failure) return fail(ErrorCode::Unreachable, "the connection was lost");
  const auto replaced = methods.find(std::string(method));
  if (replaced != methods.end()) return replaced->second(asked_params);
  if (method == "scan") return scan(scans.back());
  if (method == "stream") return stream(decode_stream_query(asked_params).value());
  if (method == "tails") return tails(decode_tails_query(asked_params).value());
  if (method == "letters") return find_letters(decode_letter_query(asked_params).value());
  if (method == "marks") return plain_reply(encode_result(marks));
  if (method == "verify") return plain_reply(encode_result(report));
  if (method == "purge") return purge(asked_params);
  if (method == "info") {
    SpoolInfo now = info;
    now.figures.next_commit = entries.size() + 1;
    return plain_reply(encode_result(now));
  }
  if (method == "mark") {
    marks.emplace_back(decode_text(asked_params, "name", 256).value(), entries.size() + 1);
    return plain_reply(encode_result(std::optional<std::uint64_t>(marks.back().second)));
  }
  if (method == "cursors") {
    const auto after = decode_page_query(asked_params).value().after;
    return plain_reply(encode_result(after.empty() ? cursors : std::vector<CursorState>{}));
  }
  if (method == "journals") {
    const auto after = decode_journals_query(asked_params).value().after;
    return plain_reply(encode_result(SpoolJournals{{}, after ? std::vector<JournalState>{} : journals, false}));
  }
  if (method == "journal") {
    const auto query = decode_journal_query(asked_params).value();
    const auto found = records.find(query.origin.node + ':' + std::to_string(query.origin.incarnation) + ':' +
                                    std::string(to_string(query.journal)));
    ReplyFrames frames;
    std::vector<JournalRecord> page;
    for (const JournalRecord& record : found == records.end() ? std::vector<JournalRecord>{} : found->second) {
      if (record.last < query.range.first || record.first > query.range.last || page.size() == frames_per_page) continue;
      page.push_back(record);
      if (!record.is_void()) frames.add(*record.frame);
    }
    return frames.with(encode_result(page));
  }
  if (method == "find") {
    const auto id = EventId::parse(decode_text(asked_params, "event", 1024).value()).value();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const StreamId stream{{id.node, id.incarnation}, id.lane, id.type, id.shard};
      const Entry& entry = entries[i];
      if (entry.stream == stream && entry.first <= id.sequence && id.sequence < entry.first + entry.count) {
        return plain_reply(encode_result(std::optional<std::uint64_t>(i + 1)));
      }
    }
    return plain_reply(encode_result(std::optional<std::uint64_t>()));
  }
  return fail(ErrorCode::NotFound, "no such method: " + std::string(method));
}

Result<SpoolReply> FakeSpool::scan(const ScanQuery& query) const {
  ReplyFrames frames;
  SpoolPage page;
  const CommitNumber last = std::min<CommitNumber>(query.until.value_or(UINT64_MAX), entries.size());
  CommitNumber number = std::max<CommitNumber>(query.from, 1);
  for (; number <= last && page.frames.size() < frames_per_page; ++number) {
    const Entry& entry = entries[number - 1];
    if (!wanted(query, entry)) continue;
    page.frames.push_back({number, JournalKind::Captured, number, 0, {begin_ns}, frames.add(entry.frame)});
  }
  page.next = number;
  page.at_end = number > entries.size();
  return frames.with(encode_result(page));
}

Result<SpoolReply> FakeSpool::stream(const StreamQuery& query) const {
  ReplyFrames frames;
  StreamPage page;
  page.next = query.first;
  for (const Entry& entry : entries) {
    if (entry.stream != query.stream || entry.first + entry.count <= query.first || entry.first > query.last) continue;
    page.parts.push_back({StreamPage::Part::Kind::Frame, entry.first, entry.first + entry.count - 1, {}, frames.add(entry.frame)});
    page.next = entry.first + entry.count;
    break;
  }
  return frames.with(encode_result(page));
}

Result<SpoolReply> FakeSpool::tails(const TailsQuery& query) const {
  std::map<StreamId, std::uint64_t> next;
  for (const Entry& entry : entries) next[entry.stream] = std::max(next[entry.stream], entry.first + entry.count);
  SpoolTails page;
  for (const auto& [stream, sequence] : next) {
    if (!query.filter.matches(stream.type) || (query.after && stream <= *query.after)) continue;
    page.more = page.tails.size() == frames_per_page;
    if (page.more) break;
    page.tails.push_back({stream, sequence});
  }
  return plain_reply(encode_result(page));
}

Result<SpoolReply> FakeSpool::find_letters(const LetterQuery& query) const {
  std::vector<LetterRecord> found;
  for (const LetterRecord& letter : letters) {
    const auto id = EventId::parse(letter.event).value();
    const LetterDeath& death = letter.deaths.back();
    if (letter.key() <= query.after || found.size() == std::min(query.max, frames_per_page)) continue;
    if (query.event && letter.event != *query.event) continue;
    if (query.state ? letter.state != *query.state : letter.state == LetterState::Purged) continue;
    if (query.agent && letter.agent != *query.agent && !letter.agent.ends_with('/' + *query.agent)) continue;
    if (query.reason && death.reason != *query.reason) continue;
    if (query.type && !Filter::parse(*query.type)->matches(id.type)) continue;
    if ((query.since && death.last < *query.since) || (query.before && death.last >= *query.before)) continue;
    found.push_back(letter);
    if (query.payload == LetterQuery::Payload::Without) found.back().frame.clear();
  }
  return plain_reply(encode_result(found));
}

Result<SpoolReply> FakeSpool::purge(BytesView asked_params) {
  MsgpackReader in(asked_params);
  LEGION_ASSERT(in.read_map().value() == 1 && in.read_string().value() == "keys");
  const std::size_t count = in.read_array().value();
  for (std::size_t i = 0; i < count; ++i) {
    LEGION_ASSERT(in.expect_array(3).has_value());
    std::string key(in.read_string().value());
    key += ' ' + std::string(in.read_string().value());
    purged.push_back(key + ' ' + std::to_string(in.read_uint().value()));
  }
  MsgpackWriter done;
  done.map(1);
  done.str("done");
  done.uint(count - std::min<std::uint64_t>(count, purge_fails_of));
  return plain_reply(done.take());
}

SpoolWorld::SpoolWorld() { add_spool("alpha", 7400); }

void SpoolWorld::add_node(const std::string& name, int port) {
  Member member;
  member.name = name;
  member.incarnation = 7;
  member.boot.bytes.fill(1);
  const auto uri = [&](int offset) { return "tcp://127.0.0.1:" + std::to_string(port + offset); };
  member.endpoints.control = uri(0);
  for (int lane = 0; lane < 4; ++lane) member.endpoints.lanes[static_cast<std::size_t>(lane)] = uri(lane + 1);
  roster.push_back(member);
  nodes["127.0.0.1:" + std::to_string(port)].methods["roster"] = [this](BytesView) { return encode(roster); };
}

FakeSpool& SpoolWorld::add_spool(const std::string& name, int port) {
  add_node(name, port);
  roster.back().endpoints.spool = "tcp://127.0.0.1:" + std::to_string(port + 5);
  spool_at_["127.0.0.1:" + std::to_string(port + 5)] = name;
  return *(spools_[name] = std::make_unique<FakeSpool>());
}

Member& SpoolWorld::member(const std::string& name) { return *std::ranges::find(roster, name, &Member::name); }

Result<std::unique_ptr<SpoolAsk>> SpoolWorld::connect_spool(const Address& address) {
  const auto found = spool_at_.find(address.host_port());
  if (found == spool_at_.end()) return fail(ErrorCode::Unreachable, address.host_port() + ": connection refused");
  return std::make_unique<FakeSpoolAsk>(*spools_.at(found->second));
}

}  // namespace legion::cli
