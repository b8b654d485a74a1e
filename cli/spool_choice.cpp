#include <legion/cli/spool_choice.hpp>

#include <algorithm>

#include <legion/cli/spool_file.hpp>

namespace legion::cli {
namespace {

/// With others left to ask, a spool that is silent is not waited for longer.
constexpr Duration probe_timeout_max = 2s;

int rank(const Member& member, const std::string& asked_node) {
  if (member.state != MemberState::Alive) return 2;
  return member.endpoints.control == asked_node ? 0 : 1;
}

std::string names_of(const std::vector<Member>& members) {
  std::string names;
  for (const Member& member : members) names += (names.empty() ? "" : ", ") + member.name;
  return names;
}

Result<std::optional<ChosenSpool>> choose_file(Session& session, const std::string& path,
                                               const std::function<Result<bool>(SpoolQueries&)>& has) {
  auto ask = open_spool_file(path);
  if (!ask) return std::unexpected(ask.error());
  auto queries = std::make_unique<SpoolQueries>(path, std::move(*ask), session.options().timeout);
  auto info = queries->info();
  if (!info) return std::unexpected(info.error());
  const auto good = has(*queries);
  if (!good) return std::unexpected(good.error());
  if (!*good) return std::optional<ChosenSpool>{};
  return ChosenSpool{std::move(queries), std::move(*info)};
}

Result<std::vector<Member>> candidates(Session& session, const std::string& wanted) {
  auto spools = known_spools(session);
  if (!spools || wanted.empty()) return spools;
  const auto found = std::ranges::find(*spools, wanted, &Member::name);
  if (found == spools->end()) {
    return fail(ErrorCode::Unreachable, "no spool is named '" + wanted + "' (there are: " + names_of(*spools) + ")");
  }
  return std::vector<Member>{*found};
}

Result<ChosenSpool> probe(Session& session, const Member& member, Duration timeout) {
  auto queries = open_spool(session, member);
  if (!queries) return std::unexpected(queries.error());
  (*queries)->set_timeout(timeout);
  auto info = (*queries)->info();
  if (!info) return std::unexpected(info.error());
  (*queries)->set_timeout(session.options().timeout);
  return ChosenSpool{std::move(*queries), std::move(*info)};
}

}  // namespace

bool is_spool_file(const std::string& name) { return name.find_first_of("./") != std::string::npos; }

Result<std::vector<Member>> known_spools(Session& session) {
  const auto target = session.target();
  if (!target) return std::unexpected(target.error());
  auto members = session.roster();
  if (!members) return std::unexpected(members.error());
  std::erase_if(*members, [](const Member& member) {
    return member.endpoints.spool.empty() || member.state == MemberState::Left;
  });
  if (members->empty()) {
    return fail(ErrorCode::Unreachable,
                target->address.host_port() + " knows no spool: nothing is kept (a node with a [spool] table is one)");
  }
  std::ranges::stable_sort(*members, {}, [node = target->address.uri()](const Member& member) {
    return std::pair(rank(member, node), member.name);
  });
  return members;
}

Result<std::unique_ptr<SpoolQueries>> open_spool(Session& session, const Member& spool) {
  const auto address = parse_address(spool.endpoints.spool, 0);
  if (!address || address->port == 0 || address->is_wildcard()) {
    return fail(ErrorCode::BadData, spool.name + ": '" + spool.endpoints.spool + "' is not the address of a spool");
  }
  session.detail("asking the spool " + spool.name + " at " + address->host_port());
  auto ask = session.world().connect_spool(*address);
  if (!ask) return std::unexpected(ask.error());
  return std::make_unique<SpoolQueries>(spool.name, std::move(*ask), session.options().timeout);
}

Result<std::optional<ChosenSpool>> choose_spool_where(Session& session, const std::string& wanted,
                                                      const std::function<Result<bool>(SpoolQueries&)>& has) {
  if (is_spool_file(wanted)) return choose_file(session, wanted, has);
  const auto members = candidates(session, wanted);
  if (!members) return std::unexpected(members.error());
  std::optional<Error> trouble;
  bool answered = false;
  for (std::size_t i = 0; i < members->size(); ++i) {
    const Duration timeout = session.options().timeout;
    auto spool = probe(session, (*members)[i], i + 1 == members->size() ? timeout : std::min(timeout, probe_timeout_max));
    Result<bool> good = spool ? has(*spool->queries) : std::unexpected(spool.error());
    answered = answered || good.has_value();
    if (!good) {
      if (trouble) session.warn(trouble->message);
      trouble = Error{good.error().code, "spool " + (*members)[i].name + ": " + good.error().message};
    }
    if (!good || !*good) continue;
    if (trouble) session.warn(trouble->message);
    return std::move(*spool);
  }
  if (trouble && !answered) return std::unexpected(*trouble);
  if (trouble) session.warn(trouble->message);
  return std::optional<ChosenSpool>{};
}

Result<ChosenSpool> choose_spool(Session& session, const std::string& wanted) {
  auto spool = choose_spool_where(session, wanted, [](SpoolQueries&) { return true; });
  if (!spool) return std::unexpected(spool.error());
  return std::move(**spool);  // without a condition, no answer is an error
}

}  // namespace legion::cli
