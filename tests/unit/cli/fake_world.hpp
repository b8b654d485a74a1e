// A world without processes: nodes answer from tables, events come from a script, time moves only when somebody waits.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <legion/cli/app.hpp>
#include <legion/cli/exit_code.hpp>
#include <legion/event/event.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>

namespace legion::cli {

struct FakeNode {
  /// Answers a call; absent methods answer NotFound.
  std::map<std::string, std::function<Result<Bytes>(BytesView params)>> methods;

  void answer_json(const std::string& method, const std::string& json) {
    methods[method] = [json](BytesView) { return data_from_json(json); };
  }
};

class FakeWorld : public World {
 public:
  std::map<std::string, std::string> variables;
  std::map<std::string, FakeNode> nodes;  ///< by host:port
  std::vector<std::string> connected;
  Now time{{0}, {1'762'795'433'971'000'000}};
  std::vector<Duration> waits;
  std::uint64_t interrupt_after_waits = 0;  ///< 0: never
  /// The turns of the stream, one run_once() each. When they are used up, time passes.
  std::deque<std::function<void(const ObserverHandler&)>> turns;
  std::vector<Member> members;
  std::optional<Error> observe_error;
  ObserverOptions observed;
  bool stopped = false;

  std::optional<std::string> variable(const std::string& name) const override {
    const auto found = variables.find(name);
    if (found == variables.end() || found->second.empty()) return std::nullopt;
    return found->second;
  }
  std::vector<std::pair<std::string, std::string>> environment() const override {
    return {variables.begin(), variables.end()};
  }
  Result<std::unique_ptr<NodeConnection>> connect(const Address& address) override;
  Result<std::unique_ptr<SpoolAsk>> connect_spool(const Address& address) override;
  Result<std::unique_ptr<EventStream>> observe(ObserverOptions options, LogSink log) override;
  Now now() override { return time; }
  void wait(Duration duration) override {
    waits.push_back(duration);
    pass(duration);
    if (interrupt_after_waits != 0 && waits.size() >= interrupt_after_waits) stopped = true;
  }
  void take_interrupts() override {}
  bool interrupted() const override { return stopped; }

  void pass(Duration duration) {
    time.steady = time.steady + duration;
    time.wall = time.wall + duration;
  }
};

/// What a run of the program printed and how it ended.
struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

enum class Terminal : std::uint8_t { No, Yes };
Ran run(FakeWorld& world, const std::vector<std::string>& arguments, const std::string& input = "",
        Terminal terminal = Terminal::No, std::size_t columns = 80);

/// An event with owned text behind its views.
EventPtr make_event(const std::string& type, Priority priority, const std::string& json,
                    const std::string& source = "alpha/feed", const std::string& key = "");

}  // namespace legion::cli
