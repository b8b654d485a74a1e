#include <legion/cli/dlq_requeue.hpp>

#include <algorithm>

#include <legion/cli/map_writer.hpp>

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

Result<std::unique_ptr<NodeConnection>> Requeue::open(const std::string& name) {
  if (!roster_) roster_ = session_.roster();
  if (!*roster_) return std::unexpected(roster_->error());
  const auto found = std::ranges::find(**roster_, name, &Member::name);
  if (found == (*roster_)->end()) return fail(ErrorCode::Unreachable, "no node is named '" + name + "'");
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
  if (auto why = reason_to_skip(letter); !why.empty()) return {"skipped", std::move(why)};
  const std::string name = letter.agent.substr(0, letter.agent.find('/'));
  const auto node = node_of(name);
  if (!node) return {"failed", node.error().message};
  if (dry_run_ == DryRun::Yes) return {"would_requeue", ""};
  const auto answer = (*node)->call("requeue", params_of(letter, requeues_max_), session_.options().timeout);
  if (answer) return {"requeued", ""};
  if (is_of_the_node(answer.error().code)) nodes_.insert_or_assign(name, std::unexpected(answer.error()));
  return {"failed", answer.error().message};
}

}  // namespace legion::cli
