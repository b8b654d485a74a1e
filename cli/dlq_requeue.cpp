#include <legion/cli/dlq_requeue.hpp>

#include <algorithm>

#include <legion/cli/map_writer.hpp>
#include <legion/event/share.hpp>

namespace legion::cli {
namespace {

/// A node that is not there will not be there for the next letter either.
bool is_of_the_node(ErrorCode code) {
  return code == ErrorCode::Unreachable || code == ErrorCode::TimedOut || code == ErrorCode::Closed;
}

Bytes params_of(const LetterRecord& letter, std::uint64_t requeues_max) {
  MapWriter params;
  params.raw("letter", encode(SpoolRecord(letter)));
  params.uint("max_requeues", requeues_max);
  return params.take();
}

}  // namespace

std::string Requeue::reason_to_skip(const LetterRecord& letter) const {
  if (letter.state == LetterState::Requeued) return "it is requeued already";
  if (letter.state != LetterState::Dead) return "it is " + std::string(to_string(letter.state));
  if (letter.requeues >= requeues_max_) {
    return "it was requeued " + std::to_string(letter.requeues) + " times before (--max-requeues)";
  }
  return letter.frame.empty() ? "the event is not in it" : "";
}

const Result<std::vector<Member>>& Requeue::roster() {
  if (!roster_) roster_ = session_.roster();
  return *roster_;
}

Result<std::unique_ptr<NodeConnection>> Requeue::open(const std::string& name) {
  const auto& members = roster();
  if (!members) return std::unexpected(members.error());
  const auto found = std::ranges::find(*members, name, &Member::name);
  if (found == members->end()) return fail(ErrorCode::Unreachable, "no node is named '" + name + "'");
  if (found->state == MemberState::Left) return fail(ErrorCode::Unreachable, "node " + name + " has left");
  const auto address = parse_address(found->endpoints.control, 0);
  if (!address) return std::unexpected(address.error());
  return session_.connect(*address);
}

Result<NodeConnection*> Requeue::node_of(const std::string& name) {
  auto found = nodes_.find(name);
  if (found == nodes_.end()) found = nodes_.emplace(name, open(name)).first;
  if (!found->second) return std::unexpected(found->second.error());
  return found->second->get();
}

Requeue::Outcome Requeue::requeue(const LetterRecord& letter) {
  const std::string name = letter.agent.substr(0, letter.agent.find('/'));
  const bool is_of_group = group_of(letter.subscription).has_value();  // somebody else may have the share now
  const bool may_be_left = is_of_group && letter.state == LetterState::Requeued && !node_of(name);
  if (auto why = reason_to_skip(letter); !why.empty() && !may_be_left) return {"skipped", std::move(why)};
  const auto node = node_of(name);
  if (!node && is_of_group) return requeue_at_holder(letter, name, node.error());
  if (!node) return {"failed", node.error().message};
  if (dry_run_ == DryRun::Yes) return {"would_requeue", ""};
  const auto answer = (*node)->call("requeue", params_of(letter, requeues_max_), session_.options().timeout);
  if (answer) return {"requeued", ""};
  if (is_of_the_node(answer.error().code)) {
    nodes_.insert_or_assign(name, std::unexpected(answer.error()));
    if (is_of_group && answer.error().code == ErrorCode::Unreachable) {
      return requeue_at_holder(letter, name, answer.error());
    }
  }
  return {"failed", answer.error().message};
}

/// Whoever holds the share takes the letter; all others say that they do not. `why`: the node of the letter is not there.
Requeue::Outcome Requeue::requeue_at_holder(const LetterRecord& letter, const std::string& gone, const Error& why) {
  const auto& members = roster();
  if (!members) return {"failed", members.error().message};
  const Bytes params = params_of(letter, requeues_max_);
  std::string refusal = why.message + ", and nobody has its share " + letter.subscription;
  for (const Member& member : *members) {
    if (member.name == gone || member.state != MemberState::Alive) continue;
    const auto node = node_of(member.name);
    if (!node) continue;
    if (dry_run_ == DryRun::Yes) return {"would_requeue", "at whoever has share " + letter.subscription};
    const auto answer = (*node)->call("requeue", params, session_.options().timeout);
    if (answer) return {"requeued", "at " + member.name};
    const bool is_no = answer.error().code == ErrorCode::Refused || answer.error().code == ErrorCode::WouldBlock;
    if (is_no) refusal = member.name + ": " + answer.error().message;
  }
  return {"failed", refusal};
}

}  // namespace legion::cli
