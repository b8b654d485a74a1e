// Questions to several nodes, each over one connection that is kept.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <legion/cli/figures.hpp>
#include <legion/cli/session.hpp>

namespace legion::cli {

class NodeQuestions {
 public:
  /// For each answer; absent: as the user says.
  explicit NodeQuestions(std::optional<Duration> timeout = std::nullopt) : timeout_(timeout) {}

  /// The answer as JSON. Errors: as NodeConnection; BadData.
  Result<JsonTree> ask(Session& session, const Address& address, std::string_view method);
  /// A row each of what the node of --node knows of the members.
  Result<JsonTree> members(Session& session);
  /// The addresses of those it has for alive.
  Result<std::vector<Address>> alive(Session& session);

 private:
  std::optional<Duration> timeout_;
  std::map<std::string, std::unique_ptr<NodeConnection>> connections_;
};

/// Of rows of members().
std::vector<Address> alive_addresses(const JsonTree& members);

}  // namespace legion::cli
