// What the homes of a group say of it: its members and who has which share.
#pragma once

#include <string>

#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

/// One object a home that knows the group (of a group only one, unless members name different ones); `shares` are the
/// rows of the group's shares, which are put into it. Spools that do not answer, and older ones, are warnings.
/// Errors: the roster cannot be had, no spool is known.
Result<JsonTree> groups_of(Session& session, const std::string& group, const JsonTree& shares);
/// The members, as a table, and what is to be said besides.
void print_groups(Session& session, const JsonTree& groups);

}  // namespace legion::cli
