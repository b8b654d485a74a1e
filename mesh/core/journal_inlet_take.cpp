// What arrives on a link of the inlet: taken, a duplicate, or too early.
#include <algorithm>
#include <string>
#include <utility>

#include <legion/core/journal_inlet_state.hpp>
#include <legion/event/frame.hpp>

namespace legion {
namespace {

// The store refuses what is beyond its numbers, and then confirms nothing to anybody: it must not get that far.

}  // namespace

void JournalInlet::State::on(Link&, OpenLink&&) { ++figures.ignored; }  // not for on_message()

void JournalInlet::State::on(Link& link, AppendFrame&& message) {
  const PositionRange range{message.position, message.position};
  if (place(link, message.journal, range) != Place::Next) return;
  if (!is_of_origin(link, message)) {
    const std::string peer = link.peer;
    refuse(peer, link.session, ErrorCode::BadData,
           "position " + std::to_string(message.position) + " is no frame of this origin");
    return drop_link(peer);
  }
  const std::uint64_t bytes = window_bytes(*message.frame);
  if (!has_room(link, message.journal, bytes)) return;
  give(*link.source,
       {.origin = link.source->origin,
        .journal = message.journal,
        .first = range.first,
        .last = range.last,
        .held_for = message.held_for,
        .frame = std::move(message.frame),
        .spans = {}},
       bytes);
}

void JournalInlet::State::on(Link& link, AppendVoid&& message) {
  if (place(link, message.journal, message.range) != Place::Next) return;
  const std::uint64_t bytes = window_bytes_of_spans(message.spans.size());
  if (!has_room(link, message.journal, bytes)) return;
  give(*link.source,
       {.origin = link.source->origin,
        .journal = message.journal,
        .first = link.source->intakes[journal_index(message.journal)].taken + 1,
        .last = message.range.last,
        .held_for = 0,
        .frame = nullptr,
        .spans = std::move(message.spans)},
       bytes);
}

void JournalInlet::State::on(Link& link, SkipRange&& message) {
  if (place(link, message.journal, message.range) != Place::Next) return;
  Intake& intake = link.source->intakes[journal_index(message.journal)];
  figures.skipped += message.range.last - intake.taken;
  intake.taken = message.range.last;
  pass_stored(intake);
  if (intake.given > intake.durable) return;  // the commit of what is before it acknowledges this too
  intake.durable = intake.taken;
  acknowledge(*link.source, message.journal);
}

void JournalInlet::State::on(Link& link, Released&& message) {
  Position& released = link.source->intakes[journal_index(message.journal)].released[message.spools - 1u];
  if (message.through <= released) return;
  released = message.through;
  effects.push_back(SetReleased{link.source->origin, message.journal, message.spools, message.through});
}

void JournalInlet::State::on(Link& link, CloseLink&& message) {
  const auto& intakes = link.source->intakes;
  if (message.confirmed < intakes[0].taken || message.captured < intakes[1].taken) {
    ++figures.ignored;
    return;
  }
  link.closing = true;
  divide_window();
  effects.push_back(SetFinal{link.source->origin, message.confirmed, message.captured});
}

/// Duplicates of what is durable are acknowledged again; a record that is too early makes the link rewind, once for
/// each place.
JournalInlet::State::Place JournalInlet::State::place(Link& link, JournalKind journal, PositionRange range) {
  Intake& intake = link.source->intakes[journal_index(journal)];
  Side& side = link.sides[journal_index(journal)];
  if (range.last <= intake.taken) {
    ++figures.duplicates;
    if (range.last <= intake.durable && !std::exchange(side.acknowledge, true)) to_acknowledge.push_back(link.source);
    return Place::Duplicate;
  }
  if (range.first <= intake.taken + 1) return Place::Next;
  if (!side.overrun && side.rewound_to != intake.taken) rewind(link, journal);
  return Place::Later;
}

bool JournalInlet::State::has_room(Link& link, JournalKind journal, std::uint64_t bytes) {
  const OutstandingBytes& waiting = link.source->intakes[journal_index(journal)].waiting;
  if (waiting.admits(bytes, window_bytes_min) || figures.bytes_waiting + bytes <= config.window_bytes_total)
    return true;
  link.sides[journal_index(journal)].overrun = true;
  return false;
}

bool JournalInlet::State::is_of_origin(const Link& link, const AppendFrame& message) {
  if (message.frame == nullptr) return false;
  const auto header = decode_frame_header(*message.frame);
  const Origin& origin = link.source->origin;
  return header && header->origin == origin.node && header->incarnation == origin.incarnation &&
         !header->is_tail_marker() && header->first_sequence <= sequence_max;
}

void JournalInlet::State::give(Source& from, JournalRecord record, std::uint64_t bytes) {
  Intake& intake = from.intakes[journal_index(record.journal)];
  ++figures.records;
  figures.bytes_waiting += bytes;
  intake.waiting.add(record.last, bytes);
  intake.taken = intake.given = record.last;
  pass_stored(intake);
  effects.push_back(Store{std::move(record)});
}

/// Goes on behind what the store has already.
void JournalInlet::State::pass_stored(Intake& intake) {
  while (!intake.stored.empty() && intake.stored.front().first <= intake.taken + 1) {
    intake.taken = std::max(intake.taken, intake.stored.front().last);
    intake.stored.pop_front();
  }
}

void JournalInlet::State::settle(Intake& intake, Position through) {
  figures.bytes_waiting -= intake.waiting.bytes();
  intake.waiting.settle(through);
  figures.bytes_waiting += intake.waiting.bytes();
}

/// On every link of that origin; those whose records found no room may go on.
void JournalInlet::State::acknowledge(Source& of, JournalKind journal) {
  to_acknowledge.push_back(&of);
  for (Link* link : of.links) {
    Side& side = link->sides[journal_index(journal)];
    side.acknowledge = true;
    if (!side.overrun) continue;
    side.overrun = false;
    rewind(*link, journal);
  }
}

void JournalInlet::State::rewind(Link& link, JournalKind journal) {
  const Position taken = link.source->intakes[journal_index(journal)].taken;
  link.sides[journal_index(journal)].rewound_to = taken;
  ++figures.rewinds;
  answer(link, Rewind{link.session, journal, taken});
}

void JournalInlet::State::flush_acknowledgements() {
  for (Source* source : to_acknowledge) {
    for (Link* link : source->links) {
      for (const JournalKind journal : all_journals) {
        if (!std::exchange(link->sides[journal_index(journal)].acknowledge, false)) continue;
        const Position durable = source->intakes[journal_index(journal)].durable;
        answer(*link, Acknowledged{link->session, journal, durable, window});
      }
    }
  }
  to_acknowledge.clear();
}

}  // namespace legion
