#include "transcript.hpp"

#include <deque>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <legion/base/units.hpp>
#include <legion/core/membership.hpp>

namespace legion {
namespace {

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

/// "@7" is tcp://10.0.0.7:7400; anything else stays as it is.
std::string address_of(const std::string& text) {
  return text.starts_with('@') ? "tcp://10.0.0." + text.substr(1) + ":7400" : text;
}

std::string short_address(const std::string& uri) {
  const std::string prefix = "tcp://10.0.0.";
  const auto end = uri.rfind(":7400");
  if (!uri.starts_with(prefix) || end == std::string::npos) return uri;
  return "@" + uri.substr(prefix.size(), end - prefix.size());
}

BootId boot_of(const std::string& number) {
  BootId boot;
  boot.bytes[15] = static_cast<std::uint8_t>(std::stoul(number));
  return boot;
}

Duration duration_of(const std::string& text) {
  const auto parsed = parse_duration(text);
  if (!parsed) throw std::invalid_argument(parsed.error().message);
  return *parsed;
}

/// name/incarnation/boot@host[:state]
Member member_of(const std::string& text) {
  const auto first = text.find('/');
  const auto second = text.find('/', first + 1);
  const auto place = text.find('@');
  if (first == std::string::npos || second == std::string::npos || place == std::string::npos) {
    throw std::invalid_argument("not a member: " + text);
  }
  const auto colon = text.find(':', place);
  Member member;
  member.name = text.substr(0, first);
  member.incarnation = std::stoull(text.substr(first + 1, second - first - 1));
  member.boot = boot_of(text.substr(second + 1, place - second - 1));
  const std::string host = text.substr(place, colon == std::string::npos ? colon : colon - place);
  member.endpoints.control = address_of(host);
  for (std::size_t lane = 0; lane < member.endpoints.lanes.size(); ++lane) {
    member.endpoints.lanes[lane] = "tcp://10.0.0." + host.substr(1) + ":" + std::to_string(7401 + lane);
  }
  if (colon == std::string::npos) return member;
  const std::string state = text.substr(colon + 1);
  for (const MemberState each : {MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left}) {
    if (state == to_string(each)) member.state = each;
  }
  return member;
}

std::string brief(const Member& member) {
  return member.name + "/" + std::to_string(member.incarnation) + short_address(member.endpoints.control);
}

/// The first word says the kind; `ignore` names kinds.
std::string line_of(const MembershipEffect& given) {
  return std::visit(
      overloaded{
          [](const effect::SendHello& e) {
            return "hello " + short_address(e.address) + " inc " + std::to_string(e.request.self.incarnation);
          },
          [](const effect::FetchRoster& e) { return "fetch_roster " + short_address(e.address); },
          [](const effect::ConnectPeer& e) { return "connect " + brief(e.peer); },
          [](const effect::DisconnectPeer& e) { return "disconnect " + e.name; },
          [](const effect::IncarnationChosen& e) { return "chosen " + std::to_string(e.incarnation); },
          [](const effect::PublishingOpen&) { return std::string("open"); },
          [](const effect::PublishHeartbeat& e) { return std::string(e.leaving ? "heartbeat leaving" : "heartbeat"); },
          [](const effect::SendGoodbye& e) {
            std::string line = "goodbye";
            for (const std::string& address : e.addresses) line += " " + short_address(address);
            return line;
          },
          [](const effect::PersistRoster&) { return std::string("persist"); },
          [](const effect::MemberChanged& e) {
            const std::string from = e.from ? std::string(to_string(*e.from)) : "new";
            return "member " + brief(e.member) + " " + from + " -> " + std::string(to_string(e.to)) + " : " + e.why;
          },
          [](const effect::CollectTails& e) {
            std::string line = "collect_tails";
            for (const Origin& origin : e.origins) line += " " + origin.node + "/" + std::to_string(origin.incarnation);
            return line + " from " + short_address(e.address);
          },
          [](const effect::Fence& e) { return "fence " + e.message; },
          [](const effect::GiveUp& e) { return "give_up " + std::to_string(e.exit_code) + " " + e.message; },
          [](const effect::LogLine& e) { return "log " + e.text; },
      },
      given);
}

/// `*` stands for one word, `...` for the rest of the line.
bool matches(const std::string& expected, const std::string& got) {
  const Words want = words_of(expected);
  const Words have = words_of(got);
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (want[i] == "...") return true;
    if (i >= have.size() || (want[i] != "*" && want[i] != have[i])) return false;
  }
  return want.size() == have.size();
}

class Transcript {
 public:
  explicit Transcript(std::string path) : path_(std::move(path)) {}

  std::string run() {
    std::ifstream file(path_);
    if (!file) return path_ + ": cannot be read";
    for (std::string line; std::getline(file, line);) {
      ++number_;
      const Words words = words_of(line);
      if (words.empty() || words[0].starts_with('#')) continue;
      try {
        step(words, line);
      } catch (const std::exception& error) {
        complain("this line cannot be carried out: " + std::string(error.what()));
      }
      if (!complaint_.empty()) return complaint_;
    }
    expect_nothing_more();
    return complaint_;
  }

 private:
  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = path_ + ":" + std::to_string(number_) + ": " + what;
  }

  void expect_nothing_more() {
    if (!got_.empty()) complain("before this line also came: " + got_.front());
  }

