#include <legion/cli/dlq_letters.hpp>

#include <algorithm>
#include <array>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/moments.hpp>
#include <legion/cli/printable.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>

namespace legion::cli {
namespace {

constexpr std::size_t page_with_payload = 64;
constexpr std::size_t page_without_payload = 1000;
constexpr std::array<LetterState, 4> all_states{LetterState::Dead, LetterState::Requeued, LetterState::Resolved,
                                                LetterState::Purged};
constexpr std::array<std::string_view, 7> reasons{"handler_error", "gate_failed", "rejected", "expired", "undecodable",
                                                  "schema", "unknown_version"};

std::unexpected<Error> bad(std::string text) { return fail(ErrorCode::InvalidArgument, std::move(text)); }

JsonTree time_json(WallTime time) { return time.ns == 0 ? JsonTree(nullptr) : JsonTree(format_time(time)); }

JsonTree death_json(const LetterDeath& death) {
  return {{"agent", death.agent},
          {"reason", death.reason},
          {"attempts", death.attempts},
          {"error", printable(death.error)},
          {"first", time_json(death.first)},
          {"last", time_json(death.last)}};
}

}  // namespace

void LetterChoice::declare(CLI::App& app) {
  add_text(app, "--type", type_, "TYPE", "only events of this type or family");
  add_text(app, "--agent", agent_, "AGENT", "only letters of this agent: risk, or NODE/risk");
  add_text(app, "--reason", reason_, "REASON", "handler_error, gate_failed, rejected, expired, undecodable or schema");
  add_text(app, "--state", state_, "STATE[,STATE]", "dead, requeued, resolved, purged, or all");
  add_text(app, "--since", since_, "WHEN", "that died at this time or later: 5m (ago) or 2026-11-21T10:00:00Z");
  add_text(app, "--until", until_, "WHEN", "that died before this time; 1d: older than a day");
}

bool LetterChoice::narrows() const {
  return !ids_.empty() || !type_.empty() || !agent_.empty() || !reason_.empty() || !state_.empty() || !since_.empty() ||
         !until_.empty();
}

Result<void> LetterChoice::check(const std::vector<std::string>& ids, std::vector<LetterState> states, WallTime now) {
  for (const std::string& id : ids) {
    const auto event = parse_event_id("ID", id);
    if (!event) return std::unexpected(event.error());
    ids_.push_back(*event);
  }
  if (!type_.empty()) {
    const auto filter = Filter::parse(type_);
    if (!filter) return bad("--type: " + filter.error().message);
    query_.type = filter->text();
  }
  if (!agent_.empty()) query_.agent = agent_;
  if (!reason_.empty()) {
    if (std::ranges::find(reasons, reason_) == reasons.end()) {
      const auto meant = did_you_mean(reason_, reasons);
      return bad("--reason: '" + reason_ + "' is none of handler_error, gate_failed, rejected, expired, undecodable, schema" +
                 (meant ? "; did you mean '" + *meant + "'?" : ""));
    }
    query_.reason = reason_;
  }
  if (!since_.empty()) {
    const auto time = parse_moment("--since", since_, now);
    if (!time) return std::unexpected(time.error());
    query_.since = *time;
  }
  if (!until_.empty()) {
    const auto time = parse_moment("--until", until_, now);
    if (!time) return std::unexpected(time.error());
    query_.before = *time;
  }
  if (query_.since && query_.before && *query_.before <= *query_.since) return bad("--until is not behind --since");
  return read_states(std::move(states));
}

Result<void> LetterChoice::read_states(std::vector<LetterState> otherwise) {
  states_ = std::move(otherwise);
  if (state_ == "all") states_.assign(all_states.begin(), all_states.end());
  if (!state_.empty() && state_ != "all") {
    states_.clear();
    for (std::string_view rest = state_;;) {
      const auto comma = rest.find(',');
      const std::string_view word = rest.substr(0, comma);
      const auto found = std::ranges::find(all_states, word, [](LetterState state) { return to_string(state); });
      if (found == all_states.end()) {
        return bad("--state: '" + std::string(word) + "' is none of dead, requeued, resolved, purged, all");
      }
      states_.push_back(*found);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  if (states_.size() == 1) query_.state = states_.front();
  return {};
}

Result<void> LetterChoice::each(Session& session, SpoolQueries& spool, LetterQuery::Payload payload,
                                const OnLetter& on_letter) const {
  LetterQuery query = query_;
  query.payload = payload;
  query.max = payload == LetterQuery::Payload::With ? page_with_payload : page_without_payload;
  std::vector<LetterQuery> queries;
  if (ids_.empty()) queries.push_back(query);
  for (const std::string& id : ids_) {
    query.event = id;
    queries.push_back(query);
  }
  for (const LetterQuery& one : queries) {
    const auto more = read_all(session, spool, one, on_letter);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
  }
  return {};
}

/// Purged ones are told only to whoever asks for them by their state. False: enough.
Result<bool> LetterChoice::read_all(Session& session, SpoolQueries& spool, LetterQuery query,
                                    const OnLetter& on_letter) const {
  const auto more = read_pages(session, spool, query, on_letter);
  const bool purged_too = !query.state && std::ranges::find(states_, LetterState::Purged) != states_.end();
  if (!more || !*more || !purged_too) return more;
  query.state = LetterState::Purged;
  return read_pages(session, spool, std::move(query), on_letter);
}

/// False: enough.
Result<bool> LetterChoice::read_pages(Session& session, SpoolQueries& spool, LetterQuery query,
                                      const OnLetter& on_letter) const {
  for (;;) {
    auto page = spool.letters(query);
    if (!page) return std::unexpected(page.error());
    if (page->empty()) return true;
    for (LetterRecord& letter : *page) {
      std::string key = letter.key();
      if (!query.after.empty() && key <= query.after) {
        return fail(ErrorCode::BadData, "the answer to letters: " + key + " comes again");
      }
      query.after = std::move(key);
      if (session.world().interrupted()) return false;
      if (std::ranges::find(states_, letter.state) == states_.end()) continue;
      if (!on_letter(std::move(letter))) return false;
    }
  }
}

const LetterDeath* last_death(const LetterRecord& letter) {
  return letter.deaths.empty() ? nullptr : &letter.deaths.back();
}

JsonTree letter_json(const LetterRecord& letter) {
  const auto id = EventId::parse(letter.event);
  const LetterDeath* death = last_death(letter);
  JsonTree json{{"id", letter.event},
                {"type", id ? id->type : ""},
                {"agent", letter.agent},
                {"subscription", letter.subscription.empty() ? JsonTree(nullptr) : JsonTree(letter.subscription)},
                {"state", to_string(letter.state)},
                {"round", letter.round},
                {"requeues", letter.requeues},
                {"reason", death == nullptr ? "" : death->reason},
                {"attempts", death == nullptr ? 0 : death->attempts},
                {"error", death == nullptr ? "" : printable(death->error)},
                {"first", death == nullptr ? JsonTree(nullptr) : time_json(letter.deaths.front().first)},
                {"last", death == nullptr ? JsonTree(nullptr) : time_json(death->last)}};
  json["deaths"] = JsonTree::array();
  for (const LetterDeath& each : letter.deaths) json["deaths"].push_back(death_json(each));
  return json;
}

JsonTree event_json(const LetterRecord& letter) {
  if (letter.frame.empty()) return nullptr;
  const auto defect = [&](const std::string& why) { return JsonTree{{"id", letter.event}, {"defect", printable(why)}}; };
  const auto frame = Frame::decode(letter.frame);
  if (!frame) return defect(frame.error().message);
  for (const EventView& event : (*frame)->events()) {
    if (event.id_string() != letter.event) continue;
    if (!event.defect.empty()) return defect(std::string(event.defect));
    const auto text = to_cloudevent_json(event);
    if (!text) return defect(text.error().message);
    JsonTree json = JsonTree::parse(*text, nullptr, false);
    return json.is_object() ? json : defect("no JSON object");
  }
  return defect("the letter holds another event");
}

}  // namespace legion::cli
