#include "history.hpp"

#include <cstdio>

#include <legion/event/frame.hpp>

#include "kernel/kernel.hpp"

namespace legion::sim {

std::string_view to_string(Ending ending) {
  switch (ending) {
    case Ending::Open: return "open";
    case Ending::Done: return "done";
    case Ending::Stop: return "stop";
    case Ending::Reject: return "reject";
    case Ending::Retry: return "retry";
  }
  return "?";
}

std::string text_of(SteadyTime at) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", static_cast<double>((at - Kernel::begins_at).count()) / 1e9);
  return text;
}

void History::sent_to(std::size_t host, std::string_view message, Sent one) {
  const auto header = decode_frame_header(as_bytes_view(message));
  if (!header) return;  // the echo of a sync
  one.next = header->first_sequence + header->event_count;
  const StreamNo stream = stream_of(
      {{std::string(header->origin), header->incarnation}, header->lane, std::string(header->type), header->shard});
  sent[{host, stream}].push_back(one);
}

bool History::is_unheard(std::size_t host, const Place& place, SteadyTime until) const {
  const auto found = sent.find({host, place.stream});
  if (found == sent.end()) return false;
  bool was_dropped = false;
  for (const Sent& one : found->second) {
    if (one.at > until || one.next <= place.sequence) continue;
    if (!one.dropped) return false;
    was_dropped = true;
  }
  return was_dropped;
}

StreamNo History::stream_of(const StreamId& stream) {
  const auto [found, fresh] = stream_numbers_.try_emplace(stream, static_cast<StreamNo>(streams.size()));
  if (fresh) streams.push_back(stream);
  return found->second;
}

Place History::place_of(const EventId& id) {
  return {stream_of({{id.node, id.incarnation}, id.lane, id.type, id.shard}), id.sequence};
}

std::string History::id_text(const Place& place) const {
  const StreamId& stream = streams[place.stream];
  return EventId{stream.origin.node, stream.origin.incarnation, stream.lane, stream.type, stream.shard, place.sequence}
      .to_string();
}

std::size_t History::attempted(Publishing publishing) {
  by_tag_[publishing.tag] = publishings.size();
  publishings.push_back(std::move(publishing));
  return publishings.size() - 1;
}

void History::numbered(std::size_t publishing, const std::string& id, SteadyTime at) {
  Publishing& told = publishings[publishing];
  const auto parsed = EventId::parse(id);
  if (!parsed) {
    told.numbering_failed = true;
    return;
  }
  told.place = place_of(*parsed);
  if (!told.numbered) told.numbered = at;
  by_place_[*told.place] = publishing;
  std::uint64_t& tail = tails_[told.place->stream];
  tail = std::max(tail, told.place->sequence);
}

const Publishing* History::published(Tag tag) const {
  const auto found = by_tag_.find(tag);
  return found == by_tag_.end() ? nullptr : &publishings[found->second];
}

const Publishing* History::published_at(const Place& place) const {
  const auto found = by_place_.find(place);
  return found == by_place_.end() ? nullptr : &publishings[found->second];
}

std::size_t History::handed(HandOver hand_over) {
  hand_overs.push_back(std::move(hand_over));
  return hand_overs.size() - 1;
}

void History::ended(std::size_t hand_over, Ending ending, SteadyTime at) {
  hand_overs[hand_over].ending = ending;
  hand_overs[hand_over].ended = at;
}

std::string History::name_of(LifeNo life) const {
  return host_names[lives[life].host] + '/' + std::to_string(lives[life].number);
}

std::string History::story(const Place& place) const {
  std::string text = "  event " + id_text(place) + '\n';
  if (const Publishing* told = published_at(place)) {
    text += "  " + text_of(told->at) + ' ' + name_of(told->life) + " published it";
    if (told->numbered) text += ", numbered " + text_of(*told->numbered);
    if (told->confirmed) text += ", confirmed " + text_of(*told->confirmed);
    text += '\n';
  }
  std::set<std::size_t> hosts;
  for (const HandOver& one : hand_overs) {
    if (one.place != place) continue;
    hosts.insert(lives[one.life].host);
    text += "  " + text_of(one.at) + ' ' + name_of(one.life) + " subscription " + std::to_string(one.subscription) +
            " attempt " + std::to_string(one.attempt) + (one.replayed ? " (a replay)" : "") +
            (one.deferred ? " deferred," : "") + " -> " + std::string(to_string(one.ending));
    if (one.ending != Ending::Open) text += " at " + text_of(one.ended);
    text += '\n';
  }
  if (const auto& node = streams[place.stream].origin.node; !node.empty()) {
    for (std::size_t i = 0; i < host_names.size(); ++i) {
      if (host_names[i] == node) hosts.insert(i);
    }
  }
  for (const Life& life : lives) {
    if (!hosts.contains(life.host)) continue;
    text += "  " + host_names[life.host] + '/' + std::to_string(life.number) + " lived from " + text_of(life.began) +
            (life.ended ? " to " + text_of(*life.ended) : " on") +
            (life.end == Life::End::Killed  ? ", killed"
             : life.end == Life::End::Clean ? ", stopped"
                                            : "") +
            (life.state == Life::State::Lost ? ", began on an empty disk" : "") + '\n';
  }
  const std::string id = id_text(place);
  for (const Operation& operation : operations) {
    if (operation.subject != id) continue;
    text += "  " + text_of(operation.at) + " operator: " + operation.what + ' ' + operation.subscription + " -> " +
            operation.answer + '\n';
  }
  return text;
}

}  // namespace legion::sim
