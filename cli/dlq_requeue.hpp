// Hands dead letters back to the agents that failed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>
#include <legion/event/spool_record.hpp>

namespace legion::cli {

enum class DryRun : std::uint8_t { No, Yes };

/// Calls `requeue` at the node of the agent of each letter; of a share of a group whose node is gone, at whoever holds the
/// share now. A node that cannot be reached is tried once.
/// Thread: the command's. Bounds: one connection a node.
class Requeue {
 public:
  Requeue(Session& session, std::uint64_t requeues_max, DryRun dry_run)
      : session_(session), requeues_max_(requeues_max), dry_run_(dry_run) {}

  /// What became of one letter: `status` is "requeued", "would_requeue", "skipped" or "failed".
  struct Outcome {
    std::string status;
    std::string detail;
  };
  Outcome requeue(const LetterRecord& letter);

 private:
  Outcome requeue_at_holder(const LetterRecord& letter, const std::string& gone, const Error& why);
  const Result<std::vector<Member>>& roster();
  std::string reason_to_skip(const LetterRecord& letter) const;
  Result<NodeConnection*> node_of(const std::string& name);
  Result<std::unique_ptr<NodeConnection>> open(const std::string& name);

  Session& session_;
  std::uint64_t requeues_max_;
  DryRun dry_run_;
  std::optional<Result<std::vector<Member>>> roster_;
  std::map<std::string, Result<std::unique_ptr<NodeConnection>>> nodes_;
};

}  // namespace legion::cli
