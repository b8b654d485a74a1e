#include <legion/spool/record_compaction.hpp>

#include <algorithm>
#include <map>
#include <ranges>

namespace legion::spool {
namespace {

/// Goes from the newest frame to the oldest and remembers what those that stay say.
class Compaction {
 public:
  explicit Compaction(RecordTables& tables) : tables_(tables) {}

  bool is_superseded(BytesView frame, std::uint32_t events) {
    const std::vector<StampedRecord> records = records_of(frame);
    // What is not understood stays.
    if (records.size() != events) return false;
    const bool is_all = std::ranges::all_of(records, [&](const StampedRecord& each) { return is_superseded(each); });
    if (is_all) return true;
    for (const StampedRecord& each : records) {
      if (const auto* cursor = std::get_if<CursorRecord>(&each.record)) keep(*cursor);
    }
    return false;
  }

 private:
  bool is_superseded(const StampedRecord& stamped) {
    if (const auto* cursor = std::get_if<CursorRecord>(&stamped.record)) return is_superseded(*cursor);
    if (const auto* attempt = std::get_if<AttemptRecord>(&stamped.record)) {
      const auto row = tables_.attempt(attempt->subscription, attempt->event);
      return !row || row->attempts > attempt->attempts;
    }
    const auto& letter = std::get<LetterRecord>(stamped.record);
    const auto row = tables_.letter(letter.key());
    if (!row) return false;
    // The death that brought what the letter holds stays until it is purged.
    if (letter.state == LetterState::Dead && row->death_round == letter.round) {
      return row->record.state == LetterState::Purged;
    }
    return holds_over(row->record, letter);
  }

  bool is_superseded(const CursorRecord& record) {
    const auto head = tables_.cursor_head(record.subscription);
    if (!head) return false;
    if (record.generation < head->merged.generation) return true;
    const auto found = kept_.find(record.subscription);
    if (found == kept_.end() || found->second.generation != record.generation) return false;
    const CursorRecord& kept = found->second;
    if (kept.form == CursorRecord::Form::Removed) return true;
    // Without a Whole the generation would look cut short.
    if (record.form != CursorRecord::Form::Delta && kept.form != record.form) return false;
    return std::ranges::all_of(record.streams, [&](const StreamCursor& stream) {
      const auto same = std::ranges::find(kept.streams, stream.stream, &StreamCursor::stream);
      return same != kept.streams.end() && covers(*same, stream);
    });
  }

  void keep(const CursorRecord& record) {
    const auto [found, is_new] = kept_.try_emplace(record.subscription, record);
    if (!is_new) legion::merge(found->second, record);
  }

  RecordTables& tables_;
  std::map<std::string, CursorRecord> kept_;
};

}  // namespace

std::unordered_set<CommitNumber> superseded_records(RecordTables& tables, std::span<const LoadedBlock> blocks) {
  std::unordered_set<CommitNumber> out;
  Compaction compaction(tables);
  for (const LoadedBlock& block : blocks | std::views::reverse) {
    if (!block.row.has(block_has_records)) continue;
    for (const BlockFrame& frame : block.index.frames | std::views::reverse) {
      if (block.index.streams[frame.stream].type != record_type) continue;
      if (compaction.is_superseded(block.bytes_of(frame), frame.events)) out.insert(frame.number);
    }
  }
  return out;
}

}  // namespace legion::spool
