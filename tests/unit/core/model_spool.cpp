#include <algorithm>

#include "durable_kit.hpp"

namespace legion::test {

namespace {

StreamId stream_of(const FrameHeader& header) {
  return {{std::string(header.origin), header.incarnation}, header.lane, std::string(header.type), header.shard};
}

std::uint64_t last_of(const FramePtr& frame) {
  return frame->header().first_sequence + frame->header().event_count - 1;
}

}  // namespace

void ModelSpool::store(const FramePtr& frame) {
  streams_[stream_of(frame->header())].frames[frame->header().first_sequence] = frame;
  commits_.push_back(frame);
  ++mark;
}

void ModelSpool::say_never(const StreamId& stream, std::uint64_t first, std::uint64_t last, std::string why) {
  streams_[stream].never[first] = {last, std::move(why)};
  ++mark;
}

void ModelSpool::forget(const StreamId& stream, std::uint64_t first, std::uint64_t last) {
  auto& frames = streams_[stream].frames;
  frames.erase(frames.lower_bound(first), frames.upper_bound(last));
}

void ModelSpool::record(const SpoolRecord& record) {
  ++mark;
  if (const auto* cursor = std::get_if<CursorRecord>(&record)) {
    merge(subscriptions[cursor->subscription].cursor, *cursor);
  } else if (const auto* attempt = std::get_if<AttemptRecord>(&record)) {
    AttemptRecord& kept = subscriptions[attempt->subscription].attempts[attempt->event];
    if (attempt->attempts > kept.attempts) kept = *attempt;
  } else if (const auto* letter = std::get_if<LetterRecord>(&record)) {
    const auto [entry, is_new] = letters.try_emplace(letter->key(), *letter);
    if (is_new) return;
    const LetterRecord& before = entry->second;
    LetterRecord kept = holds_over(*letter, before) ? *letter : before;
    const LetterRecord& other = holds_over(*letter, before) ? before : *letter;
    if (kept.frame.empty()) kept.frame = other.frame;
    if (kept.deaths.empty()) kept.deaths = other.deaths;
    entry->second = std::move(kept);
  }
}

void ModelSpool::catch_up(const ModelSpool& other) {
  for (const auto& [name, state] : other.subscriptions) {
    if (state.cursor.generation.counter > 0) record(state.cursor);
    for (const auto& [event, attempt] : state.attempts) record(attempt);
  }
  for (const auto& [key, letter] : other.letters) record(letter);
}

StreamAnswer ModelSpool::read(const AskStream& question) const {
  StreamAnswer answer;
  answer.next = question.first;
  const auto found = streams_.find(question.stream);
  static const Stored nothing;
  const Stored& stored = found == streams_.end() ? nothing : found->second;
  std::size_t bytes = 0;
  while (answer.next <= question.last && bytes < question.bytes) {
    const std::uint64_t at = answer.next;
    auto frame = stored.frames.upper_bound(at);
    std::uint64_t end = frame == stored.frames.end() ? question.last : std::min(question.last, frame->first - 1);
    if (frame != stored.frames.begin() && last_of(std::prev(frame)->second) >= at) {
      --frame;
      answer.parts.push_back(
          {StreamAnswer::Part::Kind::Frame, frame->first, last_of(frame->second), {}, frame->second});
      bytes += frame->second->events_bytes();
      answer.next = last_of(frame->second) + 1;
      continue;
    }
    auto never = stored.never.upper_bound(at);
    if (never != stored.never.end()) end = std::min(end, never->first - 1);
    if (never != stored.never.begin() && std::prev(never)->second.first >= at) {
      --never;
      end = frame == stored.frames.end() ? never->second.first : std::min(never->second.first, frame->first - 1);
      answer.parts.push_back({StreamAnswer::Part::Kind::Never,
                              at,
                              end,
                              never->second.second,
                              {},
                              never->second.second == "trimmed" ? floor : JournalPositions{}});
    } else {
      answer.parts.push_back({StreamAnswer::Part::Kind::Missing, at, end, {}, {}, through});
    }
    answer.next = end + 1;
  }
  return answer;
}

std::vector<StoredTail> ModelSpool::tails(const AskTails& question, More& more) const {
  std::vector<StoredTail> tails;
  more = More::No;
  for (const auto& [stream, stored] : streams_) {
    if (!question.filter.matches(stream.type) || (question.after && !(*question.after < stream))) continue;
    std::uint64_t next = 1;
    if (!stored.frames.empty()) next = last_of(stored.frames.rbegin()->second) + 1;
    if (!stored.never.empty()) next = std::max(next, stored.never.rbegin()->second.first + 1);
    if (next == 1) continue;
    if (tails.size() == question.max) {
      more = More::Yes;
      break;
    }
    tails.push_back({stream, next});
  }
  return tails;
}

ScanAnswer ModelSpool::scan(const AskScan& question) const {
  ScanAnswer answer;
  constexpr std::size_t page = 3;
  std::uint64_t at = question.from;
  for (; at <= commits_.size() && answer.frames.size() < page; ++at) {
    const FramePtr& frame = commits_[at - 1];
    if (!question.filter.matches(frame->header().type)) continue;
    const bool is_late_enough = !question.since || std::ranges::any_of(frame->events(), [&](const EventView& event) {
      return event.time >= *question.since;
    });
    if (is_late_enough) answer.frames.push_back(frame);
  }
  answer.next = at;
  answer.more = at <= commits_.size() ? More::Yes : More::No;
  return answer;
}

std::optional<std::uint64_t> ModelSpool::find(const EventId& event) const {
  for (std::size_t i = 0; i < commits_.size(); ++i) {
    const FrameHeader& header = commits_[i]->header();
    const bool is_stream = header.origin == event.node && header.type == event.type && header.shard == event.shard;
    if (is_stream && header.first_sequence <= event.sequence && event.sequence <= last_of(commits_[i])) return i + 1;
  }
  return std::nullopt;
}

std::vector<LetterRecord> ModelSpool::letters_requeued() const {
  std::vector<LetterRecord> out;
  for (const auto& [key, letter] : letters) {
    if (letter.state == LetterState::Requeued) out.push_back(letter);
  }
  return out;
}

}  // namespace legion::test
