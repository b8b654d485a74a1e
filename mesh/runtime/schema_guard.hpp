// Events against the declarations of their types: where they are published and before they are handed to a handler.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <legion/base/log.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/policy.hpp>
#include <legion/event/schema.hpp>

namespace legion {

/// Carries out what [[topic]] says with `schema` and `unknown_version`. Of types without a declaration it knows
/// nothing.
///
/// Strict looks at every event. Warn looks at every event that is published here, and before handling at one event of
/// each run that comes from another node, so that it costs next to nothing where everything fits.
///
/// Thread: any. Bounds: a line of the log for each type every 10 s; the counters have them all.
class SchemaGuard {
 public:
  /// What holds for one type, and what was found.
  struct Rule {
    EventSchema schema;
    SchemaCheck check = SchemaCheck::Warn;
    UnknownVersion unknown = UnknownVersion::Accept;
    mutable std::atomic<std::uint64_t> misfits{0};
    mutable std::atomic<std::uint64_t> newer{0};
    mutable std::atomic<std::uint64_t> told{0};         // of misfits, as of the last line of the log
    mutable std::atomic<std::int64_t> next_line_ns{0};  // steady clock
  };

  /// `node`: whose own events were looked at when they were published.
  SchemaGuard(std::string node, const SchemaTable& schemas, const PolicyTable& policy, LogSink log);

  /// For events of this type; nullptr: nothing is looked at. Lives as long as the guard.
  const Rule* rule_of(std::string_view type) const;

  /// Before an event is encoded. `source` as `node/agent`, for the log. Errors: BadData naming the field: it is not to
  /// be published.
  Result<void> look_at_published(const Rule& rule, const Event& event, std::string_view source) const;

  /// The events of one frame on their way to one handler.
  class Run {
   public:
    /// Whether anything is declared of their type that is looked at.
    bool looks() const { return rule_ != nullptr; }
    /// Unfit or UnknownVersion when the event is not to be handed over.
    std::optional<Outcome> refusal_of(const EventView& event);
    /// Whether refusal_of() would say nothing; counts nothing.
    bool lets_pass(const EventView& event) const;

   private:
    friend SchemaGuard;
    Run(const SchemaGuard* guard, const Rule* rule, bool looked) : guard_(guard), rule_(rule), looked_(looked) {}
    const SchemaGuard* guard_;
    const Rule* rule_;
    bool looked_;  // in Warn: nothing more is
  };
  Run run_of(const FrameHeader& header) const;

  /// By type: events that did not fit ("trade.approved"), and those of a version that is not known
  /// ("trade.approved newer"). Before handling each is counted for every handler it was meant for.
  std::map<std::string, std::uint64_t, std::less<>> counts() const;

 private:
  void warn(const Rule& rule, std::string_view what, const Error& misfit) const;
  bool may_write_a_line(const Rule& rule) const;

  std::string node_;
  LogSink log_;
  std::deque<Rule> rules_;  // deque: rules do not move
  std::unordered_map<std::string_view, const Rule*> by_type_;
};

}  // namespace legion
