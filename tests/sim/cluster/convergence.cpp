#include "convergence.hpp"

#include <algorithm>
#include <map>

namespace legion::sim {

namespace {

using Json = nlohmann::json;

class Settling {
 public:
  Settling(const Plan& plan, const std::vector<NodeReport>& reports) : plan_(plan), reports_(reports) {}

  std::string judge() {
    for (std::size_t i = 0; i < reports_.size(); ++i) judge_host(i);
    if (plan_.group) judge_group();
    return std::move(text_);
  }

 private:
  void say(std::size_t host, const std::string& what) { text_ += "  " + plan_.hosts[host].name + ": " + what + '\n'; }
  void expect_zero(std::size_t host, const Json& value, const std::string& what) {
    if (value.get<std::int64_t>() != 0) say(host, what + " is " + value.dump());
  }

  void judge_host(std::size_t host) {
    const NodeReport& report = reports_[host];
    if (!report.trouble.empty() || !report.finished) return say(host, "no answer: " + report.trouble);
    judge_members(host, report);
    judge_stats(host, report.stats);
    for (const Json& durable : report.pending) judge_durable(host, durable);
  }

  void judge_members(std::size_t host, const NodeReport& report) {
    for (std::size_t i = 0; i < reports_.size(); ++i) {
      if (!reports_[i].trouble.empty() || !reports_[i].finished) continue;
      const auto row =
          std::ranges::find_if(report.nodes, [&](const Json& one) { return one["name"] == plan_.hosts[i].name; });
      if (row == report.nodes.end()) {
        say(host, "does not know " + plan_.hosts[i].name);
      } else if ((*row)["state"] != "alive") {
        say(host, plan_.hosts[i].name + " is " + (*row)["state"].get<std::string>());
      } else if ((*row)["incarnation"] != reports_[i].stats["incarnation"]) {
        say(host, "knows another life of " + plan_.hosts[i].name);
      }
    }
  }

  void judge_stats(std::size_t host, const Json& stats) {
    if (!stats["publishing"].get<bool>()) say(host, "does not publish yet");
    for (const Json& lane : stats["lanes"])
      expect_zero(host, lane["queued"], "queued in lane " + lane["lane"].get<std::string>());
    for (const Json& one : stats["subscriptions"]) {
      expect_zero(host, one["pending"],
                  "pending of " + one["agent"].get<std::string>() + ' ' + one["type"].get<std::string>());
    }
    for (const Json& agent : stats["agents"]) {
      if (!agent["up"].get<bool>()) say(host, agent["agent"].get<std::string>() + " is down");
    }
    expect_zero(host, stats["waiting_for_earlier_tier"], "waiting for an earlier tier");
    if (plan_.spools() > 0) judge_journal(host, stats["journal"]);
    const Json& spool = stats["spool"];
    if (spool.is_null()) return;
    if (!spool["frozen"].is_null()) say(host, "frozen: " + spool["frozen"].get<std::string>());
    expect_zero(host, spool["catchup"]["missing"], "missing in the spool");
    if (spool["catchup"]["peers"].get<std::size_t>() + 1 != plan_.spools())
      say(host, "not connected to every other spool");
    expect_zero(host, spool["bytes_waiting"], "bytes waiting for the store");
  }

  void judge_journal(std::size_t host, const Json& journal) {
    if (journal.is_null()) return say(host, "has no streams yet");
    if (journal["links"].size() != plan_.spools()) say(host, "has not a link to every spool");
    for (const char* kind : {"confirmed", "captured"}) {
      expect_zero(host, journal[kind]["unconfirmed_events"], std::string("unconfirmed in the ") + kind + " journal");
      for (const Json& link : journal["links"]) {
        if (link["state"] != "open")
          say(host, "link to " + link["spool"].get<std::string>() + " is " + link["state"].get<std::string>());
        if (link[kind]["acknowledged"] != journal[kind]["last"]) {
          say(host, link["spool"].get<std::string>() + " has not all of the " + kind + " journal");
        }
      }
    }
  }

  /// Every share is with one member.
  void judge_group() {
    std::map<std::string, std::size_t> holders;
    for (std::uint32_t i = 0; i < plan_.group->shares; ++i) holders[plan_.group->name + '/' + std::to_string(i)] = 0;
    for (const NodeReport& report : reports_) {
      for (const Json& durable : report.pending) {
        const auto share = holders.find(durable["name"].get<std::string>());
        if (share != holders.end() && durable["phase"] == "active") ++share->second;
      }
    }
    for (const auto& [name, count] : holders) {
      if (count != 1) text_ += "  " + name + " is with " + std::to_string(count) + " members\n";
    }
  }

  void judge_durable(std::size_t host, const Json& durable) {
    const std::string name = durable["name"];
    if (durable["phase"] == "standby") return;
    if (durable["phase"] != "active")
      say(host, name + " is " + durable["phase"].get<std::string>() + ": " + durable["trouble"].get<std::string>());
    expect_zero(host, durable["pending"], "pending of " + name);
    expect_zero(host, durable["retrying"], "retrying of " + name);
    for (const Json& stream : durable["streams"]) {
      const std::string stalled = stream["stalled"];
      if (!stalled.empty())
        say(host, name + " stands still in " + stream["stream"].get<std::string>() + ": " + stalled);
    }
  }

  const Plan& plan_;
  const std::vector<NodeReport>& reports_;
  std::string text_;
};

}  // namespace

std::string unsettled(const Plan& plan, const std::vector<NodeReport>& reports) {
  return Settling(plan, reports).judge();
}

}  // namespace legion::sim
