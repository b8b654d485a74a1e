#include <legion/cli/pending_groups.hpp>

#include <algorithm>
#include <string_view>

#include <legion/cli/printable.hpp>
#include <legion/cli/spool_choice.hpp>
#include <legion/cli/table.hpp>
#include <legion/event/share.hpp>

namespace legion::cli {
namespace {

std::string_view word(GroupHome::MemberView::State state) {
  using State = GroupHome::MemberView::State;
  switch (state) {
    case State::Here: return "here";
    case State::Leaving: return "leaving";
    case State::Away: return "away";
    case State::Gone: return "gone";
  }
  return "here";
}

std::string_view word(GroupHome::ShareView::State state) {
  using State = GroupHome::ShareView::State;
  switch (state) {
    case State::Free: return "free";
    case State::Held: return "held";
    case State::Revoked: return "revoked";
  }
  return "free";
}

JsonTree tree_of(const std::string& home, const GroupHome::View& view, const JsonTree& rows) {
  JsonTree members = JsonTree::array();
  for (const GroupHome::MemberView& member : view.members) {
    members.push_back({{"agent", member.agent},
                       {"state", std::string(word(member.state))},
                       {"shares", member.held},
                       {"silent_ms", member.silent_for / 1ms}});
  }
  JsonTree shares = JsonTree::array();
  for (std::uint32_t i = 0; i < view.shares.size(); ++i) {
    const std::string name = share_name(view.group, i);
    const auto row = std::ranges::find_if(rows, [&](const JsonTree& one) { return text_of(one, "name") == name; });
    shares.push_back({{"name", name},
                      {"epoch", view.shares[i].epoch},
                      {"holder", view.shares[i].holder},
                      {"lease", std::string(word(view.shares[i].state))},
                      {"state", row == rows.end() ? std::string() : text_of(*row, "state")},
                      {"pending", row == rows.end() ? JsonTree(nullptr) : part_of(*row, "pending")}});
  }
  return {{"group", view.group},
          {"type", view.type},
          {"home", home},
          {"moved", view.moved},
          {"grants_in_ms", view.grants_in / 1ms},
          {"members", members},
          {"shares", shares}};
}

}  // namespace

Result<JsonTree> groups_of(Session& session, const std::string& group, const JsonTree& shares) {
  const auto spools = known_spools(session);
  if (!spools) return std::unexpected(spools.error());
  JsonTree found = JsonTree::array();
  for (const Member& spool : *spools) {
    if (spool.state == MemberState::Dead) continue;
    auto queries = open_spool(session, spool);
    const auto groups = queries ? (*queries)->groups() : std::unexpected(queries.error());
    if (!groups) {
      session.warn(spool.name + ": " + groups.error().message);
      continue;
    }
    for (const GroupHome::View& view : *groups) {
      if (view.group == group) found.push_back(tree_of(spool.name, view, shares));
    }
  }
  return found;
}

void print_groups(Session& session, const JsonTree& groups) {
  for (const JsonTree& group : groups) {
    session.out() << printable("group " + text_of(group, "group") + " of " + text_of(group, "type") + ", home " +
                               text_of(group, "home"))
                  << ", " << number_of(group, "moved") << " shares moved\n";
    if (const auto wait = number_of(group, "grants_in_ms"); wait > 0) {
      session.out() << "the home has begun anew and gives no shares for " << wait << " ms\n";
    }
    Table table({{"MEMBER"}, {"STATE"}, {"SHARES", Align::Right}, {"HEARD", Align::Right, 1}});
    for (const JsonTree& member : part_of(group, "members")) {
      const std::string state = text_of(member, "state");
      table.row({{text_of(member, "agent"), Tint::Bold},
                 {state, state == "here" ? Tint::Green : Tint::Yellow},
                 {std::to_string(number_of(member, "shares"))},
                 {std::to_string(number_of(member, "silent_ms")) + " ms ago"}});
    }
    session.print(table);
  }
  if (groups.size() > 1) session.out() << "members name different homes: those of the younger one stand back\n";
}

}  // namespace legion::cli
