// What the records of one cursor add up to.
#include <algorithm>
#include <map>

#include <legion/event/spool_record.hpp>

namespace legion {
namespace {

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

Ranges united(const Ranges& a, const Ranges& b) {
  Ranges all = a;
  all.insert(all.end(), b.begin(), b.end());
  std::ranges::sort(all);
  Ranges out;
  for (const auto& [first, last] : all) {
    if (!out.empty() && first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, last);
    } else {
      out.emplace_back(first, last);
    }
  }
  return out;
}

/// Moves `done` over what is done ahead right behind it, and forgets what it has passed.
void absorb(StreamCursor& cursor) {
  Ranges left;
  for (const auto& [first, last] : cursor.ahead) {
    if (first <= cursor.done + 1) {
      cursor.done = std::max(cursor.done, last);
    } else {
      left.emplace_back(first, last);
    }
  }
  cursor.ahead = std::move(left);
}

/// A record bounds what is ahead; two of them together may exceed it: what is too much is done once more.
void bound(Ranges& ahead) {
  std::uint64_t total = 0;
  for (auto range = ahead.begin(); range != ahead.end(); ++range) {
    total += range->second - range->first + 1;
    if (total <= limits::cursor_ahead_max) continue;
    range->second -= total - limits::cursor_ahead_max;
    ahead.erase(range->second < range->first ? range : range + 1, ahead.end());
    return;
  }
}

void unite(StreamCursor& into, const StreamCursor& other) {
  into.done = std::max(into.done, other.done);
  into.ahead = united(into.ahead, other.ahead);
  absorb(into);
  bound(into.ahead);
}

}  // namespace

void merge(CursorRecord& state, const CursorRecord& record) {
  if (record.generation < state.generation) return;
  const bool is_new = state.generation < record.generation;
  if (!is_new && state.form == CursorRecord::Form::Removed) return;
  if (is_new) {
    state = {record.subscription, record.generation, record.filter, record.form, {}};
  } else if (record.form != CursorRecord::Form::Delta) {
    state.form = record.form;
  }
  if (state.form == CursorRecord::Form::Removed) return state.streams.clear();

  std::map<StreamId, StreamCursor> streams;
  for (StreamCursor& cursor : state.streams) streams.emplace(cursor.stream, std::move(cursor));
  for (const StreamCursor& cursor : record.streams) {
    unite(streams.try_emplace(cursor.stream, StreamCursor{cursor.stream, 0, {}}).first->second, cursor);
  }
  state.streams.clear();
  for (auto& [stream, cursor] : streams) state.streams.push_back(std::move(cursor));
}

}  // namespace legion
