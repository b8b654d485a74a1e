#include <legion/runtime/in_flight_book.hpp>

#include <algorithm>

#include <legion/base/assert.hpp>

namespace legion {

namespace {

/// What is to be known of an attempt that was answered so; nothing: it was handled. What a gate rejects is decided;
/// nothing says so once more after a crash.
std::optional<InFlightEntry::Stage> stage_after(OutcomeKind kind, InFlightPath path) {
  if (kind == OutcomeKind::Retry) return InFlightEntry::Stage::Failed;
  if (kind == OutcomeKind::Reject && path.role == InFlightPath::Role::Target) return InFlightEntry::Stage::Rejected;
  return std::nullopt;
}

}  // namespace

InFlightBook::InFlightBook(InFlightFile* file, std::vector<Owner> owners, const std::vector<InFlightFile::Held>& held,
                           std::size_t failed_max)
    : file_(file), owners_(std::move(owners)), failed_max_(failed_max) {
  for (Slot slot = file->slots(); slot > 0; --slot) free_.push_back(slot - 1);
  for (std::uint32_t n = 0; n < held.size(); ++n) {
    const auto owner = std::ranges::find(owners_, held[n].subscription, &Owner::name);
    if (owner == owners_.end()) {
      file_->forget(n);  // nobody here takes it any more
      continue;
    }
    const StreamId& stream = held[n].stream;
    const EventId id{stream.origin.node, stream.origin.incarnation, stream.lane, stream.type,
                     stream.shard,       held[n].in_hands()};
    left_[{owner->agent, id.to_string(), held[n].path}].push_back({Left::In::Held, n});
  }
}

InFlightBook::Key InFlightBook::key_of(std::uint32_t subscription, const FrameHeader& header, std::uint64_t sequence,
                                       InFlightPath path) const {
  const EventId id{std::string(header.origin), header.incarnation, header.lane,
                   std::string(header.type),   header.shard,       sequence};
  return {owners_[subscription].agent, id.to_string(), path};
}

/// The slot says it is in hands before what was said of an earlier attempt goes.
std::optional<InFlightBook::Slot> InFlightBook::take_slot(const Task& task) {
  if (!task.path || free_.empty()) return std::nullopt;
  const Slot slot = free_.back();
  free_.pop_back();
  const FrameHeader& header = task.frame->header();
  file_->begin(slot, {.subscription = owners_[task.subscription.value].name,
                      .node = header.origin,
                      .incarnation = header.incarnation,
                      .lane = header.lane,
                      .type = header.type,
                      .shard = header.shard,
                      .first = task.sequence(),
                      .count = task.count,
                      .attempt = task.attempt,
                      .path = *task.path});
  if (task.count == 1 && !left_.empty()) {
    forget(key_of(task.subscription.value, header, task.sequence(), *task.path));
  }
  return slot;
}

void InFlightBook::give_back(Slot slot) {
  file_->clear(slot);
  free_.push_back(slot);
}

std::optional<InFlightBook::Slot> InFlightBook::begin_run(const Task& task) {
  const auto slot = take_slot(task);
  if (slot) ++runs_;
  return slot;
}

void InFlightBook::end_run(Slot slot, const Task& task, std::size_t answered, OutcomeKind last) {
  LEGION_ASSERT(runs_ > 0);
  --runs_;
  const auto k = static_cast<std::uint32_t>(std::max<std::size_t>(answered, 1) - 1);
  const Noted noted{task.agent, task.subscription.value, slot, task.frame, task.sequence(k), *task.path};
  const auto early = early_.find(task_of(task, k));
  if (last != OutcomeKind::Deferred) {
    answer(noted, last);
  } else if (early != early_.end()) {
    answer(noted, early->second);
  } else {
    noted_.emplace(task_of(task, k), noted);
  }
  if (runs_ == 0) early_.clear();
}

void InFlightBook::begin(const Task& task) {
  if (const auto slot = take_slot(task)) {
    noted_.emplace(task.id, Noted{task.agent, task.subscription.value, *slot, task.frame, task.sequence(), *task.path});
  }
}

void InFlightBook::answered(TaskId task, OutcomeKind kind) {
  if (kind == OutcomeKind::Deferred) return;
  const auto found = noted_.find(task);
  if (found != noted_.end()) {
    answer(found->second, kind);
    noted_.erase(found);
  } else if (runs_ > 0) {
    early_.insert_or_assign(task, kind);
  }
}

void InFlightBook::answer(const Noted& noted, OutcomeKind kind) {
  if (const auto stage = stage_after(kind, noted.path)) {
    keep_failed(noted, *stage);
  } else {
    give_back(noted.slot);
  }
}

void InFlightBook::keep_failed(const Noted& noted, InFlightEntry::Stage how) {
  if (failed_ >= failed_max_) return give_back(noted.slot);
  ++failed_;
  file_->fail(noted.slot, how);
  left_[key_of(noted.subscription, noted.frame->header(), noted.sequence, noted.path)].push_back(
      {Left::In::Slot, noted.slot});
}

void InFlightBook::agent_down(AgentId agent) {
  std::erase_if(noted_, [&](const auto& entry) {
    const Noted& noted = entry.second;
    if (noted.agent != agent) return false;
    keep_failed(noted, InFlightEntry::Stage::Failed);
    return true;
  });
}

void InFlightBook::over(const std::string& agent, const std::string& event, InFlightPath path) {
  const Key key{agent, event, path};
  forget(key);
  // One whose handler has not answered in time, and was given up.
  std::erase_if(noted_, [&](const auto& entry) {
    const Noted& noted = entry.second;
    if (noted.path != path || owners_[noted.subscription].agent != agent) return false;
    if (key_of(noted.subscription, noted.frame->header(), noted.sequence, path) != key) return false;
    give_back(noted.slot);
    return true;
  });
}

void InFlightBook::forget(const Key& key) {
  const auto found = left_.find(key);
  if (found == left_.end()) return;
  for (const Left& left : found->second) {
    if (left.in == Left::In::Held) {
      file_->forget(left.number);
    } else {
      --failed_;
      give_back(left.number);
    }
  }
  left_.erase(found);
}

}  // namespace legion
