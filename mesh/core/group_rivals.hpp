// Members that name different homes: which of the homes is the group's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <legion/core/group_home.hpp>

namespace legion {

/// Why a member that takes `home` for the group's home has to stand back; nothing: it need not. `told` is what the
/// spools that answered say of their groups, by name of the spool; without an answer of `home` nothing is decided.
///
/// Of two homes with members it is the one whose oldest lease is older, then the one whose name is first, so that all
/// members decide alike. A home whose members are all gone counts for nothing.
std::optional<std::string> rival_home(const std::string& group, const std::string& home,
                                      const std::map<std::string, std::vector<GroupHome::View>>& told);

}  // namespace legion
