// Which spool a command reads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <legion/cli/session.hpp>
#include <legion/cli/spool_queries.hpp>

namespace legion::cli {

/// A spool that answered.
struct ChosenSpool {
  std::unique_ptr<SpoolQueries> queries;
  SpoolInfo info;  ///< its answer when it was chosen
};

/// Members of the roster with a spool port that have not left: the asked node itself first, then those that are alive, by
/// name. Errors: as the roster; Unreachable where there is none.
Result<std::vector<Member>> known_spools(Session& session);
/// Whether this names a file of a store and not a node.
bool is_spool_file(const std::string& name);
/// Connects and says nothing yet.
Result<std::unique_ptr<SpoolQueries>> open_spool(Session& session, const Member& spool);
/// The first of known_spools() that answers, or the one named `wanted`: a node, or a file that no spool has open. The
/// others' errors are warnings.
Result<ChosenSpool> choose_spool(Session& session, const std::string& wanted);
/// As choose_spool(), of several the first that `has` what is looked for; nothing: none of them.
/// `wanted` empty: all are asked.
Result<std::optional<ChosenSpool>> choose_spool_where(Session& session, const std::string& wanted,
                                                      const std::function<Result<bool>(SpoolQueries&)>& has);

}  // namespace legion::cli