  void step(const Words& words, const std::string& line) {
    if (words[0] == ">") {
      const std::string expected = line.substr(line.find('>') + 1);
      if (got_.empty()) return complain("expected" + expected + ", nothing came");
      if (!matches(expected, got_.front())) return complain("expected" + expected + ", got " + got_.front());
      got_.pop_front();
      return;
    }
    expect_nothing_more();
    if (!complaint_.empty()) return;
    if (core_ == nullptr && words[0] != "start") return prepare(words);
    input(words);
    collect();
  }

  void prepare(const Words& words) {
    if (words[0] == "node") {
      const Member own = member_of(words.at(1));
      self_.name = own.name;
      self_.boot = own.boot;
      self_.endpoints = own.endpoints;
    } else if (words[0] == "join") {
      for (std::size_t i = 1; i < words.size(); ++i) config_.join.push_back(address_of(words[i]));
    } else if (words[0] == "kept") {
      if (words.at(1) == "incarnation") {
        self_.kept_incarnation = std::stoull(words.at(2));
      } else {
        for (std::size_t i = 1; i < words.size(); ++i) self_.kept_roster.push_back(member_of(words[i]));
      }
    } else if (words[0] == "wall") {
      now_.wall.ns = std::stoll(words.at(1));
    } else if (words[0] == "forget_after") {
      config_.forget_after = duration_of(words.at(1));
    } else if (words[0] == "ignore") {
      ignored_.insert(words.begin() + 1, words.end());
    } else {
      complain("no such setting: " + words[0]);
    }
  }

  void input(const Words& words) {
    const std::string& verb = words[0];
    if (verb == "start") {
      core_ = std::make_unique<Membership>(config_, self_, 1);
      core_->start(now_);
    } else if (verb == "run") {
      const SteadyTime end = now_.steady + duration_of(words.at(1));
      while (now_.steady < end) pass(std::min<Duration>(Membership::tick_interval, end - now_.steady));
      return;
    } else if (verb == "pause") {
      pass(duration_of(words.at(1)));
      return;
    } else if (verb == "hello_failed") {
      const auto failure =
          words.at(2) == "refused" ? Membership::HelloFailure::Refused : Membership::HelloFailure::TimedOut;
      core_->on_hello_failed(now_, address_of(words.at(1)), failure, words.size() > 3 ? words[3] : "");
    } else if (verb == "hello_reply") {
      hello_reply(words);
    } else if (verb == "hello") {
      hello(words);
    } else if (verb == "roster") {
      std::vector<Member> members;
      for (std::size_t i = 1; i < words.size(); ++i) members.push_back(member_of(words[i]));
      core_->on_roster(now_, members);
    } else if (verb == "heartbeat") {
      Heartbeat heartbeat;
      heartbeat.self = member_of(words.at(1));
      heartbeat.roster_hash = core_->hash();
      for (std::size_t i = 2; i < words.size(); ++i) {
        if (words[i] == "leaving") heartbeat.leaving = true;
        if (words[i] == "other_hash") heartbeat.roster_hash ^= 1;
      }
      core_->on_heartbeat(now_, heartbeat);
    } else if (verb == "goodbye") {
      core_->on_goodbye(now_, words.at(1), std::stoull(words.at(2)));
    } else if (verb == "synced") {
      core_->on_receiver_synced(now_, words.at(1));
    } else if (verb == "leave") {
      core_->leave(now_);
    } else {
      return complain("no such input: " + verb);
    }
    core_->on_tick(now_);
  }

  void hello_reply(const Words& words) {
    HelloReply reply;
    reply.self = member_of(words.at(2));
    for (std::size_t i = 3; i < words.size(); ++i) {
      if (words[i] == "taken") {
        reply.name_taken = true;
      } else if (words[i] == "version") {
        reply.version = static_cast<std::uint8_t>(std::stoul(words.at(++i)));
      } else if (words[i] == "highest") {
        reply.highest_incarnation = std::stoull(words.at(++i));
      } else {
        reply.roster.push_back(member_of(words[i]));
      }
    }
    core_->on_hello_reply(now_, address_of(words.at(1)), reply);
  }

  void hello(const Words& words) {
    HelloRequest request;
    request.self = member_of(words.at(1));
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "observer") request.observer = true;
      if (words[i] == "version") request.version_min = request.version_max = static_cast<std::uint8_t>(std::stoul(words.at(++i)));
    }
    const auto reply = core_->on_hello(now_, request);
    if (!reply) {
      got_.push_back("answer " + std::string(to_string(reply.error().code)));
      return;
    }
    std::string line = "answer highest " + std::to_string(reply->highest_incarnation);
    if (reply->name_taken) line += " taken";
    for (const Member& member : reply->roster) line += " " + member.name + ":" + std::string(to_string(member.state));
    got_.push_back(line);
  }

  void pass(Duration duration) {
    now_.steady = now_.steady + duration;
    now_.wall = now_.wall + duration;
    core_->on_tick(now_);
    collect();
  }

  void collect() {
    for (const MembershipEffect& effect : core_->drain_effects()) {
      const std::string line = line_of(effect);
      if (!ignored_.contains(words_of(line).at(0))) got_.push_back(line);
    }
  }

  std::string path_;
  std::size_t number_ = 0;
  std::string complaint_;
  MembershipConfig config_;
  Membership::Self self_;
  Now now_{SteadyTime{1'000'000'000}, WallTime{}};
  std::set<std::string> ignored_;
  std::unique_ptr<Membership> core_;
  std::deque<std::string> got_;
};

}  // namespace

std::string run_transcript(const std::string& path) { return Transcript(path).run(); }

}  // namespace legion
