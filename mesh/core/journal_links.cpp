// Sessions: how a link to a spool begins, goes on and ends.
#include <algorithm>
#include <string>
#include <utility>

#include <legion/base/text.hpp>
#include <legion/core/journal_state.hpp>

namespace legion {
namespace {

constexpr int patience_max = 16;  // times resend_after
constexpr std::string_view code_no_such_link = "closed";

}  // namespace

void Journal::State::open(Link& link) {
  link.state = LinkState::Opening;
  do link.session = rng.next();
  while (link.session == 0);
  link.since = now.steady;
  link.close_told = false;
  for (const JournalKind journal : all_journals) {
    Side& side = link.sides[journal_index(journal)];
    side.out.clear();
    side.had_at_open = link.store ? stores.has(*link.store, journal) : 0;
  }
  send(link, OpenLink{spool_link_version, spool_link_version, link.session, origin, boot});
}

void Journal::State::take_down(Link& link) {
  link.state = LinkState::Down;
  link.session = 0;
  for (Side& side : link.sides) side.out.clear();
}

void Journal::State::tick(Link& link) {
  const Duration waited = now.steady - link.since;
  const bool something_is_out = link.sides[0].out.bytes() + link.sides[1].out.bytes() > 0;
  switch (link.state) {
    case LinkState::Down: return;
    case LinkState::Refused:
      if (waited >= config.reopen_after) open(link);
      return;
    case LinkState::Open:
      if (!something_is_out) return;
      [[fallthrough]];
    case LinkState::Opening:
      if (waited < link.patience) return;
      link.patience = std::min(2 * link.patience, patience_max * config.resend_after);
      open(link);
      return;
  }
}

void Journal::State::on(Link& link, const LinkOpened& message) {
  if (link.state != LinkState::Opening) {
    ++link.ignored;
    return;
  }
  for (const JournalKind journal : all_journals) {
    const LinkOpened::Have& have = message.journals[journal_index(journal)];
    const Position furthest = have.beyond.empty() ? have.through : have.beyond.back().last;
    if (furthest <= book(journal).records.last()) continue;
    return refuse(link, "its store has positions of this node's " + std::string(to_string(journal)) +
                            " journal that were never given");
  }
  if (link.store != message.store) {
    link.store = message.store;
    for (Side& side : link.sides) side.had_at_open = 0;
  }
  link.state = LinkState::Open;
  link.since = now.steady;
  link.trouble.clear();
  if (another_is_open(link)) {
    log(Level::Warning, "spool " + link.spool + ": its store " + message.store.hex() +
                            " is also reached under another name; it counts once");
  }
  for (const JournalKind journal : all_journals) begin(link, journal, message.journals[journal_index(journal)]);
  log(Level::Info, "spool " + link.spool + ": journal link open, store " + message.store.hex());
}

void Journal::State::begin(Link& link, JournalKind journal, const LinkOpened::Have& have) {
  Side& side = link.sides[journal_index(journal)];
  side.acknowledged = side.sent = have.through;
  side.window = have.window;
  side.beyond = have.beyond;
  side.beyond_at = 0;
  side.released = {};

  const Position has = has_after_holes(book(journal), have);
  if (has > side.had_at_open) link.patience = config.resend_after;
  if (has >= side.had_at_open) {
    // Of a store that is open under another name this may be old news.
    count_store(link, journal, another_is_open(link) ? std::max(has, stores.has(*link.store, journal)) : has);
    return;
  }
  log(Level::Warning, "spool " + link.spool + ": its store has the " + std::string(to_string(journal)) +
                          " journal up to " + std::to_string(has) + " but had acknowledged " +
                          std::to_string(side.had_at_open) + ": is it an older copy?");
  count_store(link, journal, has);
  for (auto& [spool, other] : links) {
    if (&other != &link && other.state == LinkState::Open && other.store == link.store) open(other);
  }
}

void Journal::State::on(Link& link, const LinkRefused& message) {
  if (link.state == LinkState::Refused) {
    ++link.ignored;
    return;
  }
  // It was started anew and this was said before it heard of us: nothing to wait for.
  if (message.code == code_no_such_link && link.state == LinkState::Open) return open(link);
  refuse(link, message.code + ": " + printable(message.message, limits::error_text_bytes_max));
}

void Journal::State::refuse(Link& link, std::string trouble) {
  if (link.trouble != trouble) log(Level::Error, "spool " + link.spool + " refuses the journal: " + trouble);
  link.state = LinkState::Refused;
  link.since = now.steady;
  link.trouble = std::move(trouble);
  for (Side& side : link.sides) side.out.clear();
}

void Journal::State::on(Link& link, const Acknowledged& message) {
  Side& side = link.sides[journal_index(message.journal)];
  const bool fits = link.state == LinkState::Open && message.through >= side.acknowledged &&
                    message.through <= book(message.journal).records.last();
  if (!fits) {
    ++link.ignored;
    return;
  }
  side.window = message.window;
  if (message.through == side.acknowledged) return;
  side.acknowledged = message.through;
  side.sent = std::max(side.sent, message.through);
  side.out.settle(message.through);
  link.since = now.steady;
  link.patience = config.resend_after;
  count_store(link, message.journal, std::max(message.through, stores.has(*link.store, message.journal)));
}

void Journal::State::on(Link& link, const Rewind& message) {
  Side& side = link.sides[journal_index(message.journal)];
  if (link.state != LinkState::Open || message.through < side.acknowledged || message.through > side.sent) {
    ++link.ignored;
    return;
  }
  side.sent = message.through;
  side.beyond_at = 0;
  side.out.rewind(message.through);
}

void Journal::State::count_store(Link& link, JournalKind journal, Position has) {
  stores.set(*link.store, journal, has);
  advance(journal);
  drop_what_all_have(journal);
}

/// A hole the node cannot fill does not take from what the store has behind it.
Position Journal::State::has_after_holes(const Book& book, const LinkOpened::Have& have) const {
  Position has = have.through;
  JournalRecords::Hint hint = 0;
  for (const PositionRange& range : have.beyond) {
    for (Position next = std::max(has, book.records.gone_through()) + 1; next < range.first;) {
      const JournalEntry& entry = book.records.find(next, hint);
      if (entry.is_frame() || entry.is_void()) return has;
      next = entry.last + 1;
    }
    has = range.last;
  }
  return has;
}

bool Journal::State::another_is_open(const Link& link) const {
  return std::ranges::any_of(links, [&](const auto& named) {
    const Link& other = named.second;
    return &other != &link && other.state == LinkState::Open && other.store == link.store;
  });
}

}  // namespace legion
