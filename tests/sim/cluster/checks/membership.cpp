// G7: at rest all nodes name the same members, in their present lives.
#include <algorithm>

#include "checks.hpp"

namespace legion::sim {

namespace {

void judge(const Evidence& evidence, const std::vector<NodeReport>& reports, Violations& violations) {
  for (std::size_t i = 0; i < reports.size(); ++i) {
    for (const auto& row : reports[i].nodes) {
      const std::string name = row["name"];
      const auto host = std::ranges::find(evidence.plan.hosts, name, &HostPlan::name);
      std::string wrong;
      if (host == evidence.plan.hosts.end()) {
        wrong = "a member that never was: " + name;
      } else {
        const auto& own = reports[static_cast<std::size_t>(host - evidence.plan.hosts.begin())].stats;
        if (own.is_null()) continue;
        if (row["state"] != "alive") wrong = name + " is " + row["state"].get<std::string>();
        if (row["incarnation"] != own["incarnation"]) wrong = "another incarnation of " + name + " than it has";
        if (row["boot"] != own["boot"]) wrong = "another boot of " + name + " than it has";
        if (row["address"] != host->address + ":7400") wrong = "another address of " + name;
      }
      if (wrong.empty() || violations.size() >= violations_per_check_max) continue;
      violations.push_back(
          {"G7 membership", evidence.plan.hosts[i].name + " says at " + text_of(reports[i].at) + ": " + wrong});
    }
    if (!reports[i].nodes.is_null() && reports[i].nodes.size() != reports.size()) {
      violations.push_back({"G7 membership", evidence.plan.hosts[i].name + " knows " +
                                                 std::to_string(reports[i].nodes.size()) + " members of " +
                                                 std::to_string(reports.size())});
    }
  }
}

}  // namespace

void check_membership(const Evidence& evidence, Violations& violations) {
  if (!evidence.converged) return;  // said already
  judge(evidence, evidence.before_books, violations);
  judge(evidence, evidence.after_books, violations);
}

}  // namespace legion::sim
