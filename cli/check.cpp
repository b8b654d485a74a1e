#include <algorithm>
#include <iterator>
#include <ostream>

#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/cli/books_check.hpp>
#include <legion/cli/flags.hpp>
#include <legion/cli/node_questions.hpp>
#include <legion/cli/printable.hpp>
#include <legion/cli/row_output.hpp>
#include <legion/cli/verb.hpp>

namespace legion::cli {
namespace {

constexpr Duration rest_timeout_default = 30s;
constexpr Duration between_looks = 500ms;
constexpr Duration answer_timeout = 3s;  // of one node, within the whole
constexpr Duration still_default =
    2s;  // a lost last event is found with the next tail marker: a heartbeat interval later
constexpr std::size_t restless_shown_max = 10;

/// As monitoring systems want them.
enum class Verdict : int { Ok = 0, Warning = 1, Critical = 2, Unknown = 3 };

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::Ok: return "ok";
    case Verdict::Warning: return "warning";
    case Verdict::Critical: return "critical";
    case Verdict::Unknown: break;
  }
  return "unknown";
}

class Check : public Verb {
 public:
  std::vector<std::string> actions() const override { return {"books"}; }

  void declare(CLI::App& app) override {
    app.add_option("WHAT", what_,
                   "books: waits until nothing moves in the whole mesh (at most --timeout, 30s), then every sum has to "
                   "agree. 0 it does, 1 it never came to rest, 2 it does not, 3 a node did not answer")
        ->type_name("books");
    add_duration(app, "--still", still_, "how long nothing may move (default 2s; longer than a heartbeat interval)");
  }

  int run(Session& session) override {
    if (what_.empty()) return session.usage("check: say what; there is books");
    if (what_ != "books") return session.usage("check: there is no '" + what_ + "'; there is books");
    World& world = session.world();
    world.take_interrupts();
    const SteadyTime began = world.now().steady;
    const Duration patience = session.options().timeout_given ? session.options().timeout : rest_timeout_default;
    Stillness stillness(still_.value_or(still_default));
    while (true) {
      if (const auto looked = look(session); !looked) {
        session.fail(looked.error());
        return static_cast<int>(Verdict::Unknown);
      }
      const Now now = world.now();
      at_rest_ = stillness.look(now.steady, snapshots_, found_);
      waited_ = now.steady - began;
      if (at_rest_ || waited_ >= patience) break;
      world.wait(std::min(between_looks, patience - waited_));
      if (world.interrupted()) return exit_code::interrupted;
    }
    for (const std::string& name : stillness.moved()) found_.restless.push_back(name + " still moves");
    return report(session);
  }

 private:
  /// Errors: the node that knows the others does not answer.
  Result<void> look(Session& session) {
    const auto members = nodes_.members(session);
    if (!members) return std::unexpected(members.error());
    snapshots_.clear();
    away_.clear();
    dead_ = 0;
    silent_.clear();
    for (const JsonTree& row : *members) {
      const std::string name = text_of(row, "name");
      const std::string state = text_of(row, "state");
      if (state == "left" || state == "dead") {
        dead_ += state == "dead" ? 1 : 0;
        away_.push_back(name + " is " + (state == "dead" ? "dead" : "gone") + ": its books went with it");
        continue;
      }
      const auto address = parse_address(text_of(row, "address"), 0);
      if (!address) return std::unexpected(address.error());
      auto snapshot = nodes_.ask(session, *address, "stats");
      if (snapshot) {
        snapshots_.push_back(std::move(*snapshot));
      } else {
        silent_.push_back(name + " does not answer: " + snapshot.error().message);
      }
    }
    found_ = read_books(snapshots_);
    std::ranges::copy(silent_, std::back_inserter(found_.restless));
    return {};
  }

  int report(Session& session) {
    const Verdict verdict = !found_.off.empty() ? Verdict::Critical
                            : at_rest_ && dead_ > 0 ? Verdict::Warning
                            : at_rest_          ? Verdict::Ok
                            : !silent_.empty()  ? Verdict::Unknown
                                                : Verdict::Warning;
    print(session, verdict);
    return static_cast<int>(verdict);
  }

  std::string summary(Verdict verdict) const {
    const std::string what =
        std::to_string(found_.lines.size()) + " lines of " + std::to_string(snapshots_.size()) + " nodes";
    switch (verdict) {
      case Verdict::Ok: return "books ok: " + what + " balance, nothing moves";
      case Verdict::Warning:
        return "books warning: " + what + " balance, but " +
               (at_rest_ ? std::to_string(dead_) + " members are dead, or behind a partition: theirs are not among them"
                         : std::string("the mesh never came to rest"));
      case Verdict::Critical:
        return "books critical: " + std::to_string(found_.off.size()) + " of " + what + " do not balance" +
               (at_rest_ ? "" : "; the mesh never came to rest");
      case Verdict::Unknown: break;
    }
    return "books unknown: not every node answers";
  }

  void print(Session& session, Verdict verdict) const {
    JsonTree answer{{"state", to_string(verdict)},  {"at_rest", at_rest_},
                    {"waited_ms", waited_ / 1ms},   {"nodes", snapshots_.size()},
                    {"lines", found_.lines.size()}, {"off", found_.off},
                    {"restless", found_.restless},  {"away", away_}};
    if (print_object(session, answer)) return;
    session.out() << summary(verdict) << '\n';
    for (const JsonTree& line : found_.off) session.out() << printable(off_text(line)) << '\n';
    std::size_t shown = 0;
    for (const std::string& text : found_.restless) {
      if (++shown > restless_shown_max) break;
      session.out() << printable(text) << '\n';
    }
    if (found_.restless.size() > restless_shown_max) {
      session.out() << found_.restless.size() - restless_shown_max << " more of them\n";
    }
    for (const std::string& text : away_) session.note(text);
  }

  std::string what_;
  std::optional<Duration> still_;
  NodeQuestions nodes_{answer_timeout};
  std::vector<JsonTree> snapshots_;
  std::vector<std::string> away_, silent_;
  std::size_t dead_ = 0;
  BooksFound found_;
  bool at_rest_ = false;
  Duration waited_{};
};

}  // namespace

std::unique_ptr<Verb> make_check() { return std::make_unique<Check>(); }

}  // namespace legion::cli
