#include <legion/cli/node_questions.hpp>

namespace legion::cli {

Result<JsonTree> NodeQuestions::ask(Session& session, const Address& address, std::string_view method) {
  auto& connection = connections_[address.host_port()];
  if (!connection) {
    auto opened = session.connect(address);
    if (!opened) return std::unexpected(opened.error());
    connection = std::move(*opened);
  }
  const auto answer = session.call_json(*connection, method, timeout_);
  if (!answer) return std::unexpected(answer.error());
  JsonTree json = JsonTree::parse(*answer, nullptr, false);
  if (!json.is_structured()) return fail(ErrorCode::BadData, address.host_port() + ": the answer is no JSON object");
  return json;
}

Result<JsonTree> NodeQuestions::members(Session& session) {
  const auto target = session.target();
  if (!target) return std::unexpected(target.error());
  return ask(session, target->address, "nodes");
}

Result<std::vector<Address>> NodeQuestions::alive(Session& session) {
  const auto rows = members(session);
  if (!rows) return std::unexpected(rows.error());
  return alive_addresses(*rows);
}

std::vector<Address> alive_addresses(const JsonTree& members) {
  std::vector<Address> alive;
  for (const JsonTree& row : members) {
    if (text_of(row, "state") != "alive") continue;
    const auto address = parse_address(text_of(row, "address"), 0);
    if (address) alive.push_back(*address);
  }
  return alive;
}

}  // namespace legion::cli
