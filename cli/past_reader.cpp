#include <legion/cli/past_reader.hpp>

#include <utility>

namespace legion::cli {
namespace {

constexpr std::size_t page_bytes = 1 << 20;

}  // namespace

std::string damaged_text(std::uint64_t frames) {
  return std::to_string(frames) + (frames == 1 ? " frame of the spool does" : " frames of the spool do") +
         " not decode; spool verify names them";
}

PastReader::PastReader(SpoolQueries& spool, PastQuestion question)
    : spool_(spool), question_(std::move(question)), begin_(question_.from) {
  const auto& wanted = question_.choice.correlations;
  if (wanted.size() == 1 && !wanted.front().ends_with('*')) correlation_ = wanted.front();
}

ScanQuery PastReader::scan_query() const {
  ScanQuery query;
  query.from = question_.from;
  query.until = question_.until;
  query.since = question_.since;
  query.before = question_.before;
  query.types = question_.choice.types;
  query.lanes = question_.lanes;
  query.correlation = correlation_;
  query.bytes_max = page_bytes;
  return query;
}

bool PastReader::chosen(const EventView& event, CommitNumber number) const {
  if (number == begin_ && question_.first_event && event.sequence < question_.first_event->sequence) return false;
  if (event.defect.empty()) {  // one that does not decode has no time
    if (question_.since && event.time < *question_.since) return false;
    if (question_.before && event.time >= *question_.before) return false;
  }
  return question_.choice.shows(event);
}

Result<bool> PastReader::read_page(const OnEvent& on_event, const OnFrame& on_frame) {
  if (question_.until && question_.from > *question_.until) return true;
  auto page = spool_.scan(scan_query());
  if (!page) return std::unexpected(page.error());
  for (const StoredFrame& scanned : page->frames) {
    ++figures_.frames;
    const auto frame = Frame::decode(scanned.frame, page->owner);
    if (!frame) {
      ++figures_.damaged_frames;
      continue;
    }
    if (on_frame) on_frame((*frame)->header());
    const auto& events = (*frame)->events();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (!chosen(events[i], scanned.number)) continue;
      if (on_event(Frame::event_ptr(*frame, i))) continue;
      question_.from = scanned.number;  // not all of it has been read
      return true;
    }
  }
  question_.from = page->next;
  return page->at_end || (question_.until && question_.from > *question_.until);
}

}  // namespace legion::cli
