// How far durable subscriptions are: what a spool knows of them, and what the nodes that consume say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>
#include <legion/cli/spool_queries.hpp>

namespace legion::cli {

/// A row per durable subscription: name, state ("away" without a consumer), filter, agent, node, pending, oldest_age_ms,
/// stalled, retrying, lost, trouble, generation, updated.
///
/// What the consuming node says holds; of a subscription whose consumer is away the spool's tails beyond its cursor count.
/// Thread: the command's. Bounds: a row per subscription; of each at most a few streams are looked into for the oldest event.
class PendingRows {
 public:
  /// A node's answer to `pending`. Errors: BadData.
  Result<void> add_node(const std::string& node, const JsonTree& answer);
  /// The cursors of a spool. Errors: as SpoolQueries.
  Result<void> add_spool(SpoolQueries& spool, WallTime now);
  /// In the order of names.
  JsonTree rows() const;
  /// The node that consumes the subscription now; empty: none said so.
  std::string node_of(const std::string& name) const;

 private:
  struct Behind {
    std::uint64_t events = 0;
    std::vector<StreamQuery> next;  ///< where each stream that is behind goes on
  };
  static Behind behind(const CursorRecord& cursor, const std::vector<StreamTail>& tails);
  static Result<JsonTree> oldest_age(SpoolQueries& spool, const std::vector<StreamQuery>& streams, WallTime now);

  std::map<std::string, JsonTree> rows_;
};

/// "alpha:7:2:demo.x:0"
std::string stream_text(const StreamId& stream);

}  // namespace legion::cli
